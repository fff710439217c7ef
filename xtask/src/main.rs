//! `cargo xtask ...`: development tasks that `cargo` alone can't do.
//!
//! Exit codes are those of `alrao`: 2 for a usage error or a missing requirement, 1 for any other failure; a failed command
//! passes on its own.

mod bench;
mod cargo;
mod checkout;
mod checks;
mod compare;
mod demo;
mod dist;
mod downstream;
mod export;
mod gpu;
mod gymnasium;
mod minatar;
mod parity;
mod setup;
mod slurm;
mod stress;
mod tensorboard;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::bench::Bench;
use crate::checkout::Checkout;
use crate::compare::CompareArgs;
use crate::gpu::GpuArgs;

/// Set up, demonstrate, benchmark and check the project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install missing build dependencies: libtorch, SDL2, cmake, Box2D.
    Setup {
        /// Install PyTorch with its CUDA libraries (needs an NVIDIA driver).
        #[arg(long)]
        cuda: bool,
    },
    /// Train an agent on Pendulum and compare its test return with a random policy and the paper.
    Demo {
        /// Random seed.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Compare new episodes with Gymnasium's and MinAtar's, step by step; fails if a step differs.
    Parity {
        /// Number of episodes of each environment and variant.
        #[arg(long, default_value_t = 100)]
        episodes: u32,
        /// Compare only this environment.
        #[arg(long)]
        env: Option<String>,
        /// Random seed of the episodes [default: the time].
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Render the frames in docs/environments.md again, next to Gymnasium's.
    Frames,
    /// Test environments of Gymnasium in Python processes, with Gymnasium from PyPI; part of `test`.
    Gymnasium,
    /// Benchmark the project against other libraries; ends with a line of JSON.
    #[command(subcommand)]
    Bench(Bench),
    /// Write an archive of the program with its libraries, which runs where nothing was set up.
    Dist,
    /// Build, test and train in crates outside this checkout, as users have them.
    Downstream,
    /// Play exported policies in Gymnasium and without libtorch, and compare them with their runs.
    Export,
    /// Check that two builds train bit-identically.
    Compare(CompareArgs),
    /// Run GPU tests, training runs and benchmarks against PyTorch within a time limit, most important first.
    Gpu(GpuArgs),
    /// Kill a sweep and its runs twenty times at random and compare the results (takes minutes).
    Stress,
    /// Test sweeps on a temporary Slurm cluster on this machine; skipped if Slurm is missing.
    Slurm,
    /// Check that TensorBoard reads the event files of runs.
    Tensorboard,
    /// Run every check, cheapest first: format, lints, documentation, tests.
    Test,
}

fn main() -> ExitCode {
    let checkout = Checkout::here();
    let outcome = match Arguments::parse().task {
        Task::Setup { cuda } => setup::run(&checkout, cuda),
        Task::Demo { seed } => demo::run(&checkout, seed),
        Task::Parity { episodes, env, seed } => {
            parity::run(&checkout, episodes, env.as_deref(), seed.unwrap_or_else(parity::fresh_seed))
        }
        Task::Frames => gymnasium::frames(&checkout),
        Task::Gymnasium => gymnasium::test(&checkout),
        Task::Bench(bench) => bench::run(&checkout, &bench),
        Task::Dist => dist::run(&checkout),
        Task::Downstream => downstream::run(&checkout),
        Task::Export => export::run(&checkout),
        Task::Compare(request) => compare::run(&checkout, &request),
        Task::Gpu(request) => gpu::run(&checkout, &request),
        Task::Stress => stress::run(&checkout),
        Task::Slurm => slurm::run(&checkout),
        Task::Tensorboard => tensorboard::run(&checkout),
        Task::Test => checks::run(&checkout),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            alrao_setup::exit_code(&error)
        }
    }
}
