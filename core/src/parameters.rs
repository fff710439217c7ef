//! All parameters of a network in one flat tensor, so that an update is a handful of tensor operations however many
//! layers there are; and which *unit* (paper, section 4.3) each element belongs to.
//!
//! Layers claim units and add parameters through a [`ParameterBuilder`], and later find their weights in [`Weights`]
//! by the [`ParameterId`] they were given.

use rand_distr::{Distribution, Uniform};
use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::streams::Stream;
use crate::tensors::Tensors;

/// A parameter's place among the [`Weights`].
#[derive(Clone, Copy, Debug)]
pub struct ParameterId(usize);

/// Units that a layer has claimed: each will get one learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units {
    first: usize,
    count: usize,
}

/// The parameters of a network under construction.
pub struct ParameterBuilder<'a> {
    rng: &'a mut Stream,
    scope: Vec<String>,
    entries: Vec<Entry>,
    values: Vec<f32>,
    units: usize,
}

/// The finished parameters.
#[derive(Debug)]
pub struct Parameters {
    entries: Vec<Entry>,
    units: usize,
    /// `[P]`
    theta: Tensor,
    weights: Weights,
}

/// One tensor for each parameter, in the order they were added: views of one flat tensor.
#[derive(Debug)]
pub struct Weights(Vec<Tensor>);

#[derive(Clone, Debug)]
struct Entry {
    name: String,
    shape: Vec<i64>,
    units: Units,
    /// Element e belongs to unit `(e / stride) % units.count` of its units.
    stride: usize,
}

impl<'a> ParameterBuilder<'a> {
    /// Nothing yet; initial values will be drawn from `rng`.
    pub fn new(rng: &'a mut Stream) -> Self {
        ParameterBuilder { rng, scope: Vec::new(), entries: Vec::new(), values: Vec::new(), units: 0 }
    }

    /// Builds a part of the network whose parameters' names begin with `name.`
    pub fn scope<T>(&mut self, name: impl Into<String>, build: impl FnOnce(&mut Self) -> T) -> T {
        self.scope.push(name.into());
        let built = build(self);
        self.scope.pop();
        built
    }

    /// Claims `count` more units.
    pub fn claim_units(&mut self, count: usize) -> Units {
        let first = self.units;
        self.units += count;
        Units { first, count }
    }

    /// Adds a parameter of this shape, uniform in `[-bound, bound)`. Its element e, counted in row-major order,
    /// belongs to unit `(e / stride) % count` of the `units`: the stride of an `[O, I]` weight whose rows are the
    /// units is I, of its bias 1.
    pub fn uniform(&mut self, name: &str, shape: &[i64], bound: f64, units: Units, stride: usize) -> ParameterId {
        let numel: i64 = shape.iter().product();
        let uniform = Uniform::new(-bound, bound).expect("a positive bound");
        self.values.extend(uniform.sample_iter(&mut *self.rng).take(numel as usize).map(|x| x as f32));
        let name = self.scope.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        assert!(self.entries.iter().all(|e| e.name != name), "two parameters are named {name}");
        self.entries.push(Entry { name, shape: shape.to_vec(), units, stride });
        ParameterId(self.entries.len() - 1)
    }

    /// The parameters, on `device`.
    pub fn finish(self, device: Device) -> Parameters {
        Parameters::new(self.entries, self.units, Tensor::from_slice(&self.values).to_device(device))
    }
}

impl Parameters {
    fn new(entries: Vec<Entry>, units: usize, theta: Tensor) -> Self {
        let weights = split(&entries, &theta);
        Parameters { entries, units, theta, weights }
    }

    /// How many units there are.
    pub fn units(&self) -> usize {
        self.units
    }

    /// The flat tensor of all parameters, `[P]`.
    pub fn theta(&self) -> &Tensor {
        &self.theta
    }

    /// The flat tensor, to be changed in place.
    pub(crate) fn theta_mut(&mut self) -> &mut Tensor {
        &mut self.theta
    }

    /// The parameters, for a forward pass that nothing will be differentiated through.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// A leaf of the autograd graph that shares the parameters' storage, `[P]`, and its weights: gradients with
    /// respect to the leaf come as one flat tensor.
    pub fn leaf(&self) -> (Tensor, Weights) {
        let leaf = self.theta.detach().set_requires_grad(true);
        let weights = split(&self.entries, &leaf);
        (leaf, weights)
    }

    /// Spreads one number a unit, `[units]`, over all elements of its parameters, `[P]`.
    pub fn spread(&self, by_unit: &[f64]) -> Tensor {
        assert_eq!(by_unit.len(), self.units, "one number for each unit");
        let by_element: Vec<f32> = self
            .entries
            .iter()
            .flat_map(|e| {
                let numel = e.shape.iter().product::<i64>() as usize;
                (0..numel).map(|i| by_unit[e.units.first + (i / e.stride) % e.units.count] as f32)
            })
            .collect();
        Tensor::from_slice(&by_element).to_device(self.theta.device()).to_kind(self.theta.kind())
    }

