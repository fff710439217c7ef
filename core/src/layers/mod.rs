//! Layers that declare their units: groups of parameters that share a learning rate.

mod batch_norm;
mod cnn;
mod conv2d;
mod conv_bn;
mod embedding;
mod input_norm;
mod layer_norm;
mod linear;
mod lstm;
mod mlp;
mod module;
mod patches;
mod relu;
mod width;

pub use batch_norm::BatchNorm;
pub use cnn::{Cnn, ConvolutionSize};
pub use conv_bn::ConvBn;
pub use conv2d::{Conv2d, Conv2dSettings, FilterInit};
pub use embedding::Embedding;
pub use input_norm::{InputNorm, NormalizedBody};
pub use layer_norm::{LayerNorm, layer_norm};
pub use linear::Linear;
pub use lstm::{Lstm, LstmState};
pub use mlp::Mlp;
pub use module::Module;
pub use width::scaled_width;

use tch::Tensor;

use crate::Error;
use crate::parameters::Weights;

/// Body of a network, `z = phi(x)` (paper, section 4.2): all layers but the output heads.
pub trait Body {
    /// Returns the number of output features, H.
    fn features(&self) -> i64;

    /// Checks that `x` is a batch for this body. By default, accepts any tensor.
    ///
    /// # Errors
    /// [`Error::Shape`] names the expected and the found shape.
    fn check(&self, _x: &Tensor) -> Result<(), Error> {
        Ok(())
    }

    /// Computes the features of a batch, `[B, ..] -> [B, H]`, from weights of the builder that made the body.
    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor;

    /// Computes the features of a batch in [training mode](Weights::training) and their backward pass, for bodies with
    /// a faster derivative than autograd. By default, returns `None`: autograd is used.
    fn forward_with_backward(&self, _weights: &Weights, _x: &Tensor) -> Option<(Tensor, Backward)> {
        None
    }

    /// Returns whether features are equal in training and evaluation mode: without dropout or batch statistics, for
    /// example. Then one pass can serve both. `false` is right, too, where two passes are faster than one with samples
    /// that nothing is learned from. By default, `false`.
    fn same_in_train_and_eval(&self) -> bool {
        false
    }

    /// Describes [`forward`](Self::forward) in evaluation mode as PyTorch's modules, so that the network can be exported. By
    /// default, returns `None`: the body can't be exported.
    fn modules(&self, _weights: &Weights) -> Option<Vec<Module>> {
        None
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

    fn modules(&self, weights: &Weights) -> Option<Vec<Module>> {
        (**self).modules(weights)
    }
}

/// Backward pass of a body for one batch: from the gradient with respect to the features of the batch's first samples,
/// `[<= B, H]`, which it may overwrite, it writes the gradient with respect to each parameter to the given weights.
pub type Backward = Box<dyn Fn(Tensor, &Weights)>;

/// Helpers of the layers' tests.
#[cfg(test)]
pub(crate) mod tests {
    use tch::{Device, Kind, Tensor};

    use crate::parameters::{ParameterBuilder, Parameters};
    use crate::streams::stream;

    /// Builds a layer and its parameters.
    pub fn build<L>(layer: impl FnOnce(&mut ParameterBuilder) -> L) -> (L, Parameters) {
        let mut rng = stream(0, "weights");
        let mut builder = ParameterBuilder::new(&mut rng);
        let layer = layer(&mut builder);
        (layer, builder.finish(Device::Cpu, Kind::Float).expect("every parameter has units"))
    }

    /// Returns a tensor of values between -1 and 1.
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
