//! The command line: parses the arguments, runs the command and returns an exit code.
//!
//! Exit codes: 0 for success, 2 for a usage error (arguments, configuration, missing data), 1 for any other failure.

use std::process::ExitCode;

use alrao_envs::Registry;
use clap::{Parser, Subcommand};

use crate::commands::{self, EnvArgs, EvalArgs, PlotArgs, ReportArgs, SweepArgs, TableArgs, TrainArgs, WatchArgs};
use crate::usage_error::UsageError;

/// Deep Q-learning in Rust without learning-rate tuning.
#[derive(Parser)]
#[command(name = "alrao", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train an agent or a supervised model, then test it.
    Train(TrainArgs),
    /// Evaluate a run's best checkpoint on test episodes or test data.
    Eval(EvalArgs),
    /// Plot returns, learning curves, head weights or learning rates.
    Plot(PlotArgs),
    /// Run a grid of tasks, variants and seeds.
    Sweep(SweepArgs),
    /// Print a sweep's results.
    Table(TableArgs),
    /// Write an HTML report.
    Report(ReportArgs),
    /// Render an episode.
    Watch(WatchArgs),
    /// List, check, benchmark or trace environments.
    #[command(subcommand)]
    Env(EnvArgs),
    /// Check the installation.
    Doctor,
}

/// Runs the program with its command-line arguments.
pub fn main() -> ExitCode {
    let registry = Registry::builtin();
    let result = match CommandLine::parse().command {
        Command::Train(args) => commands::train(&args, &registry),
        Command::Eval(args) => commands::eval(&args, &registry),
        Command::Plot(args) => commands::plot(&args),
        Command::Sweep(args) => commands::sweep(&args, &registry),
        Command::Table(args) => commands::table(&args),
        Command::Report(args) => commands::report(&args, &registry),
        Command::Watch(args) => commands::watch(&args, &registry),
        Command::Env(args) => commands::env(&args, &registry),
        Command::Doctor => commands::doctor(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}
