//! The command line: words into one checked request, one call, an exit code.
//!
//! 0: done. 2: the request is wrong (usage, configuration, data that isn't there). 1: it failed on the way.

use std::process::ExitCode;

use alrao_envs::Registry;
use clap::{Parser, Subcommand};

use crate::commands::{
    self, EnvRequest, EvalRequest, PlotRequest, ReportRequest, SweepRequest, TableRequest, TrainRequest, WatchRequest,
};
use crate::wrong_request::WrongRequest;

/// Reinforcement learning that needs no learning rate.
#[derive(Parser)]
#[command(name = "alrao", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Train an agent, or a network on data; ends with its test.
    Train(TrainRequest),
    /// Play a trained agent's best checkpoint greedily and print its returns.
    Eval(EvalRequest),
    /// Draw runs: their returns or losses, their heads, their units, or the effect of their intervals of rates.
    Plot(PlotRequest),
    /// Train the runs that a sweep file multiplies to, several at a time, and compare them in a table.
    Sweep(SweepRequest),
    /// Compare the results of a sweep.
    Table(TableRequest),
    /// Put all there is to know of a run or a sweep on one page of HTML.
    Report(ReportRequest),
    /// Watch a trained agent's best checkpoint play an episode.
    Watch(WatchRequest),
    /// Look at the environments by themselves.
    #[command(subcommand)]
    Env(EnvRequest),
    /// Say what this machine can train on.
    Doctor,
}

/// Runs the program on its arguments.
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
