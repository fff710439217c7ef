//! Convolution with batch normalization, the block of most convolutional networks: `relu(norm(conv(x)))`.

use tch::Tensor;

use super::{BatchNorm, Conv2d, Conv2dSettings};
use crate::parameters::{ParameterBuilder, Weights};

/// A convolution with batch normalization.
#[derive(Clone, Debug)]
pub struct ConvBn {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvBn {
    /// Creates a convolution and a batch normalization with these names.
    pub fn new(
        builder: &mut ParameterBuilder,
        [conv, norm]: [&str; 2],
        inputs: i64,
        outputs: i64,
        kernel: i64,
        settings: Conv2dSettings,
    ) -> Self {
        ConvBn {
            conv: builder.scope(conv, |b| Conv2d::new(b, inputs, outputs, kernel, settings)),
            norm: builder.scope(norm, |b| BatchNorm::new(b, outputs)),
        }
    }

    /// Computes `relu(norm(conv(x)))`, `[B, I, height, width] -> [B, O, height', width']`.
    pub fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        self.linear(weights, x).relu_()
    }

    /// Computes `norm(conv(x))`.
    pub fn linear(&self, weights: &Weights, x: &Tensor) -> Tensor {
        self.norm.forward(weights, &self.conv.forward(weights, x))
    }
}
