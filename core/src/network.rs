//! An Alrao network: a body, K heads over its features, and the weights `a` that average them (paper, Equation 1).

use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::heads::{Heads, Outputs};
use crate::layers::{Backward, Body};
use crate::parameters::{ParameterBuilder, Parameters, Weights};
use crate::slices::{Scalar, simd_dispatch, sliceable, with_slices};
use crate::state_dict::StateDict;
use crate::streams::Stream;

/// A body with K heads.
#[derive(Debug)]
pub struct Network<B> {
    body: B,
    parameters: Parameters,
    heads: Heads,
    /// `[K]`
    a: Tensor,
    /// whether some heads have no weight because their outputs are not finite
    some_excluded: bool,
}

/// A forward pass that a step of learning can be made from.
pub struct ForwardPass {
    body_backward: BodyBackward,
    /// Features, `[B, H]`.
    pub(crate) z: Tensor,
    /// Every head's outputs, `[K, B, A]`.
    pub out: Tensor,
}

/// How the features depend on the parameters.
enum BodyBackward {
    /// By the graph that the features carry, from this leaf, `[P]`.
    Autograd(Tensor),
    /// As the body has it.
    Analytic(Backward),
    /// As it was recorded.
    Graphed(GraphedBackward),
}

/// The gradient with respect to the parameters, `[P]`, from that with respect to the features, `[B, H]`.
pub(crate) type GraphedBackward = Box<dyn Fn(&Tensor) -> Tensor>;

impl ForwardPass {
    /// The pass of the first `samples` of the batch alone.
    pub fn first(self, samples: i64) -> ForwardPass {
        let z = tch::with_grad(|| self.z.narrow(0, 0, samples));
        ForwardPass { z, out: self.out.narrow(1, 0, samples), ..self }
    }

