//! The multilayer perceptron that Q-networks stand on: linear layers, each normalised and rectified.

use tch::Tensor;

use super::{Body, Linear, layer_norm, widened};
use crate::Error;
use crate::parameters::{ParameterBuilder, Weights};

/// `z = relu(norm(W_n .. relu(norm(W_1 x + b_1)) .. + b_n))`
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
    inputs: i64,
    features: i64,
}

impl Mlp {
    /// An MLP from `inputs` numbers through hidden layers of the given `widths`, each `gamma` times as wide; its features
    /// are the last of them.
    pub fn new(builder: &mut ParameterBuilder, inputs: i64, widths: &[i64], gamma: f64) -> Self {
        let mut features = inputs;
        let layers = widths.iter().enumerate().map(|(i, &width)| {
            let width = widened(width, gamma);
            let layer = builder.scope(format!("layer{i}"), |b| Linear::new(b, features, width));
            features = width;
            layer
        });
        Mlp { layers: layers.collect(), inputs, features }
    }
}

impl Body for Mlp {
    fn features(&self) -> i64 {
        self.features
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        Error::check_shape("inputs", &[-1, self.inputs], x)
    }

    /// `[B, I] -> [B, H]`
    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        self.layers.iter().fold(x.shallow_clone(), |x, layer| layer_norm(&layer.forward(weights, &x)).relu())
    }
}
