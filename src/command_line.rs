//! The command line: parses the arguments, runs the command and returns an exit code.
//!
//! Exit codes: 0 for success, 2 for a usage error (arguments, configuration, missing data), 1 for any other failure.

use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::catalog::Catalog;
use crate::commands::{
    self, EnvArgs, EvalArgs, NewArgs, PlotArgs, ReportArgs, SweepArgs, TableArgs, TrainArgs, WatchArgs,
};
use crate::program;
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
    /// Write a crate with a custom environment.
    New(NewArgs),
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

/// Runs a program with its command-line arguments; `catalog` is what it can train, or a problem of its making.
pub fn main(catalog: Result<Catalog, UsageError>) -> ExitCode {
    match CommandLine::from_arg_matches(&CommandLine::command().name(program::name()).get_matches()) {
        Ok(command_line) => {
            exit_code(catalog.map_err(Into::into).and_then(|catalog| run(command_line.command, &catalog)))
        }
        Err(error) => error.exit(),
    }
}

fn run(command: Command, catalog: &Catalog) -> Result<()> {
    match command {
        Command::New(args) => commands::new(args),
        Command::Train(args) => commands::train(&args, catalog),
        Command::Eval(args) => commands::eval(&args, catalog),
        Command::Plot(args) => commands::plot(&args),
        Command::Sweep(args) => commands::sweep(&args, catalog),
        Command::Table(args) => commands::table(&args),
        Command::Report(args) => commands::report(&args, catalog),
        Command::Watch(args) => commands::watch(&args, catalog),
        Command::Env(args) => commands::env(&args, catalog),
        Command::Doctor => commands::doctor(),
    }
}

fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}
