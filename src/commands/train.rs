//! `alrao train`: trains and tests an agent or a supervised model, from a configuration or by resuming a run.

use std::path::{Path, PathBuf};

use alrao_core::device::DeviceChoice;
use anyhow::Result;

use crate::catalog::Catalog;
use crate::config::Config;
use crate::run_directory::{free_name, read_summary};
use crate::runs;
use crate::summary::{Outcome, Summary};

/// The test result of a run without a best checkpoint.
const NO_TEST: &str = "none: diverged before a finite validation";

/// The arguments of `alrao train`.
#[derive(clap::Args)]
pub struct TrainArgs {
    /// TOML file or built-in configuration.
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub config: Option<String>,
    /// Override a field, as in `--set schedule.steps=20000` or `--set optimizer.kind=sgd`.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "resume")]
    pub set: Vec<String>,
    /// Random seed.
    #[arg(long, conflicts_with = "resume")]
    pub seed: Option<u64>,
    /// Dataset directory.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub data: Option<PathBuf>,
    /// Device: auto, cpu, cuda or cuda:N.
    #[arg(long, conflicts_with = "resume")]
    pub device: Option<DeviceChoice>,
    /// Number of libtorch threads.
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    pub threads: Option<u32>,
    /// New run directory [default: runs/TASK-METHOD-seedN].
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Resume this run from its last checkpoint.
    #[arg(long, value_name = "DIR")]
    pub resume: Option<PathBuf>,
    /// Wait until no other process trains in the directory; exit when standard input closes. Used by `alrao sweep`.
    #[arg(long, hide = true, requires = "resume", conflicts_with = "config")]
    pub in_sweep: bool,
}

/// Runs the command.
///
/// # Errors
/// [`UsageError`](crate::usage_error::UsageError) for a usage error, before any file is written; else the error
/// that stopped the run.
pub fn train(args: &TrainArgs, catalog: &Catalog) -> Result<()> {
    if args.in_sweep {
        end_with_standard_input();
    }
    let Some(path) = &args.resume else {
        let config = requested(args, catalog)?;
        let (task, kind, seed) = (config.task.name(), config.optimizer.kind.name(), config.seed);
        let usual = || free_name(&format!("{task}-{kind}-seed{seed}"));
        let path = args.out.clone().map_or_else(usual, Ok)?;
        return report(&path, &runs::train(&path, config, catalog)?);
    };
    let was_done = read_summary(path)?.is_some();
    let resume = if args.in_sweep { runs::resume_when_free } else { runs::resume };
    let summary = resume(path, catalog)?;
    if was_done {
        println!("{} has already finished", path.display());
    }
    report(path, &summary)
}

/// Exits this process as soon as its parent closes the standard input or dies. No cleanup is needed, because a run can
/// be resumed after a kill at any instant.
fn end_with_standard_input() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        signal_hook::low_level::exit(1)
    });
}

/// Returns the configuration given by the arguments.
fn requested(args: &TrainArgs, catalog: &Catalog) -> Result<Config> {
    let source = args.config.as_deref().expect("required by the command line");
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

/// Prints the result and plots the figure.
fn report(path: &Path, summary: &Summary) -> Result<()> {
    match &summary.outcome {
        Outcome::Agent { test, random_policy, .. } => {
            let words = |evaluation: &alrao_agents::evaluation::Evaluation| {
                let returns = evaluation.returns;
                format!("{:.1} ± {:.1} ({} episodes)", returns.mean, returns.std, evaluation.episodes)
            };
            println!("test return    {}", test.as_ref().map_or(NO_TEST.into(), words));
            println!("random policy  {}", words(random_policy));
        }
        Outcome::Supervised { epochs, best, test, .. } => {
            println!("test           {}", test.map_or(NO_TEST.into(), |test| test.to_string()));
            let best = best.map_or("none".into(), |best| best.epoch.to_string());
            println!("best epoch     {best} of {epochs}");
        }
    }
    if let Some(diagnostics) = &summary.lr_diagnostics {
        let lines = diagnostics.to_string().replace('\n', "\n               ");
        println!("learning rates {lines}");
    }
    println!("run directory  {}", path.display());
    if let Some(figure) = runs::draw(path)? {
        println!("figure         {}", figure.display());
    }
    Ok(())
}
