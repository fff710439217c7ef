//! A small convolutional network with batch normalization.

use alrao_core::layers::{BatchNorm, Body, Conv2d, Conv2dSettings};
use alrao_core::likelihood::Categorical;
use alrao_core::method::Method;
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::{Kind, Tensor};

use crate::densities::{classes, classify};
use crate::reference::{Units, Values};
use crate::{Case, Plain};

struct Cnn {
    layers: [(Conv2d, BatchNorm); 2],
}

fn build(builder: &mut ParameterBuilder) -> Cnn {
    let mut layer = |name: &str, inputs, outputs, settings| {
        builder.scope(name, |b| (Conv2d::new(b, inputs, outputs, 3, settings), BatchNorm::new(b, outputs)))
    };
    let first = Conv2dSettings { padding: 1, bias: false, ..Default::default() };
    let second = Conv2dSettings { stride: 2, ..Default::default() };
    Cnn { layers: [layer("first", 2, 6, first), layer("second", 6, 8, second)] }
}

impl Body for Cnn {
    fn features(&self) -> i64 {
        8
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let layer =
            |x: Tensor, (conv, norm): &(Conv2d, BatchNorm)| norm.forward(weights, &conv.forward(weights, &x)).relu();
        self.layers.iter().fold(x.shallow_clone(), layer).mean_dim([2, 3].as_slice(), false, None::<Kind>)
    }
}

/// Convolves pixel by pixel of the output: filters are rows of a matrix that multiplies patches of the input.
fn convolution(x: &Tensor, filters: &Tensor, stride: i64, padding: i64) -> Tensor {
    let [batch, _, height, width] = x.size()[..] else { panic!("images") };
    let padded = x.constant_pad_nd([padding; 4]);
    let matrix = filters.flatten(1, -1).tr();
    let along = |length: i64| (length + 2 * padding - 3) / stride + 1;
    let row = |r: i64| {
        let pixels = (0..along(width)).map(|c| {
            let patch = padded.narrow(2, r * stride, 3).narrow(3, c * stride, 3);
            patch.reshape([batch, -1]).matmul(&matrix) // [B, O]
        });
        Tensor::stack(&pixels.collect::<Vec<_>>(), 2)
    };
    Tensor::stack(&(0..along(height)).map(row).collect::<Vec<_>>(), 2)
}

/// Normalizes by the batch's statistics and moves the running statistics towards them with momentum 0.1.
fn batch_norm(x: &Tensor, body: &Values, buffers: &mut Values, name: &str) -> Tensor {
    let all = x.transpose(0, 1).flatten(1, -1); // [C, N]
    let n = all.size()[1] as f64;
    let mean = all.sum_dim_intlist([1].as_slice(), false, Kind::Double) / n;
    let variance = (all - mean.unsqueeze(1)).square().sum_dim_intlist([1].as_slice(), false, Kind::Double) / n;
    for (statistic, now) in [("running_mean", mean.copy()), ("running_var", &variance * (n / (n - 1.0)))] {
        let running = buffers.get_mut(&format!("{name}.{statistic}")).unwrap();
        *running = &*running * 0.9 + now.detach() * 0.1;
    }
    let channel = |values: &Tensor| values.view([1, -1, 1, 1]);
    let normal = (x - channel(&mean)) / (channel(&variance) + 1e-5).sqrt();
    normal * channel(&body[&format!("{name}.scale")]) + channel(&body[&format!("{name}.shift")])
}

const PLAIN: Plain = Plain {
    names: &[
        "first.weight",
        "first.scale",
        "first.shift",
        "first.running_mean",
        "first.running_var",
        "second.weight",
        "second.bias",
        "second.scale",
        "second.shift",
        "second.running_mean",
        "second.running_var",
    ],
    units: || {
        vec![
            Units { count: 6, parameters: vec![("first.weight", 0)] },
            Units { count: 6, parameters: vec![("first.scale", 0), ("first.shift", 0)] },
            Units { count: 8, parameters: vec![("second.weight", 0), ("second.bias", 0)] },
            Units { count: 8, parameters: vec![("second.scale", 0), ("second.shift", 0)] },
        ]
    },
    features: |body, buffers, x| {
        let x = convolution(x, &body["first.weight"], 1, 1);
        let x = batch_norm(&x, body, buffers, "first").clamp_min(0.0);
        let x = convolution(&x, &body["second.weight"], 2, 0) + body["second.bias"].view([1, -1, 1, 1]);
        batch_norm(&x, body, buffers, "second").clamp_min(0.0).mean_dim([2, 3].as_slice(), false, Kind::Double)
    },
    log_prob: classify,
    factor: |_| 1.0,
    observations: 1.0,
};

#[test]
fn classification() {
    let case = Case {
        build,
        outputs: 4,
        likelihood: Categorical,
        input: (&[8, 2, 7, 7], Tensor::shallow_clone),
        target: |x| classes(&x.narrow(2, 0, 2).mean_dim([3].as_slice(), false, None::<Kind>).flatten(1, -1)),
        method: Method::alrao(),
        plain: PLAIN,
    };
    case.check();
}
