//! A small convolutional network for images of 32 by 32 pixels, for experiments with many runs: three 3 by 3 convolutions
//! with batch normalization and max-pooling.

use alrao_core::Error;
use alrao_core::layers::{Body, Conv2dSettings, ConvBn, scaled_width};
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::Tensor;

use super::blocks::{check_images, global_avg_pool};

/// Each convolution halves the image.
pub const MIN_IMAGE_SIZE: i64 = 1 << CHANNELS.len();

const CHANNELS: [i64; 3] = [32, 64, 128];

/// The small network without its output layer.
#[derive(Clone, Debug)]
pub struct SmallCnn {
    layers: Vec<ConvBn>,
    features: i64,
}

impl SmallCnn {
    /// Creates the network with width factor `gamma`; it has 128 features at width 1.
    pub fn new(builder: &mut ParameterBuilder, gamma: f64) -> Self {
        let mut inputs = 3;
        let layers = (1..).zip(CHANNELS).map(|(i, channels)| {
            let outputs = scaled_width(channels, gamma);
            let names = ["conv", "norm"];
            let make = |b: &mut ParameterBuilder| {
                ConvBn::new(b, names, inputs, outputs, 3, Conv2dSettings::same_padding(3, 1))
            };
            let layer = builder.scope(format!("layer{i}"), make);
            inputs = outputs;
            layer
        });
        let layers = layers.collect();
        SmallCnn { layers, features: inputs }
    }
}

impl Body for SmallCnn {
    fn features(&self) -> i64 {
        self.features
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        check_images(x, MIN_IMAGE_SIZE)
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let block = |x: Tensor, layer: &ConvBn| layer.forward(weights, &x).max_pool2d_default(2);
        global_avg_pool(&self.layers.iter().fold(x.shallow_clone(), block))
    }
}
