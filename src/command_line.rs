//! The command line: parses the arguments, runs the command and returns an exit code.
//!
//! Exit codes: 0 for success, 2 for a usage error (arguments, configuration, missing data), 129, 130 or 143 after SIGHUP,
//! SIGINT or SIGTERM, 1 for any other failure. A reader that closed standard output is no failure.

use std::env;
use std::process::ExitCode;

use alrao_core::path::Shown;
use anyhow::Result;
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::catalog::Catalog;
use crate::commands::{
    self, CompletionsArgs, DoctorArgs, EnvArgs, EvalArgs, ExportArgs, ManArgs, NewArgs, PlotArgs, ReportArgs,
    SweepArgs, TableArgs, TrainArgs, WatchArgs,
};
use crate::message::{message, shorten_panics_of_libtorch};
use crate::output::{self, Closed, note};
use crate::program;
use crate::runs::stop::Stopped;
use crate::usage_error::UsageError;

/// Deep Q-learning in Rust without learning-rate tuning.
#[derive(Parser)]
#[command(name = "alrao", version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
    /// Show no progress, only results, warnings and errors.
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Write a crate with a custom environment.
    New(NewArgs),
    /// Train an agent or a supervised model, then test it.
    Train(TrainArgs),
    /// Evaluate a run's best checkpoint on test episodes or test data.
    Eval(EvalArgs),
    /// Write an agent's policy for other programs, as ONNX or safetensors.
    Export(ExportArgs),
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
    Doctor(DoctorArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Print a manual page.
    Man(ManArgs),
}

/// Runs a program with its command-line arguments; `catalog` is what it can train, or a problem of its making.
pub fn main(catalog: Result<Catalog, UsageError>) -> ExitCode {
    shorten_panics_of_libtorch();
    let command = match parse() {
        Ok(CommandLine { command, quiet }) => {
            if quiet {
                output::be_quiet();
            }
            command
        }
        Err(error) if error.use_stderr() => {
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
        Err(help) => return exit_code(help.print().map_err(output::failed)),
    };
    exit_code(catalog.map_err(Into::into).and_then(|catalog| run(command, &catalog)))
}

/// Returns the command line of this program. A negative number is the value of the option before it, so that the message
/// names the option.
fn command_line() -> clap::Command {
    fn with_numbers(command: clap::Command) -> clap::Command {
        let takes_value = |arg: &clap::Arg| arg.get_action().takes_values() && !arg.is_positional();
        let command = command.mut_args(|arg| if takes_value(&arg) { arg.allow_negative_numbers(true) } else { arg });
        command.mut_subcommands(with_numbers)
    }
    let name = program::name();
    let of_train =
        format!("{name} train [OPTIONS] <CONFIG>\n       {name} train --resume <DIR> [--data <DIR>] [--accept-data]");
    let of_sweep = format!("{name} sweep [OPTIONS] <SWEEP>\n       {name} sweep [OPTIONS] --resume <DIR>");
    // each in its place in the list of commands, which `mut_subcommand` would put at the end
    let command = CommandLine::command().name(name).mut_subcommands(|command| match command.get_name() {
        "train" => command.override_usage(of_train.clone()),
        "sweep" => command.override_usage(of_sweep.clone()),
        _ => command,
    });
    with_numbers(command)
}

/// Parses the arguments.
fn parse() -> Result<CommandLine, clap::Error> {
    let mut command = command_line();
    let matches = command.try_get_matches_from_mut(env::args_os()).map_err(|error| match error.kind() {
        ErrorKind::InvalidUtf8 => command.error(error.kind(), not_utf_8()),
        _ => error,
    })?;
    CommandLine::from_arg_matches(&matches)
}

/// Names the arguments that are no UTF-8, one of which is no path.
fn not_utf_8() -> String {
    let arguments = env::args_os().skip(1).filter(|argument| argument.to_str().is_none());
    let shown = arguments.map(|argument| argument.shown()).collect::<Vec<_>>().join(", ");
    format!(
        "only paths may have bytes that are no UTF-8, not names and settings: {shown}; write a folder in --set as in \
         data.folder=file:///data/caf%E9"
    )
}

fn run(command: Command, catalog: &Catalog) -> Result<()> {
    match command {
        Command::New(args) => commands::new(args),
        Command::Train(args) => commands::train(&args, catalog),
        Command::Eval(args) => commands::eval(&args, catalog),
        Command::Export(args) => commands::export(&args, catalog),
        Command::Plot(args) => commands::plot(&args),
        Command::Sweep(args) => commands::sweep(&args, catalog),
        Command::Table(args) => commands::table(&args),
        Command::Report(args) => commands::report(&args, catalog),
        Command::Watch(args) => commands::watch(&args, catalog),
        Command::Env(args) => commands::env(&args, catalog),
        Command::Doctor(args) => commands::doctor(&args),
        Command::Completions(args) => commands::completions(&args, command_line()),
        Command::Man(args) => commands::man(&args, command_line()),
    }
}

/// Prints an error, and returns the exit code.
fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Closed>() => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<Stopped>() {
            Some(stopped) => {
                note!("{stopped}");
                ExitCode::from(128 + stopped.signal as u8)
            }
            None => {
                note!("error: {}", message(&error));
                ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
            }
        },
    }
}
