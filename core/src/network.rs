//! An Alrao network: a body, K heads over its features, and the weights `a` that average them (paper, Equation 1).

use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::heads::{Heads, Outputs};
use crate::layers::{Backward, Body, Module};
use crate::likelihood::Categorical;
use crate::parameters::{ParameterBuilder, Parameters, Weights};
use crate::slices::{Scalar, simd_dispatch, sliceable, with_slices};
use crate::state_dict::StateDict;
use crate::streams::{Stream, stream};

/// The number of samples for which the outputs of an adaptive softmax are computed at once.
pub const ADAPTIVE_SAMPLES: i64 = 256;

/// A network: a body, its parameters, K heads and their averaging weights.
#[derive(Debug)]
pub struct Network<B> {
    body: B,
    parameters: Parameters,
    heads: Heads,
    /// `[K]`
    a: Tensor,
    /// whether some heads have weight 0 because their outputs are non-finite
    some_excluded: bool,
}

/// Result of a forward pass in training mode, with its backward pass.
pub struct ForwardPass {
    body_backward: BodyBackward,
    /// Features, `[B, H]`.
    pub(crate) z: Tensor,
    /// Every head's outputs, `[K, B, A]`; `[K, B, 0]` of an adaptive softmax, which needs the classes.
    pub out: Tensor,
}

/// Backward pass of the body.
enum BodyBackward {
    /// Autograd, to this leaf of the features' graph, `[P]`.
    Autograd(Tensor),
    /// The body's own derivative.
    Analytic(Backward),
    /// A replayed CUDA graph.
    Graphed(GraphedBackward),
}

/// Function from the gradient with respect to the features, `[B, H]`, to the gradient with respect to the parameters,
/// `[P]`.
pub(crate) type GraphedBackward = Box<dyn Fn(&Tensor) -> Tensor>;

impl ForwardPass {
    /// Restricts the pass to the first `samples` samples of the batch.
    pub fn first(self, samples: i64) -> ForwardPass {
        let z = tch::with_grad(|| self.z.narrow(0, 0, samples));
        ForwardPass { z, out: self.out.narrow(1, 0, samples), ..self }
    }

    /// Computes the gradient with respect to the body's parameters, `[P]`, from the gradient with respect to the
    /// features, `[B, H]`. It may use `grad_buffer`, a flat tensor, `[P]`, with its view for each parameter.
    pub(crate) fn backward(&self, gradient: Tensor, grad_buffer: &(Tensor, Weights)) -> Tensor {
        match &self.body_backward {
            BodyBackward::Autograd(theta) if !self.z.requires_grad() => theta.zeros_like(), // independent features
            BodyBackward::Autograd(theta) => {
                let surrogate = tch::with_grad(|| self.z.flatten(0, -1).dot(&gradient.flatten(0, -1)));
                Tensor::run_backward(&[surrogate], &[theta], false, false).remove(0)
            }
            BodyBackward::Analytic(backward) => {
                backward(gradient, &grad_buffer.1);
                grad_buffer.0.shallow_clone()
            }
            BodyBackward::Graphed(backward) => backward(&gradient),
        }
    }
}

impl<B: Body> Network<B> {
    /// Creates a network with the body made by `body` and `k` heads; initial weights are sampled from `rng`.
    ///
    /// # Errors
    /// [`Error::NoHeads`] if `k` is 0, [`Error::ParameterWithoutUnit`] if a parameter of the body belongs to no unit.
    pub fn new(
        body: impl FnOnce(&mut ParameterBuilder) -> B,
        k: i64,
        outputs: impl Into<Outputs>,
        rng: &mut Stream,
        (kind, device): (Kind, Device),
    ) -> Result<Self, Error> {
        let mut builder = ParameterBuilder::new(rng);
        let body = body(&mut builder);
        let parameters = builder.finish(device, kind)?;
        let heads = Heads::new(k, body.features(), outputs, rng, (kind, device))?;
        let a = Tensor::full([k], 1.0 / k as f64, (kind, device));
        Ok(Network { body, parameters, heads, a, some_excluded: false })
    }

    /// Checks that this machine has the memory to train the network that [`new`](Self::new) creates from these arguments,
    /// without creating it.
    ///
    /// # Errors
    /// [`Error::Memory`] if it hasn't.
    pub fn check_memory(
        body: impl FnOnce(&mut ParameterBuilder) -> B,
        k: i64,
        outputs: impl Into<Outputs>,
    ) -> Result<(), Error> {
        let mut unused = stream(0, "unused");
        let mut builder = ParameterBuilder::new(&mut unused);
        let features = body(&mut builder).features();
        builder.check_memory()?;
        Heads::check_memory(k, features, outputs)
    }

