//! All parameters of a network in one flat tensor, and the *unit* (paper, section 4.3) of each element. With a flat
//! tensor, an update takes a few tensor operations for any number of layers.
//!
//! Layers add parameters to a [`ParameterBuilder`], declare which elements form a unit, and later read their values
//! from [`Weights`] by [`ParameterId`]. State without gradients, such as the running statistics of batch normalization,
//! is a buffer.

use std::ops::Range;

use rand_distr::{Distribution, Normal, Uniform};
use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::memory::check_parameters;
use crate::state_dict::StateDict;
use crate::streams::Stream;

/// Index of a parameter in [`Weights`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterId(usize);

/// Index of a buffer in [`Weights`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferId(usize);

/// Distribution of a parameter's initial values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform between `-bound` and `bound`.
    Uniform(f64),
    /// Normal with mean 0 and this standard deviation.
    Normal(f64),
    /// One value for all elements.
    Constant(f64),
}

/// Builder of a network's parameters and buffers.
pub struct ParameterBuilder<'a> {
    rng: &'a mut Stream,
    scope: Vec<String>,
    entries: Vec<Entry>,
    inits: Vec<Init>,
    buffers: Vec<Buffer>,
    units: usize,
}

/// Parameters and buffers of a network.
#[derive(Debug)]
pub struct Parameters {
    entries: Vec<Entry>,
    units: usize,
    /// `[P]`
    theta: Tensor,
    buffers: Vec<Buffer>,
    /// flat tensor of all buffers, `[S]`
    buffer_values: Tensor,
    weights: Weights,
    weights_in_training: Weights,
}

/// Tensors of all parameters and buffers, as views of the two flat tensors.
#[derive(Debug)]
pub struct Weights {
    parameters: Vec<Tensor>,
    buffers: Vec<Tensor>,
    training: bool,
    momentum: Option<f64>,
}

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    shape: Vec<i64>,
    units: Option<Units>,
}

/// The elements of a parameter in the flat tensor, and their units: `stride` elements of each unit in turn, `repeats` times.
#[derive(Clone, Debug)]
pub(crate) struct UnitBlock {
    elements: Range<usize>,
    pub units: Range<usize>,
    pub stride: usize,
    pub repeats: usize,
}

/// Element e of a parameter belongs to unit `first + (e / stride) % count`.
#[derive(Clone, Copy, Debug)]
struct Units {
    first: usize,
    count: usize,
    stride: usize,
}

#[derive(Clone, Debug)]
struct Buffer {
    name: String,
    shape: Vec<i64>,
    /// initial value of all elements
    initial: f64,
}

impl<'a> ParameterBuilder<'a> {
    /// Creates an empty builder; [`finish`](Self::finish) samples initial values from `rng`.
    pub fn new(rng: &'a mut Stream) -> Self {
        let (scope, entries, inits, buffers) = Default::default();
        ParameterBuilder { rng, scope, entries, inits, buffers, units: 0 }
    }

    /// Returns the number of elements added so far, P.
    pub fn numel(&self) -> i64 {
        self.entries.iter().map(Entry::numel).sum()
    }

    /// Returns the number of units added so far.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Runs `build`; the names of parameters that it adds start with `name.`
    pub fn scope<T>(&mut self, name: impl Into<String>, build: impl FnOnce(&mut Self) -> T) -> T {
        self.scope.push(name.into());
        let built = build(self);
        self.scope.pop();
        built
    }

    /// Adds a parameter. Its units must be declared by [`add_units`](Self::add_units).
    pub fn add(&mut self, name: &str, shape: &[i64], init: Init) -> ParameterId {
        let name = self.full_name(name);
        self.entries.push(Entry { name, shape: shape.to_vec(), units: None });
        self.inits.push(init);
        ParameterId(self.entries.len() - 1)
    }

    /// Adds `count` units, each with one learning rate, and assigns the elements of parameters to them. With
    /// `(parameter, stride)`, element e of the parameter, in row-major order, belongs to unit `(e / stride) % count`.
    ///
    /// If the units are the rows of an `[O, I]` weight, the weight's stride is I and its bias's stride is 1. If they
    /// are the columns of an `[N, D]` embedding, the stride is 1.
    pub fn add_units(&mut self, count: i64, parameters: &[(ParameterId, i64)]) {
        let (first, count) = (self.units, count as usize);
        self.units += count;
        for &(ParameterId(index), stride) in parameters {
            let entry = &mut self.entries[index];
            assert!(entry.units.is_none(), "{} already has units", entry.name);
            assert!(entry.numel() % (count as i64 * stride) == 0, "{} can't be divided into these units", entry.name);
            entry.units = Some(Units { first, count, stride: stride as usize });
        }
    }

