//! `cargo xtask ...`: the chores around the code that `cargo` alone can't do.
//!
//! Exit codes are those of `alrao`: 2 where the request can't be met on this machine as it stands, 1 where something
//! failed on the way; a command that was run and failed passes its own on.

mod bench;
mod box2d;
mod cache;
mod cargo;
mod checkout;
mod checks;
mod compare;
mod cuda;
mod demo;
mod endure;
mod failure;
mod gpu;
mod gymnasium;
mod libtorch;
mod parity;
mod pip;
mod pytorch;
mod sdl2;
mod setup;
mod slurm;
mod tensorboard;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::bench::Bench;
use crate::checkout::Checkout;
use crate::compare::Compare;
use crate::gpu::Gpu;

/// Sets up, shows and checks the project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Gets what the build needs and this machine lacks: libtorch, SDL2, cmake, Box2D.
    Setup {
        /// Take PyTorch with its CUDA libraries (needs an NVIDIA driver).
        #[arg(long)]
        cuda: bool,
    },
    /// Trains an agent on Pendulum and compares its test return with random play and the paper.
    Demo {
        /// Seed of every random draw of the run.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Compares fresh episodes with Gymnasium's, step by step; fails if one step differs.
    Parity {
        /// How many of each environment and its variants.
        #[arg(long, default_value_t = 100)]
        episodes: u32,
        /// Only the environment of this name.
        #[arg(long)]
        env: Option<String>,
        /// Where the episodes' seeds are drawn from; the time if not given.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Draws the frames in docs/environments.md anew, beside Gymnasium's.
    Frames,
    /// Measures the project, most of it beside others; ends with a line of JSON.
    #[command(subcommand)]
    Bench(Bench),
    /// Compares what two builds learn, number by number.
    Compare(Compare),
    /// Does what needs a GPU, in order of worth, as far as the minutes go: tests, trainings, speed beside PyTorch's.
    Gpu(Gpu),
    /// Kills a sweep and its runs twenty times at random moments and compares what it ends with; minutes.
    Endure,
    /// Sweeps by Slurm, on one that is started on this machine for the while; skipped where that can't be had.
    Slurm,
    /// Has TensorBoard read what runs write for it.
    Tensorboard,
    /// Runs every check, cheapest first: format, lints, documentation, tests.
    Test,
}

fn main() -> ExitCode {
    let checkout = Checkout::here();
    let outcome = match Arguments::parse().chore {
        Chore::Setup { cuda } => setup::run(&checkout, cuda),
        Chore::Demo { seed } => demo::run(&checkout, seed),
        Chore::Parity { episodes, env, seed } => {
            parity::run(&checkout, episodes, env.as_deref(), seed.unwrap_or_else(parity::fresh_seed))
        }
        Chore::Frames => gymnasium::run(&checkout, "frames.py", &["docs/figures".into()]),
        Chore::Bench(bench) => bench::run(&checkout, &bench),
        Chore::Compare(request) => compare::run(&checkout, &request),
        Chore::Gpu(request) => gpu::run(&checkout, &request),
        Chore::Endure => endure::run(&checkout),
        Chore::Slurm => slurm::run(&checkout),
        Chore::Tensorboard => tensorboard::run(&checkout),
        Chore::Test => checks::run(&checkout),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            failure::exit_code(&error)
        }
    }
}
