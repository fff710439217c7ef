//! MobileNetV2 (Sandler et al., 2018, "MobileNetV2: Inverted Residuals and Linear Bottlenecks").
//!
//! This is the variant for images of 32 by 32 pixels that the paper's authors trained: the first two strides are 1, so
//! that the last layer has 4 by 4 pixels; blocks with stride 1 that change the number of channels have a convolutional
//! shortcut; the first block has an expansion layer, too, with factor 1.

use alrao_core::Error;
use alrao_core::layers::{Body, Conv2dSettings, ConvBn, scaled_width};
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::Tensor;

use super::blocks::{check_images, global_avg_pool};

/// All layers have same padding.
pub const MIN_IMAGE_SIZE: i64 = 1;

const STEM: i64 = 32;
const LAST: i64 = 1280;

/// Expansion factor, channels, number of blocks, and stride of the first block.
const STAGES: [(i64, i64, usize, i64); 7] =
    [(1, 16, 1, 1), (6, 24, 2, 1), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];

/// MobileNetV2 without its output layer.
#[derive(Clone, Debug)]
pub struct MobileNetV2 {
    stem: ConvBn,
    blocks: Vec<Block>,
    last: ConvBn,
    features: i64,
}

#[derive(Clone, Debug)]
struct Block {
    expand: ConvBn,
    depthwise: ConvBn,
    project: ConvBn,
    shortcut: Shortcut,
}

/// The shortcut of a block.
#[derive(Clone, Debug)]
enum Shortcut {
    None,
    Identity,
    Convolution(ConvBn),
}

impl MobileNetV2 {
    /// Creates the network with width factor `gamma`; it has 1280 features at width 1.
    pub fn new(builder: &mut ParameterBuilder, gamma: f64) -> Self {
        let mut inputs = scaled_width(STEM, gamma);
        let stem = builder
            .scope("stem", |b| ConvBn::new(b, ["conv", "norm"], 3, inputs, 3, Conv2dSettings::same_padding(3, 1)));
        let mut blocks = Vec::new();
        for (expansion, outputs, count, first_stride) in STAGES {
            let outputs = scaled_width(outputs, gamma);
            for i in 0..count {
                let stride = if i == 0 { first_stride } else { 1 };
                let name = format!("block{}", blocks.len() + 1);
                blocks.push(builder.scope(name, |b| Block::new(b, inputs, expansion, outputs, stride)));
                inputs = outputs;
            }
        }
        let features = scaled_width(LAST, gamma);
        let last = builder.scope("last", |b| {
            ConvBn::new(b, ["conv", "norm"], inputs, features, 1, Conv2dSettings::same_padding(1, 1))
        });
        MobileNetV2 { stem, blocks, last, features }
    }
}

impl Block {
    fn new(b: &mut ParameterBuilder, inputs: i64, expansion: i64, outputs: i64, stride: i64) -> Self {
        let many = expansion * inputs;
        let by_channel = Conv2dSettings { groups: many, ..Conv2dSettings::same_padding(3, stride) };
        Block {
            expand: ConvBn::new(b, ["expand", "norm1"], inputs, many, 1, Conv2dSettings::same_padding(1, 1)),
            depthwise: ConvBn::new(b, ["depthwise", "norm2"], many, many, 3, by_channel),
            project: ConvBn::new(b, ["project", "norm3"], many, outputs, 1, Conv2dSettings::same_padding(1, 1)),
            shortcut: match stride {
                1 if inputs == outputs => Shortcut::Identity,
                1 => {
                    let names = ["shortcut", "shortcut_norm"];
                    Shortcut::Convolution(ConvBn::new(b, names, inputs, outputs, 1, Conv2dSettings::same_padding(1, 1)))
                }
                _ => Shortcut::None,
            },
        }
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let many = self.depthwise.forward(weights, &self.expand.forward(weights, x));
        let mut y = self.project.linear(weights, &many);
        match &self.shortcut {
            Shortcut::None => y,
            Shortcut::Identity => y.g_add_(x),
            Shortcut::Convolution(layer) => y.g_add_(&layer.linear(weights, x)),
        }
    }
}

impl Body for MobileNetV2 {
    fn features(&self) -> i64 {
        self.features
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        check_images(x, MIN_IMAGE_SIZE)
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let x = self.blocks.iter().fold(self.stem.forward(weights, x), |x, block| block.forward(weights, &x));
        global_avg_pool(&self.last.forward(weights, &x))
    }
}
