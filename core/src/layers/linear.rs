//! `y = x W^T + b`, with `W: [O, I]` and `b: [O]`. Its units are its O outputs: a row of W and its bias share a rate.

use tch::Tensor;

use crate::matmul::{linear, matmul, matmul_into};
use crate::parameters::{Init, ParameterBuilder, ParameterId, Weights};
use crate::slices::column_sums_into;

/// A fully connected layer.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: ParameterId,
    bias: ParameterId,
}

impl Linear {
    /// A layer with initial values uniform in `+-1/sqrt(inputs)`, as PyTorch has them.
    pub fn new(builder: &mut ParameterBuilder, inputs: i64, outputs: i64) -> Self {
        let bound = (inputs as f64).powf(-0.5);
        let weight = builder.add("weight", &[outputs, inputs], Init::Uniform(bound));
        let bias = builder.add("bias", &[outputs], Init::Uniform(bound));
        builder.add_units(outputs, &[(weight, inputs), (bias, 1)]);
        Linear { weight, bias }
    }

    /// `[B, I] -> [B, O]`, computed in the kind of numbers that `x` has.
    pub fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let (weight, bias, kind) = (&weights[self.weight], &weights[self.bias], x.kind());
        if weight.kind() == kind {
            return linear(x, weight, bias);
        }
        linear(x, &weight.to_kind(kind), &bias.to_kind(kind))
    }

    /// Writes the gradients with respect to weight and bias on those `of` parameters, from an input, `[B, I]`, and the
    /// gradient with respect to its output, `[B, O]`.
    pub(super) fn backward(&self, of: &Weights, x: &Tensor, gradient: &Tensor) {
        matmul_into(&gradient.tr(), x, &of[self.weight]);
        column_sums_into(gradient, &of[self.bias]);
    }

    /// The gradient with respect to the input, `[B, I]`, from that with respect to the output, `[B, O]`.
    pub(super) fn input_gradient(&self, weights: &Weights, gradient: &Tensor) -> Tensor {
        matmul(gradient, &weights[self.weight])
    }
}