    /// The gradient with respect to the body's parameters, `[P]`, from that with respect to the features, `[B, H]`.
    /// `grad_buffer` is a flat tensor that it may be written on, and its part for each parameter.
    pub(crate) fn backward(&self, gradient: Tensor, grad_buffer: &(Tensor, Weights)) -> Tensor {
        match &self.body_backward {
            BodyBackward::Autograd(theta) if !self.z.requires_grad() => theta.zeros_like(), // nothing depends on it
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
    /// A network whose body is made by `body`, with `k` heads of these outputs; initial values drawn from `rng`.
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

    /// A pass to learn from, `x: [B, ..]`, also where autograd is switched off.
    ///
    /// # Errors
    /// [`Error::Shape`] if x is no batch for the body.
    pub fn forward(&self, x: &Tensor) -> Result<ForwardPass, Error> {
        self.body.check(x)?;
        Ok(match self.body.forward_with_backward(self.parameters.weights_in_training(), x) {
            Some((z, backward)) => {
                ForwardPass { out: self.heads.forward(&z), z, body_backward: BodyBackward::Analytic(backward) }
            }
            None => self.forward_with(|body, weights| body.forward(weights, x)),
        })
    }

    /// Every head's outputs without anything to learn from, `[B, ..] -> [K, B, A]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if x is no batch for the body.
    pub fn outputs(&self, x: &Tensor) -> Result<Tensor, Error> {
        self.body.check(x)?;
        Ok(self.outputs_with(|body, weights| body.forward(weights, x)))
    }

    /// The heads' mean, `sum_j a_j out_j`, `[B, ..] -> [B, A]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if x is no batch for the body.
    pub fn mean(&self, x: &Tensor) -> Result<Tensor, Error> {
        if self.some_excluded {
            return Ok(self.average(&self.outputs(x)?));
        }
        self.body.check(x)?;
        Ok(tch::no_grad(|| self.heads.mean(&self.body.forward(self.parameters.weights(), x), &self.a)))
    }

    /// Takes the running statistics of normalisations anew: their means over these batches, `[B, ..]` each, of the network
    /// as it is (Wu and Johnson, 2021, section 3). Without a batch they stay.
    ///
    /// # Errors
    /// Of the first batch that is one; statistics are then of those before it.
    pub fn recompute_bn_stats<E>(&mut self, batches: impl IntoIterator<Item = Result<Tensor, E>>) -> Result<(), E> {
        for (others, x) in (0..).zip(batches) {
            let (x, weights) = (x?, self.parameters.weights_for_bn_stats(others));
            let _ = tch::no_grad(|| self.body.forward(&weights, &x));
        }
        Ok(())
    }
}

impl<B> Network<B> {
    /// A pass to learn from whose features, `[B, H]`, `forward` computes in a way of its own: with a recurrent state
    /// that it carries on, say.
    pub fn forward_with(&self, forward: impl FnOnce(&B, &Weights) -> Tensor) -> ForwardPass {
        let (theta, weights) = self.parameters.leaf();
        let z = tch::with_grad(|| forward(&self.body, &weights));
        let out = tch::no_grad(|| self.heads.forward(&z));
        ForwardPass { body_backward: BodyBackward::Autograd(theta), z, out }
    }

    /// The pass that has these features, `[B, H]`, of a recording.
    pub(crate) fn graphed_pass(&self, z: Tensor, backward: GraphedBackward) -> ForwardPass {
        let out = tch::no_grad(|| self.heads.forward(&z));
        ForwardPass { body_backward: BodyBackward::Graphed(backward), z, out }
    }

    /// Every head's outputs, `[K, B, A]`, for features that `forward` computes, without anything to learn from.
    pub fn outputs_with(&self, forward: impl FnOnce(&B, &Weights) -> Tensor) -> Tensor {
        tch::no_grad(|| self.heads.forward(&forward(&self.body, self.parameters.weights())))
    }

    /// `sum_j a_j out_j`, `[K, B, A] -> [B, A]`. A head without weight has no part in it, whatever its outputs.
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

    /// The body.
    pub fn body(&self) -> &B {
        &self.body
    }

    /// The averaging weights, `[K]`.
    pub fn a(&self) -> &Tensor {
        &self.a
    }

    /// Sets the averaging weights, `[K]`, and says whether some of them may be 0 because a head's outputs are not
    /// finite.
    pub(crate) fn set_a(&mut self, a: &Tensor, some_excluded: bool) {
        self.a = a.to_kind(self.a.kind());
        self.some_excluded = some_excluded;
    }

    /// The body's parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(crate) fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// The heads.
    pub fn heads(&self) -> &Heads {
        &self.heads
    }

    pub(crate) fn heads_mut(&mut self) -> &mut Heads {
        &mut self.heads
    }

    /// Throws all heads away but head `j`, which then has all the weight; which of the heads' numbers are left,
    /// `[P']`.
    pub fn prune_to_head(&mut self, j: i64) -> Tensor {
        let kept = self.heads.prune_to(j);
        self.set_a(&self.a.narrow(0, 0, 1).ones_like(), false);
        kept
    }

    /// Moves `tau` of the way to another network of the same build; its averaging weights are taken over whole.
    pub fn soft_update(&mut self, other: &Self, tau: f64) {
        self.parameters.soft_update(&other.parameters, tau);
        self.heads.parameters_mut().soft_update(other.heads.parameters(), tau);
        self.set_a(&other.a, other.some_excluded);
    }

    /// Multiplies every output by `factor`.
    pub fn scale_outputs(&mut self, factor: f64) {
        let _ = self.heads.parameters_mut().theta_mut().g_mul_scalar_(factor);
    }

    /// Adds everything the network predicts by, as `prefix.body.*`, `prefix.heads.*` and `prefix.a`.
    pub fn save(&self, prefix: &str, tensors: &mut StateDict) {
        self.parameters.save(&format!("{prefix}.body"), tensors);
        self.heads.parameters().save(&format!("{prefix}.heads"), tensors);
        tensors.insert(format!("{prefix}.a"), &self.a);
    }

    /// Takes back what was saved. If it was saved with a single head, since the others had been thrown away, so are those
    /// of this network.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the tensors are of another network.
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

    /// Takes the parameters and buffers of body and heads from `tensors` that go by other names: `counterpart` says what
    /// `body.*` or `heads.*` is called there. The averaging weights stay.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_renamed(&mut self, tensors: &StateDict, counterpart: impl Fn(&str) -> String) -> Result<(), Error> {
        self.parameters.load_renamed(tensors, |name| counterpart(&format!("body.{name}")))?;
        self.heads.parameters_mut().load_renamed(tensors, |name| counterpart(&format!("heads.{name}")))
    }
}

/// `sum_j a_j out_j` over the heads with weight, where the outputs of a sample lie side by side in main memory.
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
    /// A copy that shares nothing.
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
    fn heads_without_weight_have_no_part_in_the_mean() {
        let float = (Kind::Float, Device::Cpu);
        let mut network = Network::new(|b| Mlp::new(b, 3, &[4], 1.0), 3, 2, &mut stream(0, "weights"), float).unwrap();
        network.set_a(&Tensor::from_slice(&[0.25f64, 0.0, 0.75]), true);
        let out = Tensor::from_slice(&[1.0f32, 2.0, f32::NAN, 4.0, 5.0, 6.0]).view([1, 3, 2]); // [B, K, A]
        for mean in [network.average(&out.transpose(0, 1)), via_libtorch(|| network.average(&out.transpose(0, 1)))] {
            assert_eq!(Vec::<f32>::try_from(mean.get(0)).unwrap(), [4.0, 5.0]);
        }
    }

