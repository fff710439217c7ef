//! Multilayer perceptron, the default body of Q-networks: linear layers, each with layer normalization and a ReLU, whose
//! output is then brought to mean 0 and standard deviation 1 by constants.
//!
//! The backward pass is written by hand: for a Q-network's small layers, autograd's overhead exceeds their arithmetic.

use tch::Tensor;

use super::layer_norm::{Normalized, layer_norm_relu, layer_norm_relu_backward};
use super::relu::{ReluStats, relu_backward, relu_in_place};
use super::{Backward, Body, Linear, Module, scaled_width};
use crate::Error;
use crate::parameters::{ParameterBuilder, Weights};

/// What is taken out of the ReLUs after layer normalization.
const STATS: ReluStats = ReluStats::OF_NORMAL;

/// Multilayer perceptron, `z = f(W_n .. f(W_1 x + b_1) .. + b_n)`, where `f(y) = (relu(norm(y)) - mean) / std`, or
/// `relu(y)` without layer normalization.
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
    inputs: i64,
    features: i64,
    layer_norm: bool,
}

/// Values of a layer's forward pass that its backward pass needs.
struct SavedForBackward {
    x: Tensor,
    normal: Option<Normalized>,
}

impl Mlp {
    /// Creates an MLP of `inputs` inputs with hidden layers of the given `widths`, each scaled by `width_factor`. Its
    /// features are the last hidden layer.
    pub fn new(builder: &mut ParameterBuilder, inputs: i64, widths: &[i64], width_factor: f64) -> Self {
        let mut features = inputs;
        let layers = widths.iter().enumerate().map(|(i, &width)| {
            let width = scaled_width(width, width_factor);
            let layer = builder.scope(format!("layer{i}"), |b| Linear::new(b, features, width));
            features = width;
            layer
        });
        Mlp { layers: layers.collect(), inputs, features, layer_norm: true }
    }

    /// Turns layer normalization on or off; it is on by default.
    pub fn with_layer_norm(self, layer_norm: bool) -> Self {
        Mlp { layer_norm, ..self }
    }
}

impl Body for Mlp {
    fn features(&self) -> i64 {
        self.features
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        Error::check_shape("inputs", &[-1, self.inputs], x)
    }

    /// Computes the features, `[B, I] -> [B, H]`.
    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        self.layers.iter().fold(x.shallow_clone(), |x, layer| {
            let mut y = layer.forward(weights, &x);
            if self.layer_norm {
                return layer_norm_relu(y, Some(STATS)).0;
            }
            relu_in_place(&mut y);
            y
        })
    }

    fn forward_with_backward(&self, weights: &Weights, x: &Tensor) -> Option<(Tensor, Backward)> {
        let mut saved = Vec::with_capacity(self.layers.len());
        let mut z = x.shallow_clone();
        for layer in &self.layers {
            let x = z;
            let mut y = layer.forward(weights, &x);
            let normal;
            (z, normal) = if self.layer_norm {
                let (z, normal) = layer_norm_relu(y, Some(STATS));
                (z, Some(normal))
            } else {
                relu_in_place(&mut y);
                (y, None)
            };
            saved.push(SavedForBackward { x, normal });
        }
        let (layers, weights, features) = (self.layers.clone(), weights.shallow_clone(), z.shallow_clone());
        let backward = move |gradient: Tensor, grads: &Weights| {
            let rows = gradient.size()[0];
            let first = |x: &Tensor| x.narrow(0, 0, rows);
            let (mut gradient, mut z) = (gradient, first(&features));
            for (i, (layer, saved)) in layers.iter().zip(&saved).enumerate().rev() {
                match &saved.normal {
                    Some(normal) => layer_norm_relu_backward(&mut gradient, &normal.first(rows), Some(STATS)),
                    None => relu_backward(&mut gradient, &z),
                }
                let x = first(&saved.x);
                layer.backward(grads, &x, &gradient);
                if i > 0 {
                    gradient = layer.input_gradient(&weights, &gradient);
                    z = x;
                }
            }
        };
        Some((z, Box::new(backward)))
    }

    fn same_in_train_and_eval(&self) -> bool {
        true
    }

    fn modules(&self, weights: &Weights) -> Option<Vec<Module>> {
        let of_layer = |layer: &Linear| {
            let width = layer.outputs(weights);
            let norm = self.layer_norm.then(|| Module::LayerNorm(vec![width]));
            let stats = self.layer_norm.then(|| STATS.module(width));
            [Some(layer.module(weights)), norm, Some(Module::ReLU), stats].into_iter().flatten()
        };
        Some(self.layers.iter().flat_map(of_layer).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::{assert_close, build, numbers};

    #[test]
    fn the_backward_pass_matches_autograd() {
        for layer_norm in [true, false] {
            let (mlp, parameters) = build(|b| Mlp::new(b, 3, &[7, 5, 4], 1.0).with_layer_norm(layer_norm));
            let (x, gradient) = (numbers(&[6, 3]), numbers(&[24]).view([6, 4]).cos());
            let (leaf, weights) = parameters.leaf();
            let expected = mlp.forward(&weights, &x);
            let loss = (&expected * &gradient).sum(None::<tch::Kind>);
            let by_autograd = Tensor::run_backward(&[loss], &[leaf], false, false).remove(0);

            let (z, backward) = mlp.forward_with_backward(parameters.weights(), &x).unwrap();
            assert_close(&z, &expected.detach(), 1e-6);
            let (flat, of) = parameters.grad_buffer();
            backward(gradient.copy(), &of);
            assert_close(&flat, &by_autograd, 1e-5);

            let (_, of_more) =
                mlp.forward_with_backward(parameters.weights(), &Tensor::cat(&[&x, &(&x * 2.0)], 0)).unwrap();
            let _ = flat.shallow_clone().zero_();
            of_more(gradient, &of);
            assert_close(&flat, &by_autograd, 1e-5);
        }
    }
}
