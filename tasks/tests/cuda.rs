//! Training on a GPU agrees with training on the CPU; skipped without a GPU.

use std::fmt::Debug;

use alrao_core::adaptive_softmax::Cutoffs;
use alrao_core::device::load_cuda;
use alrao_core::graphed::GraphedPasses;
use alrao_core::heads::Outputs;
use alrao_core::layers::Body;
use alrao_core::learner::Learner;
use alrao_core::likelihood::Categorical;
use alrao_core::method::Method;
use alrao_core::network::Network;
use alrao_core::parameters::ParameterBuilder;
use alrao_core::rates::LrRange;
use alrao_core::streams::stream;
use alrao_tasks::model::{self, Model};
use alrao_tasks::networks::{Architecture, ChannelStats, ComputeSettings, ImageModel, LanguageModel};
use rand_distr::{Distribution, StandardNormal};
use tch::{Device, Kind, Tensor};

const STEPS: u64 = 3;
const SAMPLES: i64 = 4;
const CLASSES: i64 = 10;

#[test]
fn training_on_a_gpu_agrees_with_the_cpu() {
    if let Err(reason) = load_cuda() {
        println!("skipped: {reason}");
        return;
    }
    tch::set_num_threads(1);
    let method = Method { lr_range: LrRange::new(1e-5, 0.01).unwrap(), ..Method::alrao() };
    for architecture in Architecture::ALL {
        let side = (2 * architecture.min_image_size()).max(64); // normalization over few pixels amplifies rounding
        let x = normal(&[SAMPLES, 3, side, side]);
        // dropout draws other noise on a GPU
        let steps = if architecture == Architecture::AlexNet { 0 } else { STEPS };
        compare(&architecture, |b| architecture.build(b, 0.25), (&method, CLASSES.into()), &x, SAMPLES, steps);
    }
    let images = normal(&[SAMPLES, 3, 64, 64]);
    let build = |b: &mut ParameterBuilder| Architecture::SmallCnn.build(b, 0.25);
    compare(&"Adam's rule", build, (&Method::alrao_adam(), CLASSES.into()), &images, SAMPLES, STEPS);
    let adaptive = Outputs::AdaptiveSoftmax(Cutoffs::new(&[4, 7], CLASSES as usize).unwrap());
    compare(&"adaptive softmax", build, (&method, adaptive), &images, SAMPLES, STEPS);
    let text = (Tensor::arange(12 * SAMPLES, (Kind::Int64, Device::Cpu)) * 7).remainder(CLASSES).view([12, SAMPLES]);
    let language_model = |b: &mut ParameterBuilder| LanguageModel::new(b, CLASSES as usize, 1.0);
    compare(&"language model", language_model, (&method, CLASSES.into()), &text, 12 * SAMPLES, 0);
}