    /// Adds a buffer whose elements all have this initial value.
    pub fn buffer(&mut self, name: &str, shape: &[i64], value: f64) -> BufferId {
        let name = self.full_name(name);
        self.buffers.push(Buffer { name, shape: shape.to_vec(), initial: value });
        BufferId(self.buffers.len() - 1)
    }

    /// Allocates the parameters on `device` with this dtype and samples their initial values.
    ///
    /// # Errors
    /// [`Error::Memory`] if the parameters don't fit in this machine's memory.
    /// [`Error::ParameterWithoutUnit`] names the first parameter without units.
    pub fn finish(self, device: Device, kind: Kind) -> Result<Parameters, Error> {
        if let Some(entry) = self.entries.iter().find(|entry| entry.units.is_none()) {
            return Err(Error::ParameterWithoutUnit { name: entry.name.clone() });
        }
        self.check_memory()?;
        let zeros = |numbers: i64| Tensor::zeros([numbers], (kind, device));
        let theta = zeros(self.entries.iter().map(Entry::numel).sum());
        let buffer_values = zeros(self.buffers.iter().map(Buffer::numel).sum());
        let parameters = Parameters::new(self.entries, self.units, theta, self.buffers, buffer_values);
        for (value, buffer) in parameters.weights.buffers.iter().zip(&parameters.buffers) {
            let _ = value.shallow_clone().fill_(buffer.initial);
        }
        for (value, init) in parameters.weights.parameters.iter().zip(self.inits) {
            let drawn = Tensor::from_slice(&init.draw(value.numel(), self.rng));
            value.shallow_clone().copy_(&drawn.view(&value.size()[..]));
        }
        Ok(parameters)
    }

    /// Checks that the parameters added so far fit in this machine's memory while they are trained.
    ///
    /// # Errors
    /// [`Error::Memory`] if they don't.
    pub fn check_memory(&self) -> Result<(), Error> {
        let numel = |entry: &Entry| entry.shape.iter().map(|&length| length as f64).product::<f64>();
        check_parameters(self.entries.iter().map(numel).sum())
    }

    fn full_name(&self, name: &str) -> String {
        let full = self.scope.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        let mut taken = self.entries.iter().map(|e| &e.name).chain(self.buffers.iter().map(|b| &b.name));
        assert!(taken.all(|name| *name != full), "two parameters are named {full}");
        full
    }
}

impl Init {
    fn draw(self, n: usize, rng: &mut Stream) -> Vec<f64> {
        match self {
            Init::Uniform(bound) if bound > 0.0 => {
                Uniform::new(-bound, bound).expect("a positive bound").sample_iter(rng).take(n).collect()
            }
            Init::Normal(deviation) => {
                Normal::new(0.0, deviation).expect("a finite deviation").sample_iter(rng).take(n).collect()
            }
            Init::Uniform(_) => vec![0.0; n],
            Init::Constant(value) => vec![value; n],
        }
    }
}

impl Entry {
    fn numel(&self) -> i64 {
        self.shape.iter().product()
    }
}

impl UnitBlock {
    /// Returns the block's part of one number per element, `[P] -> [repeats, units, stride]`.
    pub fn view(&self, flat: &Tensor) -> Tensor {
        let shape = [self.repeats, self.units.len(), self.stride].map(|n| n as i64);
        flat.narrow(0, self.elements.start as i64, self.elements.len() as i64).view(shape)
    }

    /// Returns the block's part of one number per unit, `[units of all blocks] -> [units]`.
    pub fn of_units(&self, by_unit: &Tensor) -> Tensor {
        by_unit.narrow(0, self.units.start as i64, self.units.len() as i64)
    }

    /// Returns the repeats, `[units * stride]` each, of one number per element.
    pub fn repeats<'a, T>(&self, flat: &'a [T]) -> std::slice::ChunksExact<'a, T> {
        flat[self.elements.clone()].chunks_exact(self.units.len() * self.stride)
    }

    /// Returns what [`repeats`](Self::repeats) does, to be changed.
    pub fn repeats_mut<'a, T>(&self, flat: &'a mut [T]) -> std::slice::ChunksExactMut<'a, T> {
        flat[self.elements.clone()].chunks_exact_mut(self.units.len() * self.stride)
    }
}

