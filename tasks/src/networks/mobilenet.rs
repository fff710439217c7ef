//! MobileNet (Howard et al., 2017, "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
//! Applications"): depthwise separable convolutions.
//!
//! For images of 32 by 32 pixels the first convolution has stride 1, so that the last has 2 by 2 pixels.

use alrao_core::Error;
use alrao_core::layers::{Body, Conv2dSettings, ConvBn, scaled_width};
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::Tensor;

use super::blocks::{check_images, global_avg_pool};

/// All layers have same padding.
pub const MIN_IMAGE_SIZE: i64 = 1;

const STEM: i64 = 32;

/// Channels and stride of each block.
const BLOCKS: [(i64, i64); 13] = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];

/// MobileNet without its output layer.
#[derive(Clone, Debug)]
pub struct MobileNet {
    layers: Vec<ConvBn>,
    features: i64,
}

impl MobileNet {
    /// Creates the network with width factor `gamma`; it has 1024 features at width 1.
    pub fn new(builder: &mut ParameterBuilder, gamma: f64) -> Self {
        let mut inputs = scaled_width(STEM, gamma);
        let stem = builder
            .scope("stem", |b| ConvBn::new(b, ["conv", "norm"], 3, inputs, 3, Conv2dSettings::same_padding(3, 1)));
        let mut layers = vec![stem];
        for (i, (outputs, stride)) in (1..).zip(BLOCKS) {
            let outputs = scaled_width(outputs, gamma);
            builder.scope(format!("block{i}"), |b| {
                let by_channel = Conv2dSettings { groups: inputs, ..Conv2dSettings::same_padding(3, stride) };
                layers.push(ConvBn::new(b, ["depthwise", "norm1"], inputs, inputs, 3, by_channel));
                layers.push(ConvBn::new(
                    b,
                    ["pointwise", "norm2"],
                    inputs,
                    outputs,
                    1,
                    Conv2dSettings::same_padding(1, 1),
                ));
            });
            inputs = outputs;
        }
        MobileNet { layers, features: inputs }
    }
}

impl Body for MobileNet {
    fn features(&self) -> i64 {
        self.features
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        check_images(x, MIN_IMAGE_SIZE)
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let x = self.layers.iter().fold(x.shallow_clone(), |x, layer| layer.forward(weights, &x));
        global_avg_pool(&x)
    }
}
