//! DenseNet121 (Huang et al., 2017, "Densely Connected Convolutional Networks"), as in torchvision: the input of each layer
//! is the concatenation of all earlier layers' outputs in its block.
//!
//! Layers have torchvision's names.

use alrao_core::Error;
use alrao_core::layers::{BatchNorm, Body, Conv2d, Conv2dSettings, ConvBn, FilterInit, scaled_width};
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::Tensor;

use super::blocks::{check_images, global_avg_pool, overlapping_max_pool};

/// The stem divides the size by 4, rounded up; three transitions by 2, rounded down.
pub const MIN_IMAGE_SIZE: i64 = 29;

const STEM: i64 = 64;
/// The growth rate: channels that each layer adds.
const GROWTH: i64 = 32;
/// The bottleneck's channels, in multiples of the growth rate.
const BOTTLENECK: i64 = 4;
/// The number of layers of each block.
const BLOCKS: [usize; 4] = [6, 12, 24, 16];

/// DenseNet121 without its output layer.
#[derive(Clone, Debug)]
pub struct DenseNet121 {
    stem: ConvBn,
    blocks: Vec<Vec<Dense>>,
    transitions: Vec<Transition>,
    last: BatchNorm,
    features: i64,
}

/// A dense layer.
#[derive(Clone, Debug)]
struct Dense {
    norm1: BatchNorm,
    conv1: Conv2d,
    norm2: BatchNorm,
    conv2: Conv2d,
}

/// A transition between two blocks, which halves the channels and the image size.
#[derive(Clone, Debug)]
struct Transition {
    norm: BatchNorm,
    conv: Conv2d,
}

impl DenseNet121 {
    /// Creates the network with width factor `gamma`; it has 1024 features at width 1.
    pub fn new(builder: &mut ParameterBuilder, gamma: f64) -> Self {
        let growth = scaled_width(GROWTH, gamma);
        builder.scope("features", |b| {
            let mut channels = scaled_width(STEM, gamma);
            let stem = ConvBn::new(b, ["conv0", "norm0"], 3, channels, 7, settings(7, 2));
            let (mut blocks, mut transitions) = (Vec::new(), Vec::new());
            for (i, layers) in (1..).zip(BLOCKS) {
                if i > 1 {
                    let name = format!("transition{}", i - 1);
                    transitions.push(b.scope(name, |b| Transition::new(b, channels)));
                    channels /= 2;
                }
                blocks.push(b.scope(format!("denseblock{i}"), |b| {
                    let layer = |j| {
                        let layer = b.scope(format!("denselayer{j}"), |b| Dense::new(b, channels, growth));
                        channels += growth;
                        layer
                    };
                    (1..=layers).map(layer).collect()
                }));
            }
            let last = b.scope("norm5", |b| BatchNorm::new(b, channels));
            DenseNet121 { stem, blocks, transitions, last, features: channels }
        })
    }
}

impl Dense {
    fn new(b: &mut ParameterBuilder, inputs: i64, growth: i64) -> Self {
        let within = BOTTLENECK * growth;
        Dense {
            norm1: b.scope("norm1", |b| BatchNorm::new(b, inputs)),
            conv1: b.scope("conv1", |b| Conv2d::new(b, inputs, within, 1, settings(1, 1))),
            norm2: b.scope("norm2", |b| BatchNorm::new(b, within)),
            conv2: b.scope("conv2", |b| Conv2d::new(b, within, growth, 3, settings(3, 1))),
        }
    }

    /// Computes `[B, C, height, width] -> [B, C + growth, height, width]`.
    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let within = self.conv1.forward(weights, &bn_relu(&self.norm1, weights, x));
        let added = self.conv2.forward(weights, &bn_relu(&self.norm2, weights, &within));
        Tensor::cat(&[x, &added], 1)
    }
}

impl Transition {
    fn new(b: &mut ParameterBuilder, inputs: i64) -> Self {
        Transition {
            norm: b.scope("norm", |b| BatchNorm::new(b, inputs)),
            conv: b.scope("conv", |b| Conv2d::new(b, inputs, inputs / 2, 1, settings(1, 1))),
        }
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        avg_pool(&self.conv.forward(weights, &bn_relu(&self.norm, weights, x)))
    }
}

/// Averages 2 by 2 pixels, `[B, C, height, width] -> [B, C, height/2, width/2]`. (tch's `avg_pool2d_default` returns their
/// sum.)
fn avg_pool(x: &Tensor) -> Tensor {
    x.avg_pool2d([2; 2], [2; 2], [0; 2], false, true, None)
}

/// Computes `relu(norm(x))`.
fn bn_relu(norm: &BatchNorm, weights: &Weights, x: &Tensor) -> Tensor {
    norm.forward(weights, x).relu_()
}

fn settings(kernel: i64, stride: i64) -> Conv2dSettings {
    Conv2dSettings { init: FilterInit::KaimingNormalFanIn, ..Conv2dSettings::same_padding(kernel, stride) }
}

impl Body for DenseNet121 {
    fn features(&self) -> i64 {
        self.features
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        check_images(x, MIN_IMAGE_SIZE)
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let mut x = overlapping_max_pool(&self.stem.forward(weights, x));
        for (i, block) in self.blocks.iter().enumerate() {
            if i > 0 {
                x = self.transitions[i - 1].forward(weights, &x);
            }
            x = block.iter().fold(x, |x, layer| layer.forward(weights, &x));
        }
        global_avg_pool(&bn_relu(&self.last, weights, &x))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    #[test]
    fn avg_pool_averages_four_pixels() {
        let x = Tensor::arange(10, (Kind::Float, Device::Cpu)).view([1, 1, 2, 5]);
        assert_eq!(avg_pool(&x).view([-1]), Tensor::from_slice(&[3.0f32, 5.0])); // of 0, 1, 5, 6 and of 2, 3, 7, 8
    }
}
