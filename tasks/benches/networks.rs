//! What a step of Alrao costs for the networks of small images and of text, on one thread or a GPU: `cargo xtask bench
//! networks` runs it beside plain SGD in PyTorch.
//!
//! ```text
//! cargo bench -p alrao-tasks --bench networks -- mobilenet|mobilenet2|googlenet|vgg19|lstm SECONDS [cpu|cuda] [WORD]...
//! ```
//!
//! Images are of 32 by 32 pixels and of 10 classes, 128 in a batch unless the words say another number; texts are of 50
//! symbols, 70 steps of 20 streams in a batch. Other words are `bf16` and `last`, for channels last, of images; `eager`
//! leaves out CUDA graphs; `sgd` takes plain SGD with one head in place of Alrao.

use std::time::{Duration, Instant};

use alrao_core::device::DeviceChoice;
use alrao_core::graphed::GraphedPasses;
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

/// As in the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How steps are made, as words say.
struct Ways {
    images: i64,
    computation: ComputeSettings,
    recorded: bool,
    method: Method,
}

impl Ways {
    fn read(words: &[&str], device: Device) -> Result<Self> {
        let mut ways =
            Ways { images: 128, computation: ComputeSettings::default_for(device), recorded: true, method: Method::alrao() };
        for word in words {
            match (*word, word.parse()) {
                (_, Ok(images @ 2..)) => ways.images = images,
                ("bf16", _) => ways.computation.precision = Precision::Bf16,
                ("last", _) => ways.computation.channels_last = true,
                ("eager", _) => ways.recorded = false,
                ("sgd", _) => ways.method = Method::sgd(1e-3)?,
                _ => bail!("`{word}` is no number of images, nor bf16, last, eager or sgd"),
            }
        }
        Ok(ways)
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
            measure(network, seconds, device, Ways::read(words, device)?)
        }
        [] => Ok(()), // so do tests of all targets run it
        _ => bail!("say mobilenet, mobilenet2, googlenet, vgg19 or lstm, SECONDS, and cuda if it is to be there"),
    }
}

/// Makes steps for so long, after some that don't count, and prints how many samples a second they learn from.
fn measure(network: &str, time: Duration, device: Device, ways: Ways) -> Result<()> {
    let Ways { images, computation, recorded, method } = ways;
    let architecture = match network {
        "mobilenet" => Some(Architecture::MobileNet),
        "mobilenet2" => Some(Architecture::MobileNetV2),
        "googlenet" => Some(Architecture::GoogLeNet),
        "vgg19" => Some(Architecture::Vgg19),
        "lstm" => None,
        _ => bail!("the network is mobilenet, mobilenet2, googlenet, vgg19 or lstm, not {network}"),
    };
    let float = (Kind::Float, device);
    let labels = |n, classes| Tensor::randint(classes, [n], (Kind::Int64, device));
    let (x, y, classes) = match architecture {
        Some(_) => {
            let bytes = Tensor::randint(256, [images, 3, 32, 32], (Kind::Uint8, device));
            (bytes, labels(images, CLASSES), CLASSES)
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
        None => Model::Text(LanguageModel::new(b, SYMBOLS as usize, 1.0)),
    };
    let mut network = Network::new(model, method.num_heads, classes, &mut stream(0, "weights"), float)?;
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
    let unmeasured = if device.is_cuda() { 10 } else { 1 };
    (0..unmeasured).try_for_each(|_| step())?;
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
