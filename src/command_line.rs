//! The command line: parses the arguments, runs the command and returns an exit code.
//!
//! Exit codes: 0 for success, 2 for a usage error (arguments, configuration, missing data), 1 for any other failure.

use std::process::ExitCode;

use alrao_envs::Registry;
use clap::{Parser, Subcommand};

use crate::commands::{
    self, EnvRequest, EvalRequest, PlotRequest, ReportRequest, SweepRequest, TableRequest, TrainRequest, WatchRequest,
};
use crate::wrong_request::WrongRequest;

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
    Train(TrainRequest),
    /// Evaluate a run's best checkpoint on test episodes or test data.
    Eval(EvalRequest),
    /// Plot returns, learning curves, head weights or learning rates.
    Plot(PlotRequest),
    /// Run a grid of tasks, variants and seeds.
    Sweep(SweepRequest),
    /// Print a sweep's results.
    Table(TableRequest),
    /// Write an HTML report.
    Report(ReportRequest),
    /// Render an episode.
    Watch(WatchRequest),
    /// List, check, benchmark or trace environments.
    #[command(subcommand)]
    Env(EnvRequest),
    /// Check the installation.
    Doctor,
}

/// Runs the program with its command-line arguments.
pub fn main() -> ExitCode {
    let registry = Registry::builtin();
    let result = match CommandLine::parse().command {
        Command::Train(request) => commands::train(&request, &registry),
        Command::Eval(request) => commands::eval(&request, &registry),
        Command::Plot(request) => commands::plot(&request),
        Command::Sweep(request) => commands::sweep(&request, &registry),
        Command::Table(request) => commands::table(&request),
        Command::Report(request) => commands::report(&request, &registry),
        Command::Watch(request) => commands::watch(&request, &registry),
        Command::Env(request) => commands::env(&request, &registry),
        Command::Doctor => commands::doctor(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<WrongRequest>() { 2 } else { 1 })
        }
    }
}