    /// A copy that shares nothing.
    pub fn copy(&self) -> Self {
        Parameters::new(self.entries.clone(), self.units, self.theta.copy())
    }

    /// Moves `share` of the way to the values of `other`, a network of the same build.
    pub fn move_towards(&mut self, other: &Parameters, share: f64) {
        let _ = self.theta.lerp_(&other.theta, share);
    }

    /// Whether every parameter is a finite number.
    pub fn all_finite(&self) -> bool {
        self.theta.isfinite().all().int64_value(&[]) == 1
    }

    /// Adds each parameter to `tensors` as `prefix.name`.
    pub fn save(&self, prefix: &str, tensors: &mut Tensors) {
        for (entry, weight) in self.entries.iter().zip(&self.weights.0) {
            tensors.insert(format!("{prefix}.{}", entry.name), weight);
        }
    }

    /// Takes each parameter's values from `tensors`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the tensors are of another network. Nothing has changed then.
    pub fn load(&mut self, prefix: &str, tensors: &Tensors) -> Result<(), Error> {
        let values = self
            .entries
            .iter()
            .map(|e| Ok(tensors.get(&format!("{prefix}.{}", e.name), &e.shape)?.flatten(0, -1)))
            .collect::<Result<Vec<_>, Error>>()?;
        self.theta.copy_(&Tensor::cat(&values, 0));
        Ok(())
    }
}

impl std::ops::Index<ParameterId> for Weights {
    type Output = Tensor;

    fn index(&self, id: ParameterId) -> &Tensor {
        &self.0[id.0]
    }
}

fn split(entries: &[Entry], flat: &Tensor) -> Weights {
    let sizes: Vec<i64> = entries.iter().map(|e| e.shape.iter().product()).collect();
    debug_assert_eq!(sizes.iter().sum::<i64>(), flat.size()[0]);
    let parts = flat.split_with_sizes(&sizes, 0);
    Weights(entries.iter().zip(parts).map(|(e, part)| part.view(&e.shape[..])).collect())
}

/// The kind of number that parameters are held in.
pub const KIND: Kind = Kind::Float;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::stream;

    /// Two units of three weights and a bias each, then two cells of four gates, gate by gate, as an LSTM has them.
    fn sample() -> Parameters {
        let mut rng = stream(0, "weights");
        let mut builder = ParameterBuilder::new(&mut rng);
        builder.scope("dense", |b| {
            let units = b.claim_units(2);
            b.uniform("weight", &[2, 3], 1.0, units, 3);
            b.uniform("bias", &[2], 1.0, units, 1);
        });
        let cells = builder.claim_units(2);
        builder.uniform("gates", &[8, 2], 1.0, cells, 2);
        builder.finish(Device::Cpu)
    }

    #[test]
    fn every_element_takes_its_units_number() {
        let spread = Vec::<f32>::try_from(sample().spread(&[1.0, 2.0, 3.0, 4.0])).unwrap();
        let dense = [1., 1., 1., 2., 2., 2., 1., 2.];
        let gate = [3., 3., 4., 4.];
        assert_eq!(spread, [&dense[..], &gate, &gate, &gate, &gate].concat());
    }

    #[test]
    fn gradients_come_flat_and_in_order() {
        let parameters = sample();
        let (leaf, weights) = parameters.leaf();
        let loss = weights[ParameterId(0)].sum(KIND) + 2.0 * weights[ParameterId(2)].sum(KIND);
        let gradient = &Tensor::run_backward(&[loss], &[leaf], false, false)[0];
        let expected = [vec![1.0; 6], vec![0.0; 2], vec![2.0; 16]].concat();
        assert_eq!(Vec::<f32>::try_from(gradient).unwrap(), expected);
    }

    #[test]
    fn parameters_are_saved_by_name_and_refused_where_the_shape_differs() {
        let saved = sample();
        let mut tensors = Tensors::default();
        saved.save("body", &mut tensors);
        let mut rng = stream(1, "weights");
        let mut builder = ParameterBuilder::new(&mut rng);
        let units = builder.claim_units(2);
        builder.uniform("gates", &[8, 2], 1.0, units, 2);
        let mut other = builder.finish(Device::Cpu);
        other.load("body", &tensors).unwrap();
        assert_eq!(other.weights()[ParameterId(0)], saved.weights()[ParameterId(2)]);

        let mut rng = stream(1, "weights");
        let mut builder = ParameterBuilder::new(&mut rng);
        let units = builder.claim_units(2);
        builder.uniform("gates", &[8, 3], 1.0, units, 3);
        let mut misfit = builder.finish(Device::Cpu);
        let before = misfit.theta().copy();
        let error = misfit.load("body", &tensors).unwrap_err().to_string();
        assert!(error.contains("body.gates") && error.contains("[8, 2]") && error.contains("[8, 3]"), "{error}");
        assert_eq!(misfit.theta(), &before);
        assert!(matches!(misfit.load("head", &tensors), Err(Error::MissingTensor { .. })));
    }
}
