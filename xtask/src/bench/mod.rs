//! `cargo xtask bench ...`: benchmarks against other libraries, measured in turn in one run.

mod comparison;
mod dqn;
mod environments;
mod envs;
mod gymnasium;
mod input;
mod minatar;
mod networks;
mod python;
mod solve;
mod sweep;

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use crate::checkout::Checkout;
use comparison::BenchArgs;
pub use comparison::{Program, rate};
use solve::SolveArgs;

/// The benchmarks.
#[derive(Subcommand)]
pub enum Bench {
    /// Environment steps per CPU second on one core, compared with Gymnasium and EnvPool.
    Envs(BenchArgs),
    /// Environment steps per CPU second of MinAtar's games on one core, compared with the package.
    Minatar(BenchArgs),
    /// What a step of an environment of Gymnasium costs in a worker process, compared with a plain loop in Python.
    Gymnasium(BenchArgs),
    /// Updates and environment steps per second of deep Q-learning on one thread, compared with Stable-Baselines3.
    Dqn(BenchArgs),
    /// Seconds until an agent solves an environment on one core, compared with Stable-Baselines3 with tuned settings. Five
    /// seeds of five environments take about 40 minutes.
    Solve(SolveArgs),
    /// Environment steps per second of training in several environments at once, compared with training in one, on one
    /// thread.
    Environments(BenchArgs),
    /// Training samples per second of supervised models on one thread, compared with PyTorch. A step of GoogLeNet takes half
    /// a minute.
    Networks(BenchArgs),
    /// Decoded and augmented images of 224 pixels per second on two cores, compared with torchvision.
    Input {
        /// Image folder with train/CLASS/* and val/CLASS/*.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        #[command(flatten)]
        args: BenchArgs,
    },
    /// CPU utilization of a sweep of 16 runs on two cores, and its overhead.
    Sweep,
}

/// Runs a benchmark.
pub fn run(checkout: &Checkout, bench: &Bench) -> Result<()> {
    match bench {
        Bench::Envs(args) => envs::run(checkout, *args),
        Bench::Minatar(args) => minatar::run(checkout, *args),
        Bench::Gymnasium(args) => gymnasium::run(checkout, *args),
        Bench::Dqn(args) => dqn::run(checkout, *args),
        Bench::Solve(args) => solve::run(checkout, args),
        Bench::Environments(args) => environments::run(checkout, *args),
        Bench::Networks(args) => networks::run(checkout, *args),
        Bench::Input { data, args } => input::run(checkout, data, *args),
        Bench::Sweep => sweep::run(checkout),
    }
}
