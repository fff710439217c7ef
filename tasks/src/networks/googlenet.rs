//! GoogLeNet (Szegedy et al., 2015, "Going Deeper with Convolutions"): Inception blocks of four parallel branches.
//!
//! This is the usual variant for CIFAR-10's images of 32 by 32 pixels: a 3x3 convolution before the blocks, batch
//! normalization after each convolution, two 3x3 convolutions instead of a 5x5 convolution, no auxiliary outputs and no
//! dropout.

use alrao_core::Error;
use alrao_core::layers::{Body, Conv2dSettings, ConvBn, scaled_width};
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::Tensor;

use super::blocks::{check_images, global_avg_pool, overlapping_max_pool};

/// All layers have same padding.
pub const MIN_IMAGE_SIZE: i64 = 1;

const STEM: i64 = 192;

/// The name and channels of each block, by stage; a pool halves the image size between stages.
const STAGES: [&[(&str, Channels)]; 3] = [
    &[("3a", [64, 96, 128, 16, 32, 32]), ("3b", [128, 128, 192, 32, 96, 64])],
    &[
        ("4a", [192, 96, 208, 16, 48, 64]),
        ("4b", [160, 112, 224, 24, 64, 64]),
        ("4c", [128, 128, 256, 24, 64, 64]),
        ("4d", [112, 144, 288, 32, 64, 64]),
        ("4e", [256, 160, 320, 32, 128, 128]),
    ],
    &[("5a", [256, 160, 320, 32, 128, 128]), ("5b", [384, 192, 384, 48, 128, 128])],
];

/// The channels of the branches: 1x1; 3x3, reduced and full; 5x5, reduced and full; pool.
type Channels = [i64; 6];

/// GoogLeNet without its output layer.
#[derive(Clone, Debug)]
pub struct GoogLeNet {
    stem: ConvBn,
    stages: Vec<Vec<Inception>>,
    features: i64,
}

/// An Inception block of four parallel branches.
#[derive(Clone, Debug)]
struct Inception {
    pixel: ConvBn,
    three: [ConvBn; 2],
    five: [ConvBn; 3],
    pool: ConvBn,
}

impl GoogLeNet {
    /// Creates the network with width factor `gamma`; it has 1024 features at width 1.
    pub fn new(builder: &mut ParameterBuilder, gamma: f64) -> Self {
        let mut inputs = scaled_width(STEM, gamma);
        let stem = builder.scope("stem", |b| convolution(b, 3, inputs, 3));
        let mut block = |&(name, channels): &(&str, Channels)| {
            let [pixel, before_three, three, before_five, five, pool] = channels.map(|n| scaled_width(n, gamma));
            let channels = [pixel, before_three, three, before_five, five, pool];
            let block = builder.scope(format!("inception{name}"), |b| Inception::new(b, inputs, channels));
            inputs = pixel + three + five + pool;
            block
        };
        let stages = STAGES.map(|stage| stage.iter().map(&mut block).collect()).into();
        GoogLeNet { stem, stages, features: inputs }
    }
}

impl Inception {
    fn new(b: &mut ParameterBuilder, inputs: i64, channels: Channels) -> Self {
        let [pixel, before_three, three, before_five, five, pool] = channels;
        let mut layer =
            |name: &str, inputs, outputs, kernel| b.scope(name, |b| convolution(b, inputs, outputs, kernel));
        Inception {
            pixel: layer("pixel", inputs, pixel, 1),
            three: [layer("three1", inputs, before_three, 1), layer("three2", before_three, three, 3)],
            five: [
                layer("five1", inputs, before_five, 1),
                layer("five2", before_five, five, 3),
                layer("five3", five, five, 3),
            ],
            pool: layer("pool", inputs, pool, 1),
        }
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let along = |branch: &[ConvBn]| branch.iter().fold(x.shallow_clone(), |x, layer| layer.forward(weights, &x));
        let pooled = x.max_pool2d([3; 2], [1; 2], [1; 2], [1; 2], false);
        let branches = [
            self.pixel.forward(weights, x),
            along(&self.three),
            along(&self.five),
            self.pool.forward(weights, &pooled),
        ];
        Tensor::cat(&branches, 1)
    }
}

fn convolution(b: &mut ParameterBuilder, inputs: i64, outputs: i64, kernel: i64) -> ConvBn {
    ConvBn::new(
        b,
        ["conv", "norm"],
        inputs,
        outputs,
        kernel,
        Conv2dSettings { bias: true, ..Conv2dSettings::same_padding(kernel, 1) },
    )
}

impl Body for GoogLeNet {
    fn features(&self) -> i64 {
        self.features
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        check_images(x, MIN_IMAGE_SIZE)
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let mut x = self.stem.forward(weights, x);
        for (i, stage) in self.stages.iter().enumerate() {
            if i > 0 {
                x = overlapping_max_pool(&x);
            }
            x = stage.iter().fold(x, |x, block| block.forward(weights, &x));
        }
        global_avg_pool(&x)
    }
}