    /// Runs a forward pass in training mode, `x: [B, ..]`, also under `no_grad`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` is not a batch for the body.
    pub fn forward(&self, x: &Tensor) -> Result<ForwardPass, Error> {
        self.body.check(x)?;
        Ok(match self.body.forward_with_backward(self.parameters.weights_in_training(), x) {
            Some((z, backward)) => ForwardPass {
                out: self.heads.forward_in_training(&z),
                z,
                body_backward: BodyBackward::Analytic(backward),
            },
            None => self.forward_with(|body, weights| body.forward(weights, x)),
        })
    }

    /// Computes the outputs of all heads in evaluation mode, `[B, ..] -> [K, B, A]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` is not a batch for the body.
    pub fn outputs(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.body.check(x)?;
        let z = self.features_with(|body, weights| body.forward(weights, x));
        Ok(tch::no_grad(|| self.heads.forward(&z)))
    }

    /// Computes the mean output in evaluation mode, `sum_j a_j out_j`, `[B, ..] -> [B, A]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if `x` is not a batch for the body.
    pub fn mean(&self, x: &Tensor) -> Result<Tensor, Error> {
        if self.some_excluded || self.heads.adaptive_softmax().is_some() {
            return Ok(self.average(&self.outputs(x)?));
        }
        self.body.check(x)?;
        let mean = tch::no_grad(|| self.heads.mean(&self.body.forward(self.parameters.weights(), x), &self.a));
        Ok(mean.expect("heads are linear"))
    }

    /// Describes [`mean`](Self::mean) as PyTorch's modules, the last of which is the averaged head: no more than a network of
    /// one head. Returns `None` if body or heads can't be described.
    pub fn modules(&self) -> Option<Vec<Module>> {
        let mut modules = self.body.modules(self.parameters.weights())?;
        let (weight, bias) = tch::no_grad(|| self.heads.averaged(&self.a, self.some_excluded))?;
        modules.push(Module::Linear { weight, bias });
        Some(modules)
    }

    /// Recomputes the running statistics of batch normalization: their means over these batches, `[B, ..]` each
    /// (precise BN, Wu and Johnson, 2021, section 3). Without a batch, they are unchanged.
    ///
    /// # Errors
    /// Returns the first batch error; the statistics then cover the earlier batches.
    pub fn recompute_bn_stats<E>(&mut self, batches: impl IntoIterator<Item = Result<Tensor, E>>) -> Result<(), E> {
        for (batch, x) in (0..).zip(batches) {
            let (x, weights) = (x?, self.parameters.weights_for_bn_stats(batch));
            let _ = tch::no_grad(|| self.body.forward(&weights, &x));
        }
        Ok(())
    }
}

impl<B> Network<B> {
    /// Runs a forward pass in training mode whose features, `[B, H]`, `forward` computes, for example with a recurrent
    /// state.
    pub fn forward_with(&self, forward: impl FnOnce(&B, &Weights) -> Tensor) -> ForwardPass {
        let (theta, weights) = self.parameters.leaf();
        let z = tch::with_grad(|| forward(&self.body, &weights));
        let out = tch::no_grad(|| self.heads.forward_in_training(&z));
        ForwardPass { body_backward: BodyBackward::Autograd(theta), z, out }
    }

    /// Creates the forward pass whose features `z`, `[B, H]`, a CUDA graph computed.
    pub(crate) fn graphed_pass(&self, z: Tensor, backward: GraphedBackward) -> ForwardPass {
        let out = tch::no_grad(|| self.heads.forward_in_training(&z));
        ForwardPass { body_backward: BodyBackward::Graphed(backward), z, out }
    }

    /// Computes the mixture's `log p(c|x)` of each class, `[B, A]`, for a pass in training mode.
    pub fn log_probabilities_of(&self, pass: &ForwardPass) -> Tensor {
        match self.heads.adaptive_softmax() {
            None => Categorical.log_probabilities(&pass.out, &self.a),
            Some(_) => self.log_probabilities(&pass.z.detach()),
        }
    }