/// Passes over batches of one shape are captured and replayed, for text with its recurrent state, and update running
/// statistics as eager passes do.
#[test]
fn recorded_passes_learn_what_others_learn() {
    if let Err(reason) = load_cuda() {
        println!("skipped: {reason}");
        return;
    }
    let cuda = Device::Cuda(0);
    let learn = |text: bool, recorded: bool| {
        let method = Method { lr_range: LrRange::new(1e-5, 0.01).unwrap(), ..Method::alrao() };
        let body = |b: &mut ParameterBuilder| match text {
            true => Model::Text(LanguageModel::new(b, CLASSES as usize, 1.0)),
            false => {
                let channel_stats = ChannelStats { mean: [0.5; 3], std: [0.25; 3] };
                Model::Image(ImageModel::new(
                    b,
                    Architecture::SmallCnn,
                    0.5,
                    channel_stats,
                    ComputeSettings::default(),
                    cuda,
                ))
            }
        };
        let place = (Kind::Float, cuda);
        let mut network = Network::new(body, method.num_heads, CLASSES, &mut stream(0, "weights"), place).unwrap();
        let mut learner = Learner::new(&method, &network, &mut stream(0, "rates")).unwrap();
        let mut graphed = GraphedPasses::new(if recorded { cuda } else { Device::Cpu });
        let (mut state, mut last) = (None, None);
        for step in 0..8 {
            let samples = if text { 12 * SAMPLES } else { SAMPLES };
            let numbers = Tensor::arange(samples, (Kind::Int64, cuda)) * (step + 3);
            let x = match text {
                true => numbers.remainder(CLASSES).view([12, SAMPLES]),
                false => (normal(&[SAMPLES, 3, 32, 32]) * f64::from(step as i32 + 1)).abs().clamp(0.0, 3.0) * 80.0,
            };
            let x = if text { x } else { x.to_kind(Kind::Uint8).to_device(cuda) };
            tch::manual_seed(step); // of dropout
            let (pass, after) = model::pass_with_state(&network, &mut graphed, &x, state.as_ref());
            (state, last) = (after, Some(x));
            let y = (numbers + 1).remainder(CLASSES);
            learner.step(&mut network, &pass, &Categorical, &y).unwrap();
        }
        let [body, heads] = [network.parameters(), network.heads().parameters()].map(|p| p.theta().copy());
        [body, heads, network.mean(&last.expect("steps")).unwrap()]
    };
    for text in [false, true] {
        let (eager, recorded) = (learn(text, false), learn(text, true));
        let differences = [0, 1, 2].map(|i| relative_difference(&eager[i], &recorded[i]));
        println!("recorded, text {text}: parameters, heads and predictions differ by {differences:?}");
        assert!(differences.iter().all(|difference| *difference < 1e-4), "text {text}: {differences:?}");
    }
}

/// Runs equal steps on both devices in f64, and compares losses, predictions and parameters.
fn compare<B: Body>(
    name: &impl Debug,
    body: impl Fn(&mut ParameterBuilder) -> B,
    (method, outputs): (&Method, Outputs),
    x: &Tensor,
    samples: i64,
    steps: u64,
) {
    let on = |device| {
        let (weights, place) = (&mut stream(0, "weights"), (Kind::Double, device));
        let mut network = Network::new(&body, method.num_heads, outputs.clone(), weights, place).unwrap();
        let mut learner = Learner::new(method, &network, &mut stream(0, "rates")).unwrap();
        let x = x.to_device(device);
        let y = Tensor::arange(samples, (Kind::Int64, device)).remainder(CLASSES);
        let step = |_| {
            let pass = network.forward(&x).unwrap();
            learner.step(&mut network, &pass, &Categorical, &y).unwrap().loss.to_device(Device::Cpu)
        };
        let losses: Vec<Tensor> = (0..steps).map(step).collect();
        let predictions = network.mean(&x).unwrap().to_device(Device::Cpu);
        (losses, predictions, network.heads().parameters().theta().to_device(Device::Cpu))
    };
    let (cpu, cuda) = (on(Device::Cpu), on(Device::Cuda(0)));
    let differences = [
        relative_difference(&cpu.1, &cuda.1),
        relative_difference(&cpu.2, &cuda.2),
        cpu.0.iter().zip(&cuda.0).map(|(cpu, cuda)| relative_difference(cpu, cuda)).fold(0.0, f64::max),
    ];
    println!("{name:?}: predictions, heads and losses differ by {differences:?}");
    assert!(differences.iter().all(|difference| *difference < 1e-7), "{name:?}: {differences:?}");
}

fn normal(shape: &[i64]) -> Tensor {
    let numbers = StandardNormal.sample_iter(stream(0, "images")).take(shape.iter().product::<i64>() as usize);
    Tensor::from_slice(&numbers.collect::<Vec<f64>>()).view(shape)
}

/// Returns the largest difference relative to the largest value.
fn relative_difference(a: &Tensor, b: &Tensor) -> f64 {
    ((a - b).abs().max() / a.abs().max()).double_value(&[])
}
