//! `cargo xtask bench ...`: our figures beside those of others, all taken in turn in one run.

mod contest;
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
use contest::Length;
pub use contest::{Side, rate};

/// What is measured.
#[derive(Subcommand)]
pub enum Bench {
    /// Environment steps in a second of one core's time, beside Gymnasium and EnvPool.
    Envs(Length),
    /// Updates and environment steps a second of deep Q-learning on one thread, beside Stable-Baselines3.
    Dqn(Length),
    /// Samples a second that networks of images and of text learn from on one thread, beside PyTorch. A step of GoogLeNet
    /// takes half a minute.
    Networks(Length),
    /// Images of 224 pixels a second, decoded and changed to learn from, on two cores, beside torchvision.
    Input {
        /// A folder of images, train/CLASS/* and val/CLASS/*.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        #[command(flatten)]
        length: Length,
    },
    /// How busy a sweep of 16 runs keeps two cores, and how much of their time it takes itself.
    Sweep,
}

/// Runs a bench.
pub fn run(checkout: &Checkout, bench: &Bench) -> Result<()> {
    match bench {
        Bench::Envs(length) => envs::run(checkout, *length),
        Bench::Dqn(length) => dqn::run(checkout, *length),
        Bench::Networks(length) => networks::run(checkout, *length),
        Bench::Input { data, length } => input::run(checkout, data, *length),
        Bench::Sweep => sweep::run(checkout),
    }
}
