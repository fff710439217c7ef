//! AlexNet (Krizhevsky et al., 2012, "ImageNet Classification with Deep Convolutional Neural Networks") with the widths
//! of Krizhevsky, 2014, "One weird trick for parallelizing convolutional neural networks", as in torchvision: five
//! convolutions and two hidden layers with dropout, without normalization.
//!
//! Layers have torchvision's names.

use alrao_core::Error;
use alrao_core::layers::{Body, Conv2d, Conv2dSettings, Linear, scaled_width};
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::Tensor;

use super::blocks::check_images;

/// The first convolution maps 63 pixels to 15, and each pool needs 3: 15, 7, 3, 1.
pub const MIN_IMAGE_SIZE: i64 = 63;

const HIDDEN: i64 = 4096;
const DROPOUT: f64 = 0.5;
/// The side length of the hidden layers' input, for any image size.
const SIDE: i64 = 6;

/// Name, channels, kernel size, stride and padding of each convolution, and whether a pool follows.
const CONVOLUTIONS: [(&str, i64, i64, i64, i64, bool); 5] = [
    ("features.0", 64, 11, 4, 2, true),
    ("features.3", 192, 5, 1, 2, true),
    ("features.6", 384, 3, 1, 1, false),
    ("features.8", 256, 3, 1, 1, false),
    ("features.10", 256, 3, 1, 1, true),
];

/// AlexNet without its output layer.
#[derive(Clone, Debug)]
pub struct AlexNet {
    convolutions: Vec<Conv2d>,
    hidden: [Linear; 2],
    features: i64,
}

impl AlexNet {
    /// Creates the network with width factor `gamma`; it has 4096 features at width 1.
    pub fn new(builder: &mut ParameterBuilder, gamma: f64) -> Self {
        let mut inputs = 3;
        let convolutions = CONVOLUTIONS.map(|(name, channels, kernel, stride, padding, _)| {
            let outputs = scaled_width(channels, gamma);
            let settings = Conv2dSettings { stride, padding, ..Default::default() };
            let layer = builder.scope(name, |b| Conv2d::new(b, inputs, outputs, kernel, settings));
            inputs = outputs;
            layer
        });
        let features = scaled_width(HIDDEN, gamma);
        let hidden = [
            builder.scope("classifier.1", |b| Linear::new(b, inputs * SIDE * SIDE, features)),
            builder.scope("classifier.4", |b| Linear::new(b, features, features)),
        ];
        AlexNet { convolutions: convolutions.into(), hidden, features }
    }
}

impl Body for AlexNet {
    fn features(&self) -> i64 {
        self.features
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        check_images(x, MIN_IMAGE_SIZE)
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let mut x = x.shallow_clone();
        for (layer, (.., pooled)) in self.convolutions.iter().zip(CONVOLUTIONS) {
            x = layer.forward(weights, &x).relu_();
            if pooled {
                x = x.max_pool2d([3; 2], [2; 2], [0; 2], [1; 2], false);
            }
        }
        let x = x.adaptive_avg_pool2d([SIDE; 2]).flatten(1, -1);
        self.hidden.iter().fold(x, |x, layer| layer.forward(weights, &x.dropout(DROPOUT, weights.training())).relu_())
    }
}
