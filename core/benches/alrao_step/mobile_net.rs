//! MobileNet (Howard et al., 2017) for images of 32 by 32 pixels and 10 classes, 3.2 million parameters, batches of 32:
//! the body is large compared with the heads.

use alrao_core::layers::{BatchNorm, Body, Conv2d, Conv2dSettings};
use alrao_core::likelihood::Categorical;
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::nn;
use tch::{Reduction, Tensor};

use crate::case::{Case, classes, numbers};

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

pub fn case() -> Case {
    let batch = (numbers(&[32, 3, 32, 32]), Categorical, classes(32, 10));
    Case::new("MobileNet 32x32 B=32", MobileNet::new, 10, batch, plain)
}

struct MobileNet(Vec<(Conv2d, BatchNorm)>);

/// Returns each convolution's input and output channels, kernel size and settings.
fn convolutions() -> Vec<(i64, i64, i64, Conv2dSettings)> {
    let plain = Conv2dSettings { bias: false, ..Default::default() };
    let mut all = vec![(3, 32, 3, Conv2dSettings { padding: 1, ..plain })];
    let mut inputs = 32;
    for (outputs, stride) in BLOCKS {
        all.push((inputs, inputs, 3, Conv2dSettings { stride, padding: 1, groups: inputs, ..plain }));
        all.push((inputs, outputs, 1, plain));
        inputs = outputs;
    }
    all
}

impl MobileNet {
    fn new(builder: &mut ParameterBuilder) -> Self {
        let layer = |(i, (inputs, outputs, kernel, settings))| {
            builder.scope(format!("layer{i}"), |b| {
                (Conv2d::new(b, inputs, outputs, kernel, settings), BatchNorm::new(b, outputs))
            })
        };
        MobileNet(convolutions().into_iter().enumerate().map(layer).collect())
    }
}

impl Body for MobileNet {
    fn features(&self) -> i64 {
        1024
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let layer =
            |x: Tensor, (conv, norm): &(Conv2d, BatchNorm)| norm.forward(weights, &conv.forward(weights, &x)).relu();
        self.0.iter().fold(x.shallow_clone(), layer).avg_pool2d_default(2).flatten(1, -1)
    }
}

fn plain(path: nn::Path) -> impl Fn(&Tensor, &Tensor) -> Tensor + use<> {
    let layers = convolutions().into_iter().enumerate().map(|(i, (inputs, outputs, kernel, settings))| {
        let Conv2dSettings { stride, padding, groups, bias, .. } = settings;
        let config = nn::ConvConfig { stride, padding, groups, bias, ..Default::default() };
        let conv = nn::conv2d(&path / format!("conv{i}"), inputs, outputs, kernel, config);
        (conv, nn::batch_norm2d(&path / format!("norm{i}"), outputs, Default::default()))
    });
    let layers: Vec<_> = layers.collect();
    let head = nn::linear(&path / "head", 1024, 10, Default::default());
    move |x, classes| {
        let layer = |x: Tensor, (conv, norm): &(nn::Conv2D, nn::BatchNorm)| x.apply(conv).apply_t(norm, true).relu();
        let z = layers.iter().fold(x.shallow_clone(), layer).avg_pool2d_default(2).flatten(1, -1);
        z.apply(&head).cross_entropy_loss::<Tensor>(classes, None, Reduction::Mean, -100, 0.0)
    }
}