impl Buffer {
    fn numel(&self) -> i64 {
        self.shape.iter().product()
    }
}

impl Parameters {
    fn new(entries: Vec<Entry>, units: usize, theta: Tensor, buffers: Vec<Buffer>, buffer_values: Tensor) -> Self {
        let sizes: Vec<i64> = buffers.iter().map(Buffer::numel).collect();
        let parts = buffer_values.split_with_sizes(&sizes, 0);
        let values = buffers.iter().zip(parts).map(|(b, part)| part.view(&b.shape[..])).collect();
        let weights = Weights { buffers: values, ..split(&entries, &theta, false) };
        let weights_in_training = Weights { training: true, ..weights.shallow_clone() };
        Parameters { entries, units, theta, buffers, buffer_values, weights, weights_in_training }
    }

    /// Returns the number of units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Returns the flat tensor of all parameters, `[P]`.
    pub fn theta(&self) -> &Tensor {
        &self.theta
    }

    /// Returns the flat tensor of all parameters, `[P]`, for in-place updates.
    pub(crate) fn theta_mut(&mut self) -> &mut Tensor {
        &mut self.theta
    }

    /// Returns the weights of a forward pass in evaluation mode.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Returns the weights of a forward pass in training mode, without autograd.
    pub(crate) fn weights_in_training(&self) -> &Weights {
        &self.weights_in_training
    }

    /// Returns a leaf of the autograd graph that shares the parameters' storage, `[P]`, and its weights in training
    /// mode. The gradient with respect to the leaf is one flat tensor.
    pub fn leaf(&self) -> (Tensor, Weights) {
        let leaf = self.theta.detach().set_requires_grad(true);
        let buffers = self.weights.buffers.iter().map(Tensor::shallow_clone).collect();
        let weights = Weights { buffers, ..tch::with_grad(|| split(&self.entries, &leaf, true)) };
        (leaf, weights)
    }

    /// Returns the weights for batch `batch` (from 0) of a batch-norm recomputation, after which the running statistics
    /// are the means over all batches so far.
    pub(crate) fn weights_for_bn_stats(&self, batch: u64) -> Weights {
        Weights { training: true, momentum: Some(1.0 / (batch + 1) as f64), ..self.weights.shallow_clone() }
    }