    /// Nothing but a normalisation of its inputs.
    struct Normalisation(BatchNorm);

    impl Body for Normalisation {
        fn features(&self) -> i64 {
            2
        }

        fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
            self.0.forward(weights, x)
        }
    }

    /// `z = w x`, which says that its derivative is 1 in training and 0 otherwise, or leaves it to autograd.
    struct Line {
        w: ParameterId,
        by_itself: bool,
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
            self.by_itself.then(|| (self.forward(weights, x), backward))
        }
    }

    /// By whatever way, with autograd on or off.
    #[test]
    fn a_pass_to_learn_from_is_in_training_and_can_be_differentiated() {
        let body = |by_itself| {
            move |b: &mut ParameterBuilder| {
                let w = b.add("w", &[1], Init::Constant(2.0));
                b.add_units(1, &[(w, 1)]);
                Line { w, by_itself }
            }
        };
        let float = (Kind::Float, Device::Cpu);
        let x = Tensor::from_slice(&[1.0f32, 3.0, 5.0]).view([3, 1]);
        for by_itself in [true, false] {
            let network = Network::new(body(by_itself), 2, 1, &mut stream(0, "weights"), float).unwrap();
            let gradient = || {
                let pass = network.forward(&x).unwrap().first(2);
                let of_features = Tensor::from_slice(&[1.0f32, 10.0]).view([2, 1]);
                pass.backward(of_features, &network.parameters().grad_buffer()).double_value(&[0])
            };
            let expected = if by_itself { 1.0 } else { 31.0 };
            assert_eq!([gradient(), tch::no_grad(gradient)], [expected; 2]);

            let frozen = network.forward_with(|body, weights| body.forward(weights, &x).detach());
            let nothing = frozen.backward(Tensor::ones([3, 1], float), &network.parameters().grad_buffer());
            assert_eq!(nothing, network.parameters().theta().zeros_like());
        }
    }

    #[test]
    fn renewed_statistics_are_the_means_over_the_batches_whatever_they_were() {
        let float = (Kind::Float, Device::Cpu);
        let body = |b: &mut ParameterBuilder| Normalisation(BatchNorm::new(b, 2));
        let mut network = Network::new(body, 1, 2, &mut stream(0, "weights"), float).unwrap();
        let numbers = |numbers: [f32; 6]| Tensor::from_slice(&numbers).view([3, 2]);
        // by channel: means 2 and 20, variances 1 and 100; then means 4 and 60, variances 9 and 900
        let batches = [numbers([1., 10., 2., 20., 3., 30.]), numbers([1., 30., 4., 60., 7., 90.])];
        let _ = network.forward(&(&batches[0] * 100.0)).unwrap();
        let theta = network.parameters().theta().copy();

        let renew = |network: &mut Network<Normalisation>, count: usize| {
            network.recompute_bn_stats(batches.iter().take(count).map(|x| Ok::<_, Error>(x.shallow_clone()))).unwrap()
        };
        let normalised = |network: &Network<Normalisation>, x: [f32; 2]| {
            let z = network.body.forward(network.parameters().weights(), &Tensor::from_slice(&x).view([1, 2]));
            Vec::<f64>::try_from(z.get(0).to_kind(Kind::Double)).unwrap()
        };
        renew(&mut network, 2);
        let found = normalised(&network, [3.0 + 5f32.sqrt(), 40.0]); // by means 3 and 40, variances 5 and 500
        assert!((found[0] - 1.0).abs() < 1e-4 && found[1].abs() < 1e-4, "{found:?}");
        renew(&mut network, 0);
        assert_eq!(normalised(&network, [3.0 + 5f32.sqrt(), 40.0]), found, "no batch, no change");
        renew(&mut network, 1);
        let found = normalised(&network, [3.0, 10.0]); // by means 2 and 20, variances 1 and 100
        assert!((found[0] - 1.0).abs() < 1e-4 && (found[1] + 1.0).abs() < 1e-4, "{found:?}");
        assert_eq!(network.parameters().theta(), &theta);

        let damaged = [Ok(batches[0].shallow_clone()), Err("damaged")];
        assert_eq!(network.recompute_bn_stats(damaged), Err("damaged"));
    }
}