    /// Computes the mixture's `log p(c|x)` of each class from features, `[B, H] -> [B, A]`; of an adaptive softmax for
    /// [`ADAPTIVE_SAMPLES`] samples at a time, because every head's outputs for many classes fill the memory.
    pub fn log_probabilities(&self, z: &Tensor) -> Tensor {
        let of = |z: &Tensor| tch::no_grad(|| Categorical.log_probabilities(&self.heads.forward(z), &self.a));
        match self.heads.adaptive_softmax() {
            None => of(z),
            Some(_) => Tensor::cat(&z.split(ADAPTIVE_SAMPLES, 0).iter().map(of).collect::<Vec<_>>(), 0),
        }
    }

    /// Computes features in evaluation mode, `[B, H]`, by `forward`, for example with a recurrent state.
    pub fn features_with(&self, forward: impl FnOnce(&B, &Weights) -> Tensor) -> Tensor {
        tch::no_grad(|| forward(&self.body, self.parameters.weights()))
    }

    /// Averages outputs, `sum_j a_j out_j`, `[K, B, A] -> [B, A]`. Heads with weight 0 are skipped, even if non-finite.
    pub fn average(&self, out: &Tensor) -> Tensor {
        if self.heads.k() == 1 {
            return out.squeeze_dim(0);
        }
        if let Some(mean) = simd_dispatch!(average_by_sample(out, &self.a)) {
            return mean;
        }
        let a = self.a.view([-1, 1, 1]);
        let mut weighted = out * &a;
        if self.some_excluded {
            weighted = weighted.where_scalarother(&a.gt(0.0), 0.0);
        }
        weighted.sum_dim_intlist([0].as_slice(), false, None)
    }

    /// Returns the body.
    pub fn body(&self) -> &B {
        &self.body
    }

    /// Returns the averaging weights, `[K]`.
    pub fn a(&self) -> &Tensor {
        &self.a
    }

    /// Sets the averaging weights, `[K]`. `some_excluded`: some may be 0 because a head's outputs are non-finite.
    pub(crate) fn set_a(&mut self, a: &Tensor, some_excluded: bool) {
        self.a = a.to_kind(self.a.kind());
        self.some_excluded = some_excluded;
    }

    /// Returns the body's parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(crate) fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// Returns the heads.
    pub fn heads(&self) -> &Heads {
        &self.heads
    }

    pub(crate) fn heads_mut(&mut self) -> &mut Heads {
        &mut self.heads
    }

    /// Prunes all heads but head `j` and returns the flat indices of its parameters, `[P']`.
    pub fn prune_to_head(&mut self, j: i64) -> Tensor {
        let kept = self.heads.prune_to(j);
        self.set_a(&self.a.narrow(0, 0, 1).ones_like(), false);
        kept
    }

    /// Makes a soft (Polyak) update towards `other`, a network with the same architecture:
    /// `theta <- (1 - tau) theta + tau theta_other`. Buffers and averaging weights are copied.
    pub fn soft_update(&mut self, other: &Self, tau: f64) {
        self.parameters.soft_update(&other.parameters, tau);
        self.heads.parameters_mut().soft_update(other.heads.parameters(), tau);
        self.set_a(&other.a, other.some_excluded);
    }

    /// Multiplies every output by `factor`, if heads are linear.
    pub fn scale_outputs(&mut self, factor: f64) {
        let _ = self.heads.parameters_mut().theta_mut().g_mul_scalar_(factor);
    }

    /// Adds the network's state to `tensors` as `prefix.body.*`, `prefix.heads.*` and `prefix.a`.
    pub fn save(&self, prefix: &str, tensors: &mut StateDict) {
        self.parameters.save(&format!("{prefix}.body"), tensors);
        self.heads.parameters().save(&format!("{prefix}.heads"), tensors);
        tensors.insert(format!("{prefix}.a"), &self.a);
    }

    /// Restores the state written by `save`. If the saved network was pruned to one head, this network is pruned too.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the state is another network's.
    pub fn load(&mut self, prefix: &str, tensors: &StateDict) -> Result<(), Error> {
        let name = format!("{prefix}.a");
        if tensors.get(&name, &[-1])?.numel() == 1 && self.heads.k() > 1 {
            let _ = self.prune_to_head(0);
        }
        let a = tensors.get(&name, &self.a.size())?;
        self.load_renamed(tensors, |name| format!("{prefix}.{name}"))?;
        let a = a.to_device(self.a.device());
        self.set_a(&a, a.eq(0.0).any().int64_value(&[]) != 0);
        Ok(())
    }

