//! Benchmarks of training steps against plain SGD in PyTorch, one at a time on the GPU.

use std::process::Command;
use std::time::{Duration, Instant};

use super::programs::Programs;
use crate::bench::{Program, rate};

/// The networks, and the images per batch.
const CASES: [(&str, &str, u32); 8] = [
    ("MobileNet", "mobilenet", 32),
    ("VGG19", "vgg19", 32),
    ("GoogLeNet", "googlenet", 32),
    ("LSTM, characters", "lstm", 0),
    ("MobileNet", "mobilenet", 128),
    ("VGG19", "vgg19", 128),
    ("GoogLeNet", "googlenet", 128),
    ("MobileNet v2", "mobilenet2", 32),
];
/// The maximum start-up time of all programs of a case.
const START: Duration = Duration::from_secs(14);

/// The measured training throughput of a network, in samples per second.
pub struct Step {
    /// The network, and the images per batch.
    pub name: String,
    /// Alrao in f32; in bf16 with channels-last, for images; in f32 without CUDA graphs.
    pub ours: [Option<f64>; 3],
    /// Plain SGD in PyTorch, in f32.
    pub pytorch: Option<f64>,
}

/// Returns the time to reserve for benchmarks.
pub fn time_for(left: Duration, rehearse: bool) -> Duration {
    if rehearse { left / 4 } else { (left / 8).min(START * CASES.len() as u32) }
}

/// Measures the cases until the time limit; failed measurements are omitted.
pub fn measure(programs: &Programs, rehearse: bool, ends: Instant) -> Vec<Step> {
    let (device, seconds) = if rehearse { ("cpu", "1") } else { ("cuda", "2") };
    let cases = if rehearse { &CASES[3..4] } else { &CASES[..] };
    let has = |time: Duration| rehearse || ends.saturating_duration_since(Instant::now()) >= time;
    let mut steps = Vec::new();
    for &(name, network, images) in cases {
        let of_images = images > 0;
        let measured = |mut command: Command, words: &[&str]| {
            command.args([network, seconds, device]).args(words);
            if !has(START / 3) {
                return None;
            }
            rate(&mut Program { name, command }).inspect_err(|error| println!("{name}: {error:#}")).ok()
        };
        if !has(START) {
            println!("{name}: not measured, the time limit is reached");
            continue;
        }
        let count = images.to_string();
        let count: &[&str] = if of_images { &[&count] } else { &[] };
        let ours = [
            measured(programs.networks(), count),
            of_images.then(|| measured(programs.networks(), &[count, &["bf16", "last"]].concat())).flatten(),
            measured(programs.networks(), &[count, &["eager"]].concat()),
        ];
        let pytorch = (network != "mobilenet2" && !rehearse).then(|| measured(programs.pytorch(), count)).flatten();
        let name = if of_images { format!("{name}, {images}") } else { name.into() };
        steps.push(Step { name, ours, pytorch });
    }
    steps
}
