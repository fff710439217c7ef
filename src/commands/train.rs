//! `alrao train`: trains and tests an agent or a supervised model, from a configuration or by resuming a run.

use std::path::{Path, PathBuf};

use alrao_core::device::DeviceChoice;
use alrao_core::path::Shown;
use anyhow::Result;

use crate::catalog::Catalog;
use crate::config::Config;
use crate::message::message;
use crate::output::{note, say};
use crate::program;
use crate::run_directory::{checkpoint_bytes, free_name, read_summary};
use crate::runs::{self, ResumeOptions, stop};
use crate::seed::seed;
use crate::summary::{Outcome, Summary, spread};
use crate::usage_error::UsageError;

/// The test result of a run without a best checkpoint.
const NO_TEST: &str = "none: diverged before a finite validation";

/// The arguments of `alrao train`.
#[derive(clap::Args)]
pub struct TrainArgs {
    /// TOML file or built-in configuration; without it, those are listed.
    #[arg(conflicts_with = "resume")]
    pub config: Option<PathBuf>,
    /// Override a field, as in `--set schedule.steps=20000` or `--set optimizer.kind=sgd`.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "resume")]
    pub set: Vec<String>,
    /// Random seed.
    #[arg(long, conflicts_with = "resume", value_parser = seed)]
    pub seed: Option<u64>,
    /// Dataset directory; with --resume, where the run's dataset is now.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Device: auto, cpu, cuda or cuda:N; auto is the CPU for agents, else the first GPU if there is one.
    #[arg(long, conflicts_with = "resume")]
    pub device: Option<DeviceChoice>,
    /// Number of libtorch threads.
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    pub threads: Option<u32>,
    /// New run directory [default: runs/TASK-METHOD-seedN].
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Resume this run from its last checkpoint, with its own configuration: schedules depend on a run's length, so a
    /// longer run is a new one.
    #[arg(long, value_name = "DIR")]
    pub resume: Option<PathBuf>,
    /// Go on although the run's dataset has changed.
    #[arg(long, requires = "resume", conflicts_with = "config")]
    pub accept_data: bool,
    /// Wait until no other process trains in the directory; stop when standard input closes. Used by `alrao sweep`.
    #[arg(long, hide = true, requires = "resume", conflicts_with = "config")]
    pub in_sweep: bool,
}

/// Runs the command.
///
/// # Errors
/// [`UsageError`] for a usage error, before any file is written; else the error
/// that stopped the run, or [`Stopped`](stop::Stopped).
pub fn train(args: &TrainArgs, catalog: &Catalog) -> Result<()> {
    stop::listen()?;
    if args.in_sweep {
        stop::end_with_standard_input();
    }
    let Some(path) = &args.resume else {
        let config = requested(args, catalog)?;
        let (task, kind, seed) = (config.task.name(), config.optimizer.kind.name(), config.seed);
        let usual = || free_name(&format!("{task}-{kind}-seed{seed}"));
        let path = args.out.clone().map_or_else(usual, Ok)?;
        return report(&path, &runs::train(&path, config, catalog)?);
    };
    let was_done = read_summary(path)?.is_some();
    let data = args.data.as_deref();
    let options = ResumeOptions { data, accept_data: args.accept_data, wait: args.in_sweep };
    let summary = runs::resume_with(path, catalog, &options)?;
    if was_done {
        note!("{} has already finished", path.shown());
    }
    report(path, &summary)
}

/// Returns the configuration given by the arguments.
fn requested(args: &TrainArgs, catalog: &Catalog) -> Result<Config> {
    let source = args.config.as_deref().ok_or_else(|| no_configuration(catalog))?;
    let mut config = Config::read(source, &args.set, catalog)?;
    config.seed = args.seed.unwrap_or(config.seed);
    config.threads = args.threads.unwrap_or(config.threads);
    if let Some(folder) = &args.data {
        config.task.set_data(folder)?;
    }
    if let Some(device) = args.device {
        config.device = device.to_string();
    }
    Ok(config)
}

/// Returns the error of a command line that says nothing to train: the list of what is built in.
fn no_configuration(catalog: &Catalog) -> UsageError {
    let trainable = catalog.trainable();
    let width = trainable.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = trainable.iter().map(|(name, about)| format!("\n  {name:width$}  {about}").trim_end().to_owned());
    let list: String = lines.collect();
    UsageError(format!("nothing to train: {} train CONFIG takes a TOML file, or one of{list}", program::name()))
}

/// Plots the figure and prints the result.
fn report(path: &Path, summary: &Summary) -> Result<()> {
    let figure = runs::draw(path).unwrap_or_else(|error| {
        note!("no figure: {}", message(&error));
        None
    });
    match &summary.outcome {
        Outcome::Agent { steps, stopped, test, random_policy, .. } => {
            stopped.iter().try_for_each(|reason| say!("stopped        at step {steps}: {reason}"))?;
            let words = |evaluation: &alrao_agents::evaluation::Evaluation| {
                let returns = evaluation.returns;
                let limited = runs::limited(evaluation).map_or(String::new(), |limited| format!(", {limited}"));
                format!("{} ({} episodes{limited})", spread(returns.mean, returns.std, 1), evaluation.episodes)
            };
            say!("test return    {}", test.as_ref().map_or(NO_TEST.into(), words))?;
            say!("random policy  {}", words(random_policy))?;
        }
        Outcome::Supervised { epochs, best, test, .. } => {
            say!("test           {}", test.map_or(NO_TEST.into(), |test| test.to_string()))?;
            let best = best.map_or("none".into(), |best| best.epoch.to_string());
            say!("best epoch     {best} of {epochs}")?;
        }
    }
    if let Some(diagnostics) = &summary.lr_diagnostics {
        say!("learning rates {}", diagnostics.to_string().replace('\n', "\n               "))?;
    }
    say!("run directory  {}", path.shown())?;
    match checkpoint_bytes(path) {
        Ok(bytes) => say!("checkpoints    {:.1} MB", bytes as f64 / 1e6)?,
        Err(error) => note!("no size of the checkpoints: {}", message(&error)),
    }
    figure.map_or(Ok(()), |figure| say!("figure         {}", figure.shown()))
}