    /// Loads the parameters and buffers of body and heads from `tensors` with other names: `counterpart` maps `body.*`
    /// and `heads.*` to them. The averaging weights are unchanged.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the tensors are another network's.
    pub fn load_renamed(&mut self, tensors: &StateDict, counterpart: impl Fn(&str) -> String) -> Result<(), Error> {
        self.parameters.load_renamed(tensors, |name| counterpart(&format!("body.{name}")))?;
        self.heads.parameters_mut().load_renamed(tensors, |name| counterpart(&format!("heads.{name}")))
    }
}

/// Averages outputs that are stored as `[B, K, A]` on the CPU, skipping heads with weight 0.
#[inline(always)]
fn average_by_sample<T: Scalar>(out: &Tensor, a: &Tensor) -> Option<Tensor> {
    let by_sample = out.transpose(0, 1); // [B, K, A]
    let &[samples, k, outputs] = &by_sample.size()[..] else { return None };
    sliceable::<T>(&by_sample)?;
    let mut mean = Tensor::zeros([samples, outputs], (out.kind(), out.device()));
    let (k, outputs) = (k as usize, outputs as usize);
    with_slices::<T, _, _, _>(
        [&mut mean],
        [&by_sample, a],
        #[inline(always)]
        |[mean], [out, a]| {
            for (mean, out) in mean.chunks_exact_mut(outputs).zip(out.chunks_exact(k * outputs)) {
                let with_weight = out.chunks_exact(outputs).zip(a).filter(|(_, a_j)| **a_j > T::zero());
                for (out, &a_j) in with_weight {
                    mean.iter_mut().zip(out).for_each(|(mean, &out)| *mean = *mean + a_j * out);
                }
            }
        },
    )?;
    Some(mean)
}

impl<B: Clone> Network<B> {
    /// Returns a deep copy.
    pub fn copy(&self) -> Self {
        Network {
            body: self.body.clone(),
            parameters: self.parameters.copy(),
            heads: self.heads.copy(),
            a: self.a.copy(),
            some_excluded: self.some_excluded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::via_libtorch;
    use crate::layers::{BatchNorm, Mlp};
    use crate::parameters::{Init, ParameterId};
    use crate::streams::stream;

    #[test]
    fn the_mean_skips_heads_with_weight_0() {
        let float = (Kind::Float, Device::Cpu);
        let mut network = Network::new(|b| Mlp::new(b, 3, &[4], 1.0), 3, 2, &mut stream(0, "weights"), float).unwrap();
        network.set_a(&Tensor::from_slice(&[0.25f64, 0.0, 0.75]), true);
        let out = Tensor::from_slice(&[1.0f32, 2.0, f32::NAN, 4.0, 5.0, 6.0]).view([1, 3, 2]); // [B, K, A]
        for mean in [network.average(&out.transpose(0, 1)), via_libtorch(|| network.average(&out.transpose(0, 1)))] {
            assert_eq!(Vec::<f32>::try_from(mean.get(0)).unwrap(), [4.0, 5.0]);
        }
    }

    #[test]
    fn modules_compute_the_mean_with_one_head() {
        let float = (Kind::Float, Device::Cpu);
        let x = Tensor::from_slice(&[0.1f32, -2.0, 0.7, 1.0, 0.0, -0.3]).view([2, 3]);
        for outputs in [Outputs::Linear(2), Outputs::Dueling(2)] {
            let body = |b: &mut ParameterBuilder| Mlp::new(b, 3, &[4], 1.0);
            let mut network = Network::new(body, 3, outputs.clone(), &mut stream(0, "weights"), float).unwrap();
            network.set_a(&Tensor::from_slice(&[0.25f64, 0.15, 0.6]), false);
            for excluded in [false, true] {
                if excluded {
                    let of_second = network.heads.parameters().unit_of_element().into_iter().map(|unit| unit == 1);
                    let of_second = Tensor::from_slice(&of_second.collect::<Vec<_>>());
                    let _ = network.heads.parameters_mut().theta_mut().masked_fill_(&of_second, f64::NAN);
                    network.set_a(&Tensor::from_slice(&[0.25f64, 0.0, 0.75]), true);
                }
                let modules = network.modules().unwrap();
                assert_eq!(modules.last().unwrap().to_string(), "Linear(4, 2)");
                let found = modules.iter().fold(x.shallow_clone(), |x, module| module.forward(&x));
                let difference = (found - network.mean(&x).unwrap()).abs().max().double_value(&[]);
                assert!(difference < 1e-6, "{outputs:?}, excluded {excluded}: {difference}");
            }
        }
    }

    /// A body of one batch normalization.
    struct Norm(BatchNorm);

    impl Body for Norm {
        fn features(&self) -> i64 {
            2
        }

        fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
            self.0.forward(weights, x)
        }
    }

    /// `z = w x`, differentiated by autograd or by a wrong derivative: 1 in training mode, else 0.
    struct Line {
        w: ParameterId,
        own_derivative: bool,
    }

    impl Body for Line {
        fn features(&self) -> i64 {
            1
        }

        fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
            x * &weights[self.w]
        }

        fn forward_with_backward(&self, weights: &Weights, x: &Tensor) -> Option<(Tensor, Backward)> {
            let (w, training) = (self.w, weights.training());
            let backward: Backward = Box::new(move |_, of| drop(of[w].shallow_clone().fill_(f64::from(training))));
            self.own_derivative.then(|| (self.forward(weights, x), backward))
        }
    }

