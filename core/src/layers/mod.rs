//! Layers that know their units: each says which of its parameters learn at one rate.

mod batch_norm;
mod conv2d;
mod embedding;
mod input_norm;
mod layer_norm;
mod linear;
mod lstm;
mod mlp;
mod relu;
mod width;

pub use batch_norm::BatchNorm;
pub use conv2d::{Conv2d, Conv2dSettings, FilterInit};
pub use embedding::Embedding;
pub use input_norm::{InputNorm, NormalizedBody};
pub use layer_norm::{LayerNorm, layer_norm};
pub use linear::Linear;
pub use lstm::{Lstm, LstmState};
pub use mlp::Mlp;
pub use width::scaled_width;

use tch::Tensor;

use crate::Error;
use crate::parameters::Weights;

/// The internal layers of a network, `z = phi(x)` (paper, section 4.2): everything but the output layer.
pub trait Body {
    /// How many features the body ends in, H.
    fn features(&self) -> i64;

    /// Checks that `x` is a batch for this body. By default everything is.
    ///
    /// # Errors
    /// [`Error::Shape`] names what is expected and what was found.
    fn check(&self, _x: &Tensor) -> Result<(), Error> {
        Ok(())
    }

    /// Features of a batch, `[B, ..] -> [B, H]`, from weights of the builder that made the body.
    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor;

    /// The features of a pass to learn from with their derivative, for a body that knows it better than autograd, which
    /// does it by default. These weights are in [training](Weights::training).
    fn forward_with_backward(&self, _weights: &Weights, _x: &Tensor) -> Option<(Tensor, Backward)> {
        None
    }

    /// Whether training changes no features: there is no noise, and no sample depends on the others of its batch. Then one
    /// pass can serve learning and acting both. By default it may.
    fn same_in_train_and_eval(&self) -> bool {
        false
    }
}

impl<B: Body + ?Sized> Body for Box<B> {
    fn features(&self) -> i64 {
        (**self).features()
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        (**self).check(x)
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        (**self).forward(weights, x)
    }

    fn forward_with_backward(&self, weights: &Weights, x: &Tensor) -> Option<(Tensor, Backward)> {
        (**self).forward_with_backward(weights, x)
    }

    fn same_in_train_and_eval(&self) -> bool {
        (**self).same_in_train_and_eval()
    }
}

/// The derivative of a body's features at one batch: from the gradient with respect to the features of its first samples,
/// `[<= B, H]`, which it may write over, it writes the gradient with respect to each parameter on that parameter's place
/// among the weights.
pub type Backward = Box<dyn Fn(Tensor, &Weights)>;

/// What the layers' tests have in common.
#[cfg(test)]
pub(crate) mod tests {
    use tch::{Device, Kind, Tensor};

    use crate::parameters::{ParameterBuilder, Parameters};
    use crate::streams::stream;

    /// A layer and its parameters.
    pub fn build<L>(layer: impl FnOnce(&mut ParameterBuilder) -> L) -> (L, Parameters) {
        let mut rng = stream(0, "weights");
        let mut builder = ParameterBuilder::new(&mut rng);
        let layer = layer(&mut builder);
        (layer, builder.finish(Device::Cpu, Kind::Float).expect("every parameter is claimed"))
    }

    /// Some numbers between -1 and 1.
    pub fn numbers(shape: &[i64]) -> Tensor {
        let n = shape.iter().product::<i64>();
        (Tensor::arange(n, (Kind::Float, Device::Cpu)) * 0.7).sin().view(shape)
    }

    pub fn assert_close(found: &Tensor, expected: &Tensor, tolerance: f64) {
        assert_eq!(found.size(), expected.size());
        let difference = (found - expected).abs().max().double_value(&[]);
        assert!(difference < tolerance, "{difference}: {found} {expected}");
    }
}
