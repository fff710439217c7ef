//! `cargo xtask bench ...`: benchmarks against other libraries, measured in turn in one run.

mod comparison;
mod dqn;
mod envs;
mod input;
mod networks;
mod python;
mod sweep;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use crate::checkout::Checkout;
use comparison::Length;
pub use comparison::{Program, rate};

/// The benchmarks.
#[derive(Subcommand)]
pub enum Bench {
    /// Environment steps per CPU second on one core, compared with Gymnasium and EnvPool.
    Envs(Length),
    /// Updates and environment steps per second of deep Q-learning on one thread, compared with Stable-Baselines3.
    Dqn(Length),
    /// Training samples per second of supervised models on one thread, compared with PyTorch. A step of GoogLeNet takes half
    /// a minute.
    Networks(Length),
    /// Decoded and augmented images of 224 pixels per second on two cores, compared with torchvision.
    Input {
        /// Image folder with train/CLASS/* and val/CLASS/*.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        #[command(flatten)]
        length: Length,
    },
    /// CPU utilization of a sweep of 16 runs on two cores, and its overhead.
    Sweep,
}

/// Runs a benchmark.
pub fn run(checkout: &Checkout, bench: &Bench) -> Result<()> {
    match bench {
        Bench::Envs(length) => envs::run(checkout, *length),
        Bench::Dqn(length) => dqn::run(checkout, *length),
        Bench::Networks(length) => networks::run(checkout, *length),
        Bench::Input { data, length } => input::run(checkout, data, *length),
        Bench::Sweep => sweep::run(checkout),
    }
}
