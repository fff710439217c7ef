//! An Alrao network: a body, K heads over its features, and the weights `a` that average them (paper, Equation 1).

use tch::{Device, Tensor};

use crate::Error;
use crate::heads::Heads;
use crate::layers::Body;
use crate::parameters::{ParameterBuilder, Parameters};
use crate::streams::Stream;
use crate::tensors::Tensors;

/// A body with K heads.
#[derive(Debug)]
pub struct Network<B> {
    body: B,
    parameters: Parameters,
    heads: Heads,
    /// `[K]`
    a: Tensor,
}

/// A forward pass that a step of learning can be made from.
pub struct Pass {
    /// The leaf that the features depend on, `[P]`.
    pub(crate) theta: Tensor,
    /// Features, with their graph, `[B, H]`.
    pub(crate) z: Tensor,
    /// Every head's outputs, `[K, B, A]`.
    pub out: Tensor,
}

impl<B: Body> Network<B> {
    /// A network whose body is made by `body`, with `k` heads of `outputs` outputs; initial values drawn from `rng`.
    ///
    /// # Errors
    /// [`Error::NoHeads`] if `k` is 0.
    pub fn new(
        body: impl FnOnce(&mut ParameterBuilder) -> B,
        k: i64,
        outputs: i64,
        rng: &mut Stream,
        device: Device,
    ) -> Result<Self, Error> {
        let mut builder = ParameterBuilder::new(rng);
        let body = body(&mut builder);
        let parameters = builder.finish(device);
        let heads = Heads::new(k, body.features(), outputs, rng, device)?;
        let a = Tensor::full([k], 1.0 / k as f64, (crate::parameters::KIND, device));
        Ok(Network { body, parameters, heads, a })
    }

    /// A pass to learn from, `x: [B, ..]`.
    pub fn pass(&self, x: &Tensor) -> Pass {
        let (theta, weights) = self.parameters.leaf();
        let z = self.body.forward(&weights, x);
        let out = tch::no_grad(|| self.heads.forward(&z));
        Pass { theta, z, out }
    }

    /// Every head's outputs without anything to learn from, `[B, ..] -> [K, B, A]`.
    pub fn outputs(&self, x: &Tensor) -> Tensor {
        tch::no_grad(|| self.heads.forward(&self.body.forward(self.parameters.weights(), x)))
    }

    /// The heads' mean, `sum_j a_j out_j`, `[B, ..] -> [B, A]`.
    pub fn mean(&self, x: &Tensor) -> Tensor {
        self.average(&self.outputs(x))
    }

    /// `sum_j a_j out_j`, `[K, B, A] -> [B, A]`.
    pub fn average(&self, out: &Tensor) -> Tensor {
        out.tensordot(&self.a, [0].as_slice(), [0].as_slice())
    }

    /// The averaging weights, `[K]`.
    pub fn a(&self) -> &Tensor {
        &self.a
    }

    pub(crate) fn set_a(&mut self, a: &[f64]) {
        self.a = Tensor::from_slice(a).to_kind(self.a.kind()).to_device(self.a.device());
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

    /// Moves `share` of the way to another network of the same build; its averaging weights are taken over whole.
    pub fn move_towards(&mut self, other: &Self, share: f64) {
        self.parameters.move_towards(&other.parameters, share);
        self.heads.parameters_mut().move_towards(other.heads.parameters(), share);
        self.a.copy_(&other.a);
    }

    /// Adds everything the network predicts by, as `prefix.body.*`, `prefix.heads.*` and `prefix.a`.
    pub fn save(&self, prefix: &str, tensors: &mut Tensors) {
        self.parameters.save(&format!("{prefix}.body"), tensors);
        self.heads.parameters().save(&format!("{prefix}.heads"), tensors);
        tensors.insert(format!("{prefix}.a"), &self.a);
    }

    /// Takes back what was saved.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the tensors are of another network.
    pub fn load(&mut self, prefix: &str, tensors: &Tensors) -> Result<(), Error> {
        let a = tensors.get(&format!("{prefix}.a"), &self.a.size())?;
        self.parameters.load(&format!("{prefix}.body"), tensors)?;
        self.heads.parameters_mut().load(&format!("{prefix}.heads"), tensors)?;
        self.a.copy_(a);
        Ok(())
    }
}

impl<B: Body + Clone> Network<B> {
    /// A copy that shares nothing.
    pub fn copy(&self) -> Self {
        let (parameters, heads) = (self.parameters.copy(), self.heads.copy());
        Network { body: self.body.clone(), parameters, heads, a: self.a.copy() }
    }
}
