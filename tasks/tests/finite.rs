//! No run of Alrao ends in numbers that are not finite, however unlucky the rates: each network learns from a few random
//! batches.
//!
//! `cargo test --release -p alrao-tasks --test finite -- --ignored --nocapture` takes the networks as wide as the paper's
//! and three times as wide, which takes a quarter of an hour and, for AlexNet, 16 GB.

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
/// Symbols of a text.
const SYMBOLS: i64 = 50;

/// Learns from random batches by Alrao's defaults; the losses, and how many numbers are not finite at the end: of the
/// parameters, of predictions.
fn train<B: Body>(
    body: impl FnOnce(&mut ParameterBuilder) -> B,
    (classes, samples): (i64, i64),
    mut batch: impl FnMut() -> Tensor,
    seed: u64,
) -> (Vec<f64>, [i64; 2]) {
    tch::set_num_threads(1); // tests share the cores among them already
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

/// Trains each network of this width, and the language model, and says how it went.
fn all_stay_finite(gamma: f64, seed: u64) {
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
        let body = |b: &mut ParameterBuilder| architecture.build(b, gamma);
        judge(&format!("{architecture:?}"), gamma, seed, train(body, (classes, BATCH), images, seed));
    }
    let text = || (Tensor::arange(10 * BATCH, (Kind::Int64, Device::Cpu)) * 7).remainder(SYMBOLS).view([10, BATCH]);
    let body = |b: &mut ParameterBuilder| LanguageModel::new(b, SYMBOLS as usize, gamma);
    judge("LanguageModel", gamma, seed, train(body, (SYMBOLS, 10 * BATCH), text, seed));
}

fn judge(name: &str, gamma: f64, seed: u64, (losses, bad): (Vec<f64>, [i64; 2])) {
    let [first, last] = [losses[0], losses[STEPS - 1]];
    println!("{name}, gamma {gamma}, seed {seed}: loss {first:.3}, then {last:.3}; not finite: {bad:?}");
    assert!(losses.iter().all(|loss| loss.is_finite()), "{name}, gamma {gamma}, seed {seed}: {losses:?}");
    assert_eq!(bad, [0; 2], "{name}, gamma {gamma}, seed {seed}: parameters, predictions");
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
