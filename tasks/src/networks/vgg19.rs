//! VGG19 (Simonyan and Zisserman, 2015, "Very Deep Convolutional Networks for Large-Scale Image Recognition"): sixteen
//! convolutions of 3 by 3 pixels.
//!
//! This is the usual variant for CIFAR-10's images of 32 by 32 pixels, which five pools reduce to one: batch normalization
//! after each convolution, and no hidden layers before the output layer.

use alrao_core::Error;
use alrao_core::layers::{Body, Conv2dSettings, ConvBn, scaled_width};
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::Tensor;

use super::blocks::{check_images, global_avg_pool};

/// Each stage halves the image size.
pub const MIN_IMAGE_SIZE: i64 = 1 << STAGES.len();

/// Channels and number of convolutions of each stage.
const STAGES: [(i64, usize); 5] = [(64, 2), (128, 2), (256, 4), (512, 4), (512, 4)];

/// VGG19 without its output layer.
#[derive(Clone, Debug)]
pub struct Vgg19 {
    stages: Vec<Vec<ConvBn>>,
    features: i64,
}

impl Vgg19 {
    /// Creates the network with width factor `gamma`; it has 512 features at width 1.
    pub fn new(builder: &mut ParameterBuilder, gamma: f64) -> Self {
        let settings = Conv2dSettings { bias: true, ..Conv2dSettings::same_padding(3, 1) };
        let mut inputs = 3;
        let mut stages = Vec::new();
        for (i, (channels, count)) in (1..).zip(STAGES) {
            let outputs = scaled_width(channels, gamma);
            stages.push(builder.scope(format!("stage{i}"), |b| {
                let layer = |j| {
                    let names = ["conv", "norm"];
                    let layer = b.scope(format!("layer{j}"), |b| ConvBn::new(b, names, inputs, outputs, 3, settings));
                    inputs = outputs;
                    layer
                };
                (1..=count).map(layer).collect()
            }));
        }
        Vgg19 { stages, features: inputs }
    }
}

impl Body for Vgg19 {
    fn features(&self) -> i64 {
        self.features
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        check_images(x, MIN_IMAGE_SIZE)
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let stage = |x: Tensor, layers: &Vec<ConvBn>| {
            layers.iter().fold(x, |x, layer| layer.forward(weights, &x)).max_pool2d_default(2)
        };
        global_avg_pool(&self.stages.iter().fold(x.shallow_clone(), stage))
    }
}