    /// Runs `work`, then restores the values of all buffers.
    pub(crate) fn with_buffers_restored<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = self.buffer_values.copy();
        let done = work();
        // through `data`, or autograd would reject the backward pass of an earlier forward pass that read the buffers
        self.buffer_values.data().copy_(&before);
        done
    }

    /// Returns whether there are buffers, such as running statistics.
    pub fn has_buffers(&self) -> bool {
        !self.buffers.is_empty()
    }

    /// Allocates a flat gradient, `[P]`, and returns it with its view for each parameter.
    pub fn grad_buffer(&self) -> (Tensor, Weights) {
        let flat = self.theta.zeros_like();
        let parts = split(&self.entries, &flat, true);
        (flat, parts)
    }

    /// Returns the units of each parameter's elements, in the order of the flat tensor.
    pub(crate) fn unit_blocks(&self) -> Vec<UnitBlock> {
        let mut start = 0;
        let block = |entry: &Entry| {
            let Units { first, count, stride } = entry.units.expect("checked when finished");
            let elements = start..start + entry.numel() as usize;
            start = elements.end;
            UnitBlock { repeats: elements.len() / (count * stride), elements, units: first..first + count, stride }
        };
        self.entries.iter().map(block).collect()
    }

    /// Returns the unit of every element, `[P]`.
    pub fn unit_of_element(&self) -> Vec<usize> {
        let of_entry = |entry: &Entry| {
            let Units { first, count, stride } = entry.units.expect("checked when finished");
            (0..entry.numel() as usize).map(move |e| first + (e / stride) % count)
        };
        self.entries.iter().flat_map(of_entry).collect()
    }

    /// Broadcasts one number per unit, `[units]`, to the units' elements, `[P]`.
    pub fn broadcast(&self, by_unit: &[f64]) -> Tensor {
        assert_eq!(by_unit.len(), self.units, "one number per unit");
        let by_unit = Tensor::from_slice(by_unit).to_kind(self.theta.kind()).to_device(self.theta.device());
        let flat = self.theta.empty_like();
        for block in self.unit_blocks() {
            block.view(&flat).copy_(&block.of_units(&by_unit).view([1, -1, 1]));
        }
        flat
    }

    /// Returns each layer's scope (the parameters' names up to the last dot) and units. Parameters that share units
    /// belong to one layer.
    pub fn layers(&self) -> Vec<(String, Range<usize>)> {
        let mut layers: Vec<(String, Range<usize>)> = Vec::new();
        for entry in &self.entries {
            let Units { first, count, .. } = entry.units.expect("checked when finished");
            if layers.iter().all(|(_, units)| units.start != first) {
                let scope = entry.name.rsplit_once('.').map_or(entry.name.as_str(), |(scope, _)| scope);
                layers.push((scope.into(), first..first + count));
            }
        }
        layers
    }

    /// Returns the root mean square of each unit's parameters, `[units]`; synchronizes the device.
    pub fn unit_rms(&self) -> Vec<f64> {
        self.rms_by_unit(&self.theta)
    }

    /// Returns the root mean square over each unit, `[units]`, of one number per element, `[P]`; synchronizes the
    /// device.
    pub(crate) fn rms_by_unit(&self, flat: &Tensor) -> Vec<f64> {
        let sums = Tensor::zeros([self.units as i64], (Kind::Double, self.theta.device()));
        for block in self.unit_blocks() {
            let squares = block.view(flat).to_kind(Kind::Double).square();
            let _ = block.of_units(&sums).g_add_(&squares.sum_dim_intlist([0i64, 2].as_slice(), false, None));
        }
        let sums = Vec::<f64>::try_from(sums).expect("a vector");
        sums.iter().zip(self.unit_numels()).map(|(sum, numel)| (sum / numel).sqrt()).collect()
    }

    /// Returns the number of elements of each unit, `[units]`.
    pub(crate) fn unit_numels(&self) -> Vec<f64> {
        let mut numels = vec![0.0; self.units];
        for block in self.unit_blocks() {
            let of_block = (block.repeats * block.stride) as f64;
            numels[block.units].iter_mut().for_each(|numel| *numel += of_block);
        }
        numels
    }

    /// Returns a deep copy.
    pub fn copy(&self) -> Self {
        let (entries, buffers) = (self.entries.clone(), self.buffers.clone());
        Parameters::new(entries, self.units, self.theta.copy(), buffers, self.buffer_values.copy())
    }

    /// Makes a soft (Polyak) update towards `other`, which has the same layout: `theta <- (1 - tau) theta + tau
    /// theta_other`. Buffers are copied.
    pub fn soft_update(&mut self, other: &Parameters, tau: f64) {
        let _ = self.theta.lerp_(&other.theta, tau);
        self.buffer_values.copy_(&other.buffer_values);
    }

    /// Adds each parameter and buffer to `tensors` as `prefix.name`.
    pub fn save(&self, prefix: &str, tensors: &mut StateDict) {
        for (name, value) in self.named() {
            tensors.insert(format!("{prefix}.{name}"), value);
        }
    }

    /// Restores the parameters and buffers written by `save`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the tensors are another network's; nothing was changed.
    pub fn load(&mut self, prefix: &str, tensors: &StateDict) -> Result<(), Error> {
        self.load_renamed(tensors, |name| format!("{prefix}.{name}"))
    }

    /// Loads each parameter and buffer from the tensor that `counterpart` maps its name to.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the tensors are another network's; nothing was changed.
    pub fn load_renamed(&mut self, tensors: &StateDict, counterpart: impl Fn(&str) -> String) -> Result<(), Error> {
        let saved = |(name, value): (&str, &Tensor)| tensors.get(&counterpart(name), &value.size());
        let saved = self.named().map(saved).collect::<Result<Vec<_>, Error>>()?;
        for ((_, value), saved) in self.named().zip(saved) {
            value.shallow_clone().copy_(saved);
        }
        Ok(())
    }

    /// Adds one number per element, `[P]`, to `tensors`: the tensor of each parameter as `prefix.name`.
    pub fn save_flat(&self, prefix: &str, flat: &Tensor, tensors: &mut StateDict) {
        let parts = split(&self.entries, flat, false).parameters;
        for (entry, part) in self.entries.iter().zip(&parts) {
            tensors.insert(format!("{prefix}.{}", entry.name), part);
        }
    }

    /// Returns one number per element, `[P]`, as written by `save_flat`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the tensors are another network's.
    pub fn load_flat(&self, prefix: &str, tensors: &StateDict) -> Result<Tensor, Error> {
        let part = |e: &Entry| Ok(tensors.get(&format!("{prefix}.{}", e.name), &e.shape)?.flatten(0, -1));
        Ok(Tensor::cat(&self.entries.iter().map(part).collect::<Result<Vec<_>, Error>>()?, 0))
    }

    fn named(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        let parameters = self.entries.iter().zip(&self.weights.parameters).map(|(e, value)| (e.name.as_str(), value));
        parameters.chain(self.buffers.iter().zip(&self.weights.buffers).map(|(b, value)| (b.name.as_str(), value)))
    }
}

