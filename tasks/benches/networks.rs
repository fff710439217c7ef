//! Training throughput of Alrao on the networks for small images and text, on one thread or a GPU: `cargo xtask bench
//! networks` compares it with plain SGD in PyTorch, but for `lstm-words`.
//!
//! ```text
//! cargo bench -p alrao-tasks --bench networks -- mobilenet|mobilenet2|googlenet|vgg19|lstm|lstm-words SECONDS [cpu|cuda] [WORD]...
//! ```
//!
//! Images have 32 by 32 pixels and 10 classes, with batches of 128 unless a WORD is another number; texts have 50 symbols, or
//! 10,000 words as frequent as Zipf's law says, with batches of 70 steps of 20 streams. Other words: `bf16` and `last`
//! (channels-last) for images, `adaptive` for an adaptive softmax over words, `eager` to disable CUDA graphs, `sgd` for plain SGD
//! with one head. The number of parameters goes to standard error.

use std::time::{Duration, Instant};

use alrao_core::adaptive_softmax::Cutoffs;
use alrao_core::device::DeviceChoice;
use alrao_core::graphed::GraphedPasses;
use alrao_core::heads::Outputs;
use alrao_core::learner::Learner;
use alrao_core::likelihood::Categorical;
use alrao_core::method::Method;
use alrao_core::network::Network;
use alrao_core::parameters::ParameterBuilder;
use alrao_core::streams::stream;
use alrao_tasks::model::{self, Model};
use alrao_tasks::networks::{Architecture, ChannelStats, ComputeSettings, ImageModel, LanguageModel, Precision};
use anyhow::{Context, Result, bail};
use tch::{Cuda, Device, Kind, Tensor};

const CLASSES: i64 = 10;
const STEPS: i64 = 70;
const STREAMS: i64 = 20;
const SYMBOLS: i64 = 50;
const WORDS: i64 = 10_000;
/// The cutoffs of an adaptive softmax.
const CUTOFFS: [usize; 2] = [2_000, 6_000];

/// The program's allocator.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The options given as words.
struct Options {
    images: i64,
    computation: ComputeSettings,
    recorded: bool,
    adaptive: bool,
    method: Method,
}

impl Options {
    fn read(words: &[&str], device: Device) -> Result<Self> {
        let mut options = Options {
            images: 128,
            computation: ComputeSettings::default_for(device),
            recorded: true,
            adaptive: false,
            method: Method::alrao(),
        };
        for word in words {
            match (*word, word.parse()) {
                (_, Ok(images @ 2..)) => options.images = images,
                ("bf16", _) => options.computation.precision = Precision::Bf16,
                ("last", _) => options.computation.channels_last = true,
                ("eager", _) => options.recorded = false,
                ("adaptive", _) => options.adaptive = true,
                ("sgd", _) => options.method = Method::sgd(1e-3)?,
                _ => bail!("`{word}` is not an option: use a number of images, bf16, last, adaptive, eager or sgd"),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<()> {
    tch::set_num_threads(1);
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [network, seconds, rest @ ..] => {
            let (device, words) = rest.split_first().unwrap_or((&"cpu", &[]));
            let device = device.parse::<DeviceChoice>()?.resolve()?;
            let seconds = Duration::from_secs(seconds.parse().context("seconds")?);
            measure(network, seconds, device, Options::read(words, device)?)
        }
        [] => Ok(()), // run without arguments by `cargo test --all-targets`
        _ => bail!("usage: mobilenet|mobilenet2|googlenet|vgg19|lstm|lstm-words SECONDS [cpu|cuda] [WORD]..."),
    }
}

/// Trains for this time, after a warm-up, and prints the samples per second.
fn measure(network: &str, time: Duration, device: Device, options: Options) -> Result<()> {
    let Options { images, computation, recorded, adaptive, method } = options;
    let architecture = match network {
        "mobilenet" => Some(Architecture::MobileNet),
        "mobilenet2" => Some(Architecture::MobileNetV2),
        "googlenet" => Some(Architecture::GoogLeNet),
        "vgg19" => Some(Architecture::Vgg19),
        "lstm" | "lstm-words" => None,
        _ => bail!("unknown network `{network}`: use mobilenet, mobilenet2, googlenet, vgg19, lstm or lstm-words"),
    };
    let float = (Kind::Float, device);
    let labels = |n, classes| Tensor::randint(classes, [n], (Kind::Int64, device));
    let (x, y, classes) = match architecture {
        Some(_) => {
            let bytes = Tensor::randint(256, [images, 3, 32, 32], (Kind::Uint8, device));
            (bytes, labels(images, CLASSES), CLASSES)
        }
        None if network == "lstm-words" => {
            // the share of the first n words is about log n / log WORDS
            let words = || Tensor::rand([STEPS * STREAMS], float).g_mul_scalar_((WORDS as f64).ln()).exp_();
            let words = || words().to_kind(Kind::Int64).clamp(1, WORDS) - 1;
            (words().view([STEPS, STREAMS]), words(), WORDS)
        }
        None => {
            let n = STEPS * STREAMS;
            (labels(n, SYMBOLS).view([STEPS, STREAMS]), labels(n, SYMBOLS), SYMBOLS)
        }
    };
    let model = |b: &mut ParameterBuilder| match architecture {
        Some(architecture) => {
            let channel_stats = ChannelStats { mean: [0.5; 3], std: [0.25; 3] };
            Model::Image(ImageModel::new(b, architecture, 1.0, channel_stats, computation, device))
        }
        None => Model::Text(LanguageModel::new(b, classes as usize, 1.0)),
    };
    if adaptive && classes != WORDS {
        bail!("an adaptive softmax is for lstm-words");
    }
    let outputs = match adaptive {
        true => Outputs::AdaptiveSoftmax(Cutoffs::new(&CUTOFFS, classes as usize)?),
        false => Outputs::Linear(classes),
    };
    let mut network = Network::new(model, method.num_heads, outputs, &mut stream(0, "weights"), float)?;
    let count = [network.parameters(), network.heads().parameters()].map(|parameters| parameters.theta().numel());
    eprintln!("{} parameters in the body, {} in the heads", count[0], count[1]);
    let mut learner = Learner::new(&method, &network, &mut stream(0, "rates"))?;
    let mut graphed = GraphedPasses::new(if recorded { device } else { Device::Cpu });
    let mut state = None;
    let mut step = || -> Result<()> {
        let (pass, after) = model::pass_with_state(&network, &mut graphed, &x, state.as_ref());
        state = after;
        learner.step(&mut network, &pass, &Categorical, &y)?;
        Ok(())
    };
    let wait = || {
        if let Device::Cuda(n) = device {
            Cuda::synchronize(n as i64)
        }
    };
    let warm_up = if device.is_cuda() { 10 } else { 1 };
    (0..warm_up).try_for_each(|_| step())?;
    wait();
    let (started, mut samples) = (Instant::now(), 0);
    while started.elapsed() < time {
        step()?;
        samples += y.size()[0];
    }
    wait();
    println!("{:.1} samples/s", samples as f64 / started.elapsed().as_secs_f64());
    Ok(())
}
