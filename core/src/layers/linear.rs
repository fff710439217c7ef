//! Linear layer: `y = x W^T + b`, with `W: [O, I]` and `b: [O]`. The units are its O outputs: a row of W and its bias
//! share a learning rate.

use tch::Tensor;

use super::Module;
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
    /// Creates a layer with initial values uniform in `+-1/sqrt(inputs)`, as in PyTorch.
    pub fn new(builder: &mut ParameterBuilder, inputs: i64, outputs: i64) -> Self {
        let bound = (inputs as f64).powf(-0.5);
        let weight = builder.add("weight", &[outputs, inputs], Init::Uniform(bound));
        let bias = builder.add("bias", &[outputs], Init::Uniform(bound));
        builder.add_units(outputs, &[(weight, inputs), (bias, 1)]);
        Linear { weight, bias }
    }

    /// Computes the outputs, `[B, I] -> [B, O]`, in the dtype of `x`.
    pub fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let (weight, bias, kind) = (&weights[self.weight], &weights[self.bias], x.kind());
        if weight.kind() == kind {
            return linear(x, weight, bias);
        }
        linear(x, &weight.to_kind(kind), &bias.to_kind(kind))
    }

    /// Describes the layer, for [`Body::modules`](super::Body::modules).
    pub fn module(&self, weights: &Weights) -> Module {
        Module::Linear { weight: weights[self.weight].shallow_clone(), bias: weights[self.bias].shallow_clone() }
    }

    /// Returns the number of outputs.
    pub(super) fn outputs(&self, weights: &Weights) -> i64 {
        weights[self.bias].numel() as i64
    }

    /// Writes the gradients with respect to weight and bias to `grads`, from the input, `[B, I]`, and the gradient with
    /// respect to the output, `[B, O]`.
    pub(super) fn backward(&self, grads: &Weights, x: &Tensor, gradient: &Tensor) {
        matmul_into(&gradient.tr(), x, &grads[self.weight]);
        column_sums_into(gradient, &grads[self.bias]);
    }

    /// Computes the gradient with respect to the input, `[B, I]`, from the gradient with respect to the output, `[B,
    /// O]`.
    pub(super) fn input_gradient(&self, weights: &Weights, gradient: &Tensor) -> Tensor {
        matmul(gradient, &weights[self.weight])
    }
}