impl Weights {
    /// Returns whether the pass is in training mode, which changes dropout and batch normalization.
    pub fn training(&self) -> bool {
        self.training
    }

    /// Returns the momentum of running statistics, if it differs from the layer's default.
    pub fn momentum(&self) -> Option<f64> {
        self.momentum
    }

    /// Returns views of these tensors.
    pub fn shallow_clone(&self) -> Self {
        let all = |tensors: &[Tensor]| tensors.iter().map(Tensor::shallow_clone).collect();
        Weights { parameters: all(&self.parameters), buffers: all(&self.buffers), ..*self }
    }

    /// Returns a buffer, which shares its storage with the network's.
    pub fn buffer(&self, id: BufferId) -> &Tensor {
        &self.buffers[id.0]
    }
}

impl std::ops::Index<ParameterId> for Weights {
    type Output = Tensor;

    fn index(&self, id: ParameterId) -> &Tensor {
        &self.parameters[id.0]
    }
}

/// Splits a flat tensor into weights without buffers.
fn split(entries: &[Entry], flat: &Tensor, training: bool) -> Weights {
    let sizes: Vec<i64> = entries.iter().map(Entry::numel).collect();
    debug_assert_eq!(sizes.iter().sum::<i64>(), flat.size()[0]);
    let parts = flat.split_with_sizes(&sizes, 0);
    let parameters = entries.iter().zip(parts).map(|(e, part)| part.view(&e.shape[..])).collect();
    Weights { parameters, buffers: Vec::new(), training, momentum: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::stream;

    fn build(build: impl FnOnce(&mut ParameterBuilder)) -> Result<Parameters, Error> {
        let mut rng = stream(0, "weights");
        let mut builder = ParameterBuilder::new(&mut rng);
        build(&mut builder);
        builder.finish(Device::Cpu, Kind::Float)
    }

    /// Returns parameters of two units with three weights and a bias each, two cells with four gates each in an LSTM's
    /// layout, and a table of three rows whose two columns are units.
    fn sample() -> Parameters {
        let parameters = build(|builder| {
            builder.scope("dense", |b| {
                let weight = b.add("weight", &[2, 3], Init::Uniform(1.0));
                let bias = b.add("bias", &[2], Init::Uniform(1.0));
                b.add_units(2, &[(weight, 3), (bias, 1)]);
            });
            let gates = builder.add("gates", &[8, 2], Init::Normal(1.0));
            builder.add_units(2, &[(gates, 2)]);
            let table = builder.add("table", &[3, 2], Init::Constant(0.5));
            builder.add_units(2, &[(table, 1)]);
            builder.buffer("mean", &[2], 7.0);
        });
        parameters.unwrap()
    }

    #[test]
    fn broadcast_gives_each_element_its_units_number() {
        let spread = Vec::<f32>::try_from(sample().broadcast(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).unwrap();
        let dense = [1., 1., 1., 2., 2., 2., 1., 2.];
        let gate = [3., 3., 4., 4.];
        let row = [5., 6.];
        assert_eq!(spread, [&dense[..], &gate, &gate, &gate, &gate, &row, &row, &row].concat());
    }

    #[test]
    fn unit_rms_matches_values_by_hand() {
        let parameters = sample();
        let theta = Vec::<f32>::try_from(parameters.theta()).unwrap();
        let mut of_unit = vec![Vec::new(); parameters.units()];
        for (unit, value) in parameters.unit_of_element().into_iter().zip(theta) {
            of_unit[unit].push(f64::from(value).powi(2));
        }
        for (size, squares) in parameters.unit_rms().into_iter().zip(of_unit) {
            let expected = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
            assert!((size - expected).abs() < 1e-12, "{size}, {expected}");
        }
    }

    #[test]
    fn parameters_that_share_units_are_one_layer() {
        let layers: Vec<_> = sample().layers();
        assert_eq!(layers, [("dense".into(), 0..2), ("gates".into(), 2..4), ("table".into(), 4..6)]);
    }

    /// Published results depend on these values.
    #[test]
    fn initial_values_of_a_seed_never_change() {
        let theta = Vec::<f32>::try_from(sample().theta()).unwrap();
        assert_eq!([0, 7, 8, 23].map(|e| theta[e]), [0.26186135, -0.08394677, 0.06853005, 0.5661315]);
    }

    #[test]
    fn a_builder_counts_elements_and_units() {
        let parameters = build(|builder| {
            let weight = builder.add("weight", &[4, 3, 2], Init::Uniform(1.0));
            let bias = builder.add("bias", &[4], Init::Constant(0.0));
            builder.add_units(4, &[(weight, 6), (bias, 1)]);
            builder.buffer("mean", &[9], 0.0);
            assert_eq!((builder.numel(), builder.units()), (28, 4));
        });
        assert_eq!(parameters.unwrap().theta().size(), [28]);
    }

    #[test]
    fn a_network_beyond_the_machines_memory_is_refused_before_it_is_made() {
        let huge = build(|builder| {
            let weight = builder.add("weight", &[1 << 20, 1 << 20], Init::Uniform(1.0));
            builder.add_units(1 << 20, &[(weight, 1 << 20)]);
        });
        let error = huge.err().unwrap().to_string();
        assert!(error.contains("needs about") && error.contains("num_heads"), "{error}");
    }

    #[test]
    fn a_parameter_without_units_is_an_error_with_its_name() {
        let parameters = build(|builder| {
            builder.scope("layer", |b| b.add("weight", &[2, 3], Init::Uniform(1.0)));
        });
        assert!(parameters.unwrap_err().to_string().contains("layer.weight"));
    }

    #[test]
    fn gradients_are_flat_and_in_order() {
        let parameters = sample();
        let (leaf, weights) = parameters.leaf();
        let loss = weights[ParameterId(0)].sum(Kind::Float) + 2.0 * weights[ParameterId(2)].sum(Kind::Float);
        let gradient = &Tensor::run_backward(&[loss], &[leaf], false, false)[0];
        let expected = [vec![1.0; 6], vec![0.0; 2], vec![2.0; 16], vec![0.0; 6]].concat();
        assert_eq!(Vec::<f32>::try_from(gradient).unwrap(), expected);
    }

    #[test]
    fn restoring_buffers_keeps_earlier_passes_differentiable() {
        let mut rng = stream(0, "weights");
        let mut builder = ParameterBuilder::new(&mut rng);
        let norm = crate::layers::BatchNorm::new(&mut builder, 2);
        let parameters = builder.finish(Device::Cpu, Kind::Float).unwrap();
        let x = Tensor::from_slice(&[1f32, 2., 3., 4., 5., 7.]).view([3, 2]);
        let pass = || {
            let (theta, weights) = parameters.leaf();
            (theta, norm.forward(&weights, &x).square().sum(Kind::Float))
        };
        let (theta, loss) = pass();
        let before = parameters.buffer_values.copy();
        let _ = parameters.with_buffers_restored(pass);
        assert_eq!(parameters.buffer_values, before);
        let gradient = Tensor::run_backward(&[loss], &[theta], false, false).remove(0);
        assert_eq!(gradient.size(), [4]);
    }

    #[test]
    fn loading_goes_by_name_and_rejects_other_shapes() {
        let saved = sample();
        let mut tensors = StateDict::default();
        saved.save("body", &mut tensors);
        let with_gates = |columns: i64| {
            build(|builder| {
                builder.buffer("mean", &[2], 0.0);
                let gates = builder.add("gates", &[8, columns], Init::Uniform(1.0));
                builder.add_units(2, &[(gates, columns)]);
            })
            .unwrap()
        };
        let mut other = with_gates(2);
        other.load("body", &tensors).unwrap();
        assert_eq!(other.weights()[ParameterId(0)], saved.weights()[ParameterId(2)]);
        assert_eq!(other.weights().buffer(BufferId(0)), saved.weights().buffer(BufferId(0)));
        assert_eq!(other.theta().size(), [16]);
        assert_eq!(other.theta(), &other.weights()[ParameterId(0)].flatten(0, -1));

        let mut misfit = with_gates(3);
        let before = misfit.theta().copy();
        let error = misfit.load("body", &tensors).unwrap_err().to_string();
        assert!(error.contains("body.gates") && error.contains("[8, 2]") && error.contains("[8, 3]"), "{error}");
        assert_eq!(misfit.theta(), &before);
        assert!(matches!(misfit.load("head", &tensors), Err(Error::MissingTensor { .. })));
    }
}
