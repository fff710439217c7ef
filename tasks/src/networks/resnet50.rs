//! ResNet50 (He et al., 2016, "Deep Residual Learning for Image Recognition"), as in torchvision: bottleneck blocks of
//! three convolutions, with the stride in the 3 by 3 convolution.
//!
//! Layers have torchvision's names.

use alrao_core::Error;
use alrao_core::layers::{Body, Conv2dSettings, ConvBn, FilterInit, scaled_width};
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::Tensor;

use super::blocks::{check_images, global_avg_pool, overlapping_max_pool};

/// All layers have same padding.
pub const MIN_IMAGE_SIZE: i64 = 1;

const STEM: i64 = 64;
/// A block's output channels, in multiples of its bottleneck's channels.
const EXPANSION: i64 = 4;
/// The bottleneck's channels, number of blocks, and stride of the first block.
const STAGES: [(i64, usize, i64); 4] = [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)];

/// ResNet50 without its output layer.
#[derive(Clone, Debug)]
pub struct ResNet50 {
    stem: ConvBn,
    blocks: Vec<Bottleneck>,
    features: i64,
}

#[derive(Clone, Debug)]
struct Bottleneck {
    layers: [ConvBn; 3],
    /// converts the inputs to the outputs' shape
    downsample: Option<ConvBn>,
}

impl ResNet50 {
    /// Creates the network with width factor `gamma`; it has 2048 features at width 1.
    pub fn new(builder: &mut ParameterBuilder, gamma: f64) -> Self {
        let mut inputs = scaled_width(STEM, gamma);
        let stem = ConvBn::new(builder, ["conv1", "bn1"], 3, inputs, 7, settings(7, 2));
        let mut blocks = Vec::new();
        for (stage, (channels, count, first_stride)) in (1..).zip(STAGES) {
            let within = scaled_width(channels, gamma);
            for i in 0..count {
                let stride = if i == 0 { first_stride } else { 1 };
                let name = format!("layer{stage}.{i}");
                blocks.push(builder.scope(name, |b| Bottleneck::new(b, inputs, within, stride)));
                inputs = EXPANSION * within;
            }
        }
        ResNet50 { stem, blocks, features: inputs }
    }
}

impl Bottleneck {
    fn new(b: &mut ParameterBuilder, inputs: i64, within: i64, stride: i64) -> Self {
        let outputs = EXPANSION * within;
        let layers = [
            ConvBn::new(b, ["conv1", "bn1"], inputs, within, 1, settings(1, 1)),
            ConvBn::new(b, ["conv2", "bn2"], within, within, 3, settings(3, stride)),
            ConvBn::new(b, ["conv3", "bn3"], within, outputs, 1, settings(1, 1)),
        ];
        let downsample = (stride != 1 || inputs != outputs)
            .then(|| ConvBn::new(b, ["downsample.0", "downsample.1"], inputs, outputs, 1, settings(1, stride)));
        Bottleneck { layers, downsample }
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let [first, second, third] = &self.layers;
        let mut y = third.linear(weights, &second.forward(weights, &first.forward(weights, x)));
        let mut sum = match &self.downsample {
            Some(layer) => y.g_add_(&layer.linear(weights, x)),
            None => y.g_add_(x),
        };
        sum.relu_()
    }
}

fn settings(kernel: i64, stride: i64) -> Conv2dSettings {
    Conv2dSettings { init: FilterInit::KaimingNormalFanOut, ..Conv2dSettings::same_padding(kernel, stride) }
}

impl Body for ResNet50 {
    fn features(&self) -> i64 {
        self.features
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        check_images(x, MIN_IMAGE_SIZE)
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let x = overlapping_max_pool(&self.stem.forward(weights, x));
        global_avg_pool(&self.blocks.iter().fold(x, |x, block| block.forward(weights, &x)))
    }
}
