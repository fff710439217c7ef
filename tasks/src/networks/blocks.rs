//! Building blocks shared by several networks.

use alrao_core::Error;
use alrao_core::layers::{BatchNorm, Conv2d, Conv2dSettings};
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::Tensor;

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

/// Creates a convolution without bias, with an odd kernel and same padding.
pub fn same_padding(kernel: i64, stride: i64) -> Conv2dSettings {
    Conv2dSettings { stride, padding: kernel / 2, bias: false, ..Default::default() }
}

/// Max-pools 3 by 3 pixels with stride 2: `[B, C, S, S] -> [B, C, S/2, S/2]`, rounded up.
pub fn overlapping_max_pool(x: &Tensor) -> Tensor {
    x.max_pool2d([3; 2], [2; 2], [1; 2], [1; 2], false)
}

/// Averages each channel (global average pooling), `[B, C, height, width] -> [B, C]`.
pub fn global_avg_pool(x: &Tensor) -> Tensor {
    x.adaptive_avg_pool2d([1, 1]).flatten(1, -1)
}

/// Checks that `x` is a batch of RGB images of at least `smallest` pixels.
pub fn check_images(x: &Tensor, smallest: i64) -> Result<(), Error> {
    Error::check_shape("images", &[-1, 3, -1, -1], x)?;
    let (height, width) = (x.size()[2], x.size()[3]);
    if height.min(width) < smallest {
        return Err(Error::ImageSize { least: smallest, height, width });
    }
    Ok(())
}
