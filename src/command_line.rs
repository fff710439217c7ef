//! The command line: words into one checked request, one call, an exit code.
//!
//! 0: done. 2: the request is wrong (usage, configuration, data that isn't there). 1: it failed on the way.

use std::path::PathBuf;
use std::process::ExitCode;

use alrao_core::device::DeviceChoice;
use clap::{Parser, Subcommand};

use crate::commands;
use crate::sweep::executor::ExecutorName;
use crate::sweep::plan::Seeds;
use crate::sweep::slurm::SlurmOption;
use crate::sweep::table::TableFormat;

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
    Env(commands::EnvRequest),
    /// Say what this machine can train on.
    Doctor,
}

/// What `alrao train` is asked for.
#[derive(clap::Args)]
pub struct TrainRequest {
    /// A TOML file, or the name of a built-in configuration.
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub config: Option<String>,
    /// Set a field of the configuration, as in `--set schedule.steps=20000` or `--set optimizer.kind=sgd`.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "resume")]
    pub set: Vec<String>,
    /// The seed that every random draw derives from.
    #[arg(long, conflicts_with = "resume")]
    pub seed: Option<u64>,
    /// The folder that the data are in, for tasks that learn from some.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub data: Option<PathBuf>,
    /// auto, cpu, cuda or cuda:N.
    #[arg(long, conflicts_with = "resume")]
    pub device: Option<DeviceChoice>,
    /// libtorch's threads.
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    pub threads: Option<u32>,
    /// The run directory; must not exist yet. By default a new one under `runs`.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Go on with the run in this directory from its last checkpoint.
    #[arg(long, value_name = "DIR")]
    pub resume: Option<PathBuf>,
    /// Wait until no other process trains in the directory; end when standard input closes. For `alrao sweep`.
    #[arg(long, hide = true, requires = "resume", conflicts_with = "config")]
    pub in_sweep: bool,
}

/// What `alrao sweep` is asked for.
#[derive(clap::Args)]
pub struct SweepRequest {
    /// A sweep file, or the name of a built-in sweep.
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub sweep: Option<String>,
    /// Set a field of every run's configuration, as in `--set schedule.steps=20000`.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "resume")]
    pub set: Vec<String>,
    /// Seeds in place of the sweep file's, as in `0-9` or `3`.
    #[arg(long, conflicts_with = "resume")]
    pub seeds: Option<Seeds>,
    /// The folder that the data are in, for tasks that learn from some.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub data: Option<PathBuf>,
    /// The sweep directory; must not exist yet. By default a new one under `runs`.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Go on with the sweep in this directory: with the runs that are missing or unfinished.
    #[arg(long, value_name = "DIR")]
    pub resume: Option<PathBuf>,
    /// Go on with the runs that failed, too.
    #[arg(long, requires = "resume", conflicts_with = "sweep")]
    pub retry_failed: bool,
    /// Runs at a time; by default as many as the processor's cores, or Slurm, have room for.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
    /// Who trains: this machine, or the cluster that `sbatch` submits to.
    #[arg(long, default_value = "local")]
    pub executor: ExecutorName,
    /// An option of `sbatch` for every job, as in `--slurm partition=gpu --slurm time=12:00:00 --slurm gres=gpu:1`.
    #[arg(long, value_name = "KEY[=VALUE]")]
    pub slurm: Vec<SlurmOption>,
    /// Train only the run of this place in the list, without looking after the others. For the jobs of Slurm.
    #[arg(long, hide = true, requires = "resume", conflicts_with = "sweep")]
    pub run: Option<usize>,
}

/// What `alrao table` is asked for.
#[derive(clap::Args)]
pub struct TableRequest {
    /// A sweep directory.
    pub sweep: PathBuf,
    /// How to write it.
    #[arg(long, default_value = "markdown")]
    pub format: TableFormat,
}

/// What `alrao eval` is asked for.
#[derive(clap::Args)]
pub struct EvalRequest {
    /// A run directory.
    pub run: PathBuf,
    /// How many episodes to play; as many as the run's own test by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub episodes: Option<u32>,
    /// The seed that episodes derive from; the run's own by default, which plays its test episodes again.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Where the data of a supervised task are, if not where they were.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// What `alrao plot` is asked for.
#[derive(clap::Args)]
pub struct PlotRequest {
    /// Run directories, or sweep directories, of which the runs that are done are drawn.
    #[arg(required = true, value_name = "RUN|SWEEP")]
    pub runs: Vec<PathBuf>,
    /// What to draw; by default the returns of agents, how networks learnt from data, and the heat map of a sweep over
    /// intervals of rates.
    #[arg(long)]
    pub figure: Option<FigureKind>,
    /// The task to draw, of sweeps that have several.
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// The figure, .svg or .png; `plots/FIGURE.svg` in the first directory by default.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What a figure shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FigureKind {
    /// The episode returns of agents; of several runs the interquartile mean over seeds, and its interval.
    Returns,
    /// Learning curves; of several runs those of training beside those of test or validation.
    Learning,
    /// The weights of a run's heads over time.
    Posterior,
    /// The rates of a run's units, and how far each has moved at its rate.
    Rates,
    /// What intervals of rates come to, SGD on the diagonal; also by width.
    Heatmap,
}

/// What `alrao report` is asked for.
#[derive(clap::Args)]
pub struct ReportRequest {
    /// A run directory or a sweep directory.
    pub directory: PathBuf,
    /// The page; `report.html` in the directory by default.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// What `alrao watch` is asked for.
#[derive(clap::Args)]
pub struct WatchRequest {
    /// A run directory.
    pub run: PathBuf,
    /// Write the episode as an animation.
    #[arg(long, value_name = "FILE", required_unless_present = "window")]
    pub gif: Option<PathBuf>,
    /// Show it in a window.
    #[arg(long)]
    pub window: bool,
    /// The seed of the episode; that of the run's first test episode by default.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// A request that can't be met as it stands: what is wrong with it.
#[derive(Debug)]
pub struct WrongRequest(pub String);

impl std::fmt::Display for WrongRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongRequest {}

/// Runs the program on its arguments.
pub fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Train(request) => commands::train(&request),
        Command::Eval(request) => commands::eval(&request),
        Command::Plot(request) => commands::plot::plot(&request),
        Command::Sweep(request) => commands::sweep(&request),
        Command::Table(request) => commands::table(&request),
        Command::Report(request) => commands::report(&request),
        Command::Watch(request) => commands::watch(&request),
        Command::Env(request) => commands::env(&request),
        Command::Doctor => commands::doctor(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if is_wrong_request(&error) { 2 } else { 1 })
        }
    }
}

/// Whether the error lies in what was asked, rather than in what happened then.
fn is_wrong_request(error: &anyhow::Error) -> bool {
    use alrao_agents::Error as Agent;
    use alrao_core::Error as Core;
    use alrao_tasks::Error as Supervised;
    error.chain().any(|cause| {
        cause.is::<WrongRequest>()
            || matches!(cause.downcast_ref(), Some(Agent::Setting { .. } | Agent::NoActions))
            || matches!(
                cause.downcast_ref(),
                Some(Supervised::Setting { .. } | Supervised::Folder { .. } | Supervised::File { .. })
            )
            || matches!(cause.downcast_ref(), Some(Core::RateInterval { .. } | Core::NoHeads | Core::Device(_)))
    })
}
