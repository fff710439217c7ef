//! Alrao's parameters and predictions stay finite for any learning rates: each network trains on a few random batches.
//!
//! `cargo test --release -p alrao-tasks --test finite -- --ignored --nocapture` tests the networks with the paper's width
//! and three times the width, in a quarter of an hour and, for AlexNet, with 16 GB.

use alrao_core::layers::Body;
use alrao_core::learner::Learner;
use alrao_core::likelihood::Categorical;
use alrao_core::method::Method;
use alrao_core::network::Network;
use alrao_core::parameters::ParameterBuilder;
use alrao_core::streams::stream;
use alrao_tasks::networks::{Architecture, LanguageModel};
use rand_distr::{Distribution, StandardNormal, Uniform};
use tch::{Device, Kind, Tensor};

const STEPS: usize = 20;
const BATCH: i64 = 4;
/// The size of the vocabulary.
const SYMBOLS: i64 = 50;

/// Trains on random batches with Alrao's defaults; returns the losses and the number of non-finite parameters and
/// predictions at the end.
fn train<B: Body>(
    body: impl FnOnce(&mut ParameterBuilder) -> B,
    (classes, samples): (i64, i64),
    mut batch: impl FnMut() -> Tensor,
    seed: u64,
) -> (Vec<f64>, [i64; 2]) {
    tch::set_num_threads(1); // tests already run in parallel
    let (method, float) = (Method::alrao(), (Kind::Float, Device::Cpu));
    tch::manual_seed(seed as i64); // of dropout
    let mut network = Network::new(body, method.num_heads, classes, &mut stream(seed, "weights"), float).unwrap();
    let mut learner = Learner::new(&method, &network, &mut stream(seed, "rates")).unwrap();
    let labels = Uniform::new(0, classes).unwrap();
    let mut rng = stream(seed, "labels");
    let step = |_| {
        let y: Vec<i64> = labels.sample_iter(&mut rng).take(samples as usize).collect();
        let pass = network.forward(&batch()).unwrap();
        learner.step(&mut network, &pass, &Categorical, &Tensor::from_slice(&y)).unwrap().loss()
    };
    let losses = (0..STEPS).map(step).collect();
    let theta = network.parameters().theta();
    let bad = |x: &Tensor| x.isfinite().logical_not().sum(Kind::Int64).int64_value(&[]);
    (losses, [bad(theta), bad(&network.mean(&batch()).unwrap())])
}

/// Trains each network of this width, and the language model.
fn all_stay_finite(width_factor: f64, seed: u64) {
    for architecture in Architecture::ALL {
        use Architecture::*;
        let (classes, side) = match architecture {
            MobileNet | MobileNetV2 | GoogLeNet | Vgg19 | SmallCnn => (10, 32),
            AlexNet | DenseNet121 | ResNet50 => (1000, 64),
        };
        let mut rng = stream(seed, "images");
        let images = || {
            let pixels: Vec<f32> =
                StandardNormal.sample_iter(&mut rng).take((BATCH * 3 * side * side) as usize).collect();
            Tensor::from_slice(&pixels).view([BATCH, 3, side, side])
        };
        let body = |b: &mut ParameterBuilder| architecture.build(b, width_factor);
        assert_finite(&format!("{architecture:?}"), width_factor, seed, train(body, (classes, BATCH), images, seed));
    }
    let text = || (Tensor::arange(10 * BATCH, (Kind::Int64, Device::Cpu)) * 7).remainder(SYMBOLS).view([10, BATCH]);
    let body = |b: &mut ParameterBuilder| LanguageModel::new(b, SYMBOLS as usize, width_factor);
    assert_finite("LanguageModel", width_factor, seed, train(body, (SYMBOLS, 10 * BATCH), text, seed));
}

fn assert_finite(name: &str, width_factor: f64, seed: u64, (losses, bad): (Vec<f64>, [i64; 2])) {
    let [first, last] = [losses[0], losses[STEPS - 1]];
    println!("{name}, width factor {width_factor}, seed {seed}: loss {first:.3}, then {last:.3}; non-finite: {bad:?}");
    assert!(losses.iter().all(|loss| loss.is_finite()), "{name}, width factor {width_factor}, seed {seed}: {losses:?}");
    assert_eq!(bad, [0; 2], "{name}, width factor {width_factor}, seed {seed}: parameters, predictions");
}

#[test]
fn narrow_networks_stay_finite() {
    all_stay_finite(1.0 / 16.0, 0);
}

#[test]
#[ignore = "takes minutes"]
fn networks_stay_finite() {
    (0..5).for_each(|seed| all_stay_finite(1.0, seed));
}

#[test]
#[ignore = "takes minutes and 16 GB"]
fn wide_networks_stay_finite() {
    all_stay_finite(3.0, 0);
}
