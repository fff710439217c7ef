//! Layers that know their units: each says which of its parameters learn at one rate.

mod layer_norm;
mod linear;
mod mlp;

pub use layer_norm::layer_norm;
pub use linear::Linear;
pub use mlp::Mlp;

use tch::Tensor;

use crate::parameters::Weights;

/// The internal layers of a network, `z = phi(x)` (paper, section 4.2): everything but the output layer.
pub trait Body {
    /// How many features the body ends in, H.
    fn features(&self) -> i64;

    /// Features of a batch, `[B, ..] -> [B, H]`, from weights of the builder that made the body.
    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor;
}
