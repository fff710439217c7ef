//! The multilayer perceptron that Q-networks stand on: linear layers, each normalised and rectified.
//!
//! A Q-network's layers are so small that autograd's bookkeeping takes longer than their arithmetic, so the derivative is
//! written out.

use tch::Tensor;

use super::layer_norm::{Normal, normalise_and_rectify, normalise_and_rectify_backward};
use super::rectify::{rectify, rectify_backward};
use super::{Backward, Body, Linear, widened};
use crate::Error;
use crate::parameters::{ParameterBuilder, Weights};

/// `z = relu(norm(W_n .. relu(norm(W_1 x + b_1)) .. + b_n))`
#[derive(Clone, Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
    inputs: i64,
    features: i64,
    normalised: bool,
}

/// What the derivative of a layer needs to know of its forward pass.
struct Trace {
    x: Tensor,
    normal: Option<Normal>,
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
        Mlp { layers: layers.collect(), inputs, features, normalised: true }
    }

    /// The same, its layers normalised or not.
    pub fn normalised(self, normalised: bool) -> Self {
        Mlp { normalised, ..self }
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
        self.layers.iter().fold(x.shallow_clone(), |x, layer| {
            let mut y = layer.forward(weights, &x);
            if self.normalised {
                return normalise_and_rectify(y).0;
            }
            rectify(&mut y);
            y
        })
    }

    fn differentiate(&self, weights: &Weights, x: &Tensor) -> Option<(Tensor, Backward)> {
        let mut traces = Vec::with_capacity(self.layers.len());
        let mut z = x.shallow_clone();
        for layer in &self.layers {
            let x = z;
            let mut y = layer.forward(weights, &x);
            let normal;
            (z, normal) = if self.normalised {
                let (z, normal) = normalise_and_rectify(y);
                (z, Some(normal))
            } else {
                rectify(&mut y);
                (y, None)
            };
            traces.push(Trace { x, normal });
        }
        let (layers, weights, features) = (self.layers.clone(), weights.shallow_clone(), z.shallow_clone());
        let backward = move |gradient: Tensor, of: &Weights| {
            let rows = gradient.size()[0];
            let first = |x: &Tensor| x.narrow(0, 0, rows);
            let (mut gradient, mut z) = (gradient, first(&features));
            for (i, (layer, trace)) in layers.iter().zip(&traces).enumerate().rev() {
                match &trace.normal {
                    Some(normal) => normalise_and_rectify_backward(&mut gradient, &normal.first(rows)),
                    None => rectify_backward(&mut gradient, &z),
                }
                let x = first(&trace.x);
                layer.backward(of, &x, &gradient);
                if i > 0 {
                    gradient = layer.input_gradient(&weights, &gradient);
                    z = x;
                }
            }
        };
        Some((z, Box::new(backward)))
    }

    fn same_in_training(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::{assert_close, build, numbers};

    #[test]
    fn the_derivative_is_autograds() {
        for normalised in [true, false] {
            let (mlp, parameters) = build(|b| Mlp::new(b, 3, &[7, 5, 4], 1.0).normalised(normalised));
            let (x, gradient) = (numbers(&[6, 3]), numbers(&[24]).view([6, 4]).cos());
            let (leaf, weights) = parameters.leaf();
            let expected = mlp.forward(&weights, &x);
            let loss = (&expected * &gradient).sum(None::<tch::Kind>);
            let by_autograd = Tensor::run_backward(&[loss], &[leaf], false, false).remove(0);

            let (z, backward) = mlp.differentiate(parameters.weights(), &x).unwrap();
            assert_close(&z, &expected.detach(), 1e-6);
            let (flat, of) = parameters.gradient();
            backward(gradient.copy(), &of);
            assert_close(&flat, &by_autograd, 1e-5);

            let (_, of_more) = mlp.differentiate(parameters.weights(), &Tensor::cat(&[&x, &(&x * 2.0)], 0)).unwrap();
            let _ = flat.shallow_clone().zero_();
            of_more(gradient, &of);
            assert_close(&flat, &by_autograd, 1e-5);
        }
    }
}