    /// With and without autograd.
    #[test]
    fn a_forward_pass_is_in_training_mode_and_has_a_backward_pass() {
        let body = |own_derivative| {
            move |b: &mut ParameterBuilder| {
                let w = b.add("w", &[1], Init::Constant(2.0));
                b.add_units(1, &[(w, 1)]);
                Line { w, own_derivative }
            }
        };
        let float = (Kind::Float, Device::Cpu);
        let x = Tensor::from_slice(&[1.0f32, 3.0, 5.0]).view([3, 1]);
        for own_derivative in [true, false] {
            let network = Network::new(body(own_derivative), 2, 1, &mut stream(0, "weights"), float).unwrap();
            let gradient = || {
                let pass = network.forward(&x).unwrap().first(2);
                let of_features = Tensor::from_slice(&[1.0f32, 10.0]).view([2, 1]);
                pass.backward(of_features, &network.parameters().grad_buffer()).double_value(&[0])
            };
            let expected = if own_derivative { 1.0 } else { 31.0 };
            assert_eq!([gradient(), tch::no_grad(gradient)], [expected; 2]);

            let frozen = network.forward_with(|body, weights| body.forward(weights, &x).detach());
            let nothing = frozen.backward(Tensor::ones([3, 1], float), &network.parameters().grad_buffer());
            assert_eq!(nothing, network.parameters().theta().zeros_like());
        }
    }

    #[test]
    fn recomputed_statistics_are_the_means_over_the_batches() {
        let float = (Kind::Float, Device::Cpu);
        let body = |b: &mut ParameterBuilder| Norm(BatchNorm::new(b, 2));
        let mut network = Network::new(body, 1, 2, &mut stream(0, "weights"), float).unwrap();
        let numbers = |numbers: [f32; 6]| Tensor::from_slice(&numbers).view([3, 2]);
        // per channel: means 2 and 20, variances 1 and 100; then means 4 and 60, variances 9 and 900
        let batches = [numbers([1., 10., 2., 20., 3., 30.]), numbers([1., 30., 4., 60., 7., 90.])];
        let _ = network.forward(&(&batches[0] * 100.0)).unwrap();
        let theta = network.parameters().theta().copy();

        let recompute = |network: &mut Network<Norm>, count: usize| {
            network.recompute_bn_stats(batches.iter().take(count).map(|x| Ok::<_, Error>(x.shallow_clone()))).unwrap()
        };
        let normalized = |network: &Network<Norm>, x: [f32; 2]| {
            let z = network.body.forward(network.parameters().weights(), &Tensor::from_slice(&x).view([1, 2]));
            Vec::<f64>::try_from(z.get(0).to_kind(Kind::Double)).unwrap()
        };
        recompute(&mut network, 2);
        let found = normalized(&network, [3.0 + 5f32.sqrt(), 40.0]); // means 3 and 40, variances 5 and 500
        assert!((found[0] - 1.0).abs() < 1e-4 && found[1].abs() < 1e-4, "{found:?}");
        recompute(&mut network, 0);
        assert_eq!(normalized(&network, [3.0 + 5f32.sqrt(), 40.0]), found, "no batch, no change");
        recompute(&mut network, 1);
        let found = normalized(&network, [3.0, 10.0]); // means 2 and 20, variances 1 and 100
        assert!((found[0] - 1.0).abs() < 1e-4 && (found[1] + 1.0).abs() < 1e-4, "{found:?}");
        assert_eq!(network.parameters().theta(), &theta);

        let corrupt = [Ok(batches[0].shallow_clone()), Err("corrupt")];
        assert_eq!(network.recompute_bn_stats(corrupt), Err("corrupt"));
    }
}
