//! `alrao sweep`: trains the runs of a sweep, several in parallel, and prints their results.

use std::path::{Path, PathBuf};
use std::time::Duration;

use alrao_core::path::Shown;
use alrao_setup::shell;
use anyhow::{Context, Result, anyhow, bail};

use crate::catalog::Catalog;
use crate::config::{Config, Task, Versions};
use crate::dataset::{self, Dataset};
use crate::output;
use crate::program;
use crate::run_directory::free_name;
use crate::runs::stop::{self, Stopped};
use crate::sweep::directory::{State, SweepDirectory};
use crate::sweep::executor::{End, Executor, ExecutorName};
use crate::sweep::jobs::Job;
use crate::sweep::local::Local;
use crate::sweep::plan::{self, Run, Seeds};
use crate::sweep::slurm::{self, Slurm, SlurmOption};
use crate::sweep::table::{Table, TableFormat};
use crate::sweep::view::View;
use crate::usage_error::UsageError;

/// Interval between polls of the processes.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The arguments of `alrao sweep`.
#[derive(clap::Args)]
pub struct SweepArgs {
    /// Sweep file or built-in sweep.
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub sweep: Option<PathBuf>,
    /// Override a field in every run, as in `--set schedule.steps=20000`.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "resume")]
    pub set: Vec<String>,
    /// Override the sweep file's seeds, as in `0-9` or `3`.
    #[arg(long, conflicts_with = "resume")]
    pub seeds: Option<Seeds>,
    /// Dataset directory; with --resume, where the dataset of all runs is now.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// New sweep directory [default: runs/SWEEP].
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub out: Option<PathBuf>,
    /// Resume this sweep: train its missing and unfinished runs.
    #[arg(long, value_name = "DIR")]
    pub resume: Option<PathBuf>,
    /// Retry failed runs, too.
    #[arg(long, requires = "resume", conflicts_with = "sweep")]
    pub retry_failed: bool,
    /// Number of parallel runs [default: as many as the CPU cores or Slurm allow].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: Option<u32>,
    /// Where to train: on this machine, or on the cluster that `sbatch` submits to.
    #[arg(long, default_value = "local")]
    pub executor: ExecutorName,
    /// Option of `sbatch`, as in `--slurm partition=gpu --slurm time=12:00:00 --slurm gres=gpu:1`.
    #[arg(long, value_name = "KEY[=VALUE]")]
    pub slurm: Vec<SlurmOption>,
    /// Submit at most this many runs to Slurm, which may limit a user's jobs; `--resume` submits the next.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub submit: Option<u32>,
    /// Train only the run with this index. Used by Slurm jobs.
    #[arg(long, hide = true, requires = "resume", conflicts_with_all = ["sweep", "data"])]
    pub run: Option<usize>,
}

/// Runs the command.
///
/// # Errors
/// [`UsageError`] or a setting's error for a usage error, before any file is written; else an error if runs failed or
/// were stopped, or if the sweep can't continue.
pub fn sweep(args: &SweepArgs, catalog: &Catalog) -> Result<()> {
    stop::listen()?;
    match args.executor {
        ExecutorName::Slurm => slurm::check()?,
        ExecutorName::Local if !args.slurm.is_empty() || args.submit.is_some() => {
            return Err(UsageError("--slurm and --submit: need --executor slurm".into()).into());
        }
        ExecutorName::Local => {}
    }
    let mut sweep = directory(args, catalog)?;
    if let Some(run) = args.run {
        return train_one(&sweep, run);
    }
    let mut locks = vec![sweep.lock()?];
    if let (Some(folder), Some(_)) = (&args.data, &args.resume) {
        if let ExecutorName::Local = args.executor {
            look_at_moved_data(&sweep, folder)?;
        }
        locks.push(sweep.move_data(folder)?);
    }

    let (mut to_go, mut failed) = (Vec::new(), 0);
    for (index, run) in sweep.runs.iter().enumerate() {
        match sweep.state(run)? {
            State::Done(_) => {}
            State::Failed(_) if !args.retry_failed => failed += 1,
            _ => to_go.push(index),
        }
    }
    let mut stopped = to_go.len();
    to_go.truncate(args.submit.map_or(usize::MAX, |most| most as usize));
    let mut left = to_go.len();
    let mut executor: Box<dyn Executor> = match args.executor {
        ExecutorName::Local => Box::new(Local::new(&sweep, to_go, args.jobs)),
        ExecutorName::Slurm => Box::new(Slurm::new(&sweep, &to_go, &args.slurm, args.jobs)?),
    };
    let mut view = View::new(&sweep, stopped, &executor.describe());
    let executor_flag = if args.executor == ExecutorName::Slurm { " --executor slurm" } else { "" };
    let go_on = format!("{} sweep --resume {}{executor_flag}", program::name(), shell::word(sweep.path()));
    stop::resume_with(&go_on);
    stop::set_working(true);
    while !stop::is_requested() && left > 0 {
        for (run, end) in executor.poll()? {
            view.ended(run, end)?;
            left -= 1;
            failed += usize::from(end == End::Failed);
            stopped -= usize::from(end != End::Stopped);
        }
        view.look(&executor.training(), &executor.waiting());
        std::thread::sleep(POLL_INTERVAL);
    }
    let what_goes_on = executor.detach()?.map_or(String::new(), |words| format!("; {words}"));
    view.finish();

    let total = sweep.runs.len();
    let printed = output::print(format_args!("{}", Table::of(&sweep)?.write(TableFormat::Markdown)));
    match (stopped, failed) {
        (0, 0) => printed,
        (0, _) => {
            let retry = match args.retry_failed {
                true => "mend them and retry them",
                false => "retry them",
            };
            bail!(
                "{failed} of {total} runs failed, see above and their process.log; {retry} with `{go_on} --retry-failed`"
            )
        }
        _ => {
            let message = format!(
                "stopped with {stopped} of {total} runs to go and {failed} failed{what_goes_on}; resume with `{go_on}`"
            );
            Err(match stop::requested() {
                Some(signal) => Stopped { signal, message }.into(),
                None => anyhow!(message),
            })
        }
    }
}

/// Trains one run of a sweep that another process manages, unless it has finished.
fn train_one(sweep: &SweepDirectory, index: usize) -> Result<()> {
    let Some(run) = sweep.runs.get(index) else {
        return Err(UsageError(format!(
            "{}: has no run {index}; it has {} runs",
            sweep.path().shown(),
            sweep.runs.len()
        ))
        .into());
    };
    if let State::Done(_) = sweep.state(run)? {
        return Ok(());
    }
    let mut job = Job::start(sweep, index)?;
    stop::set_working(true);
    loop {
        match job.end(sweep)? {
            Some(End::Done) => return Ok(()),
            Some(End::Failed) => bail!("{} failed", run.name),
            Some(End::Stopped) => bail!("{} was stopped", run.name),
            None if let Some(signal) = stop::requested() => {
                job.stop()?;
                let message = format!("{} was stopped by {}", run.name, stop::name(signal));
                return Err(Stopped { signal, message }.into());
            }
            None => std::thread::sleep(POLL_INTERVAL),
        }
    }
}

/// Reads each dataset of the runs once, so that a problem is reported once, before any file is written.
fn look_at_data(runs: &[Run]) -> Result<()> {
    let mut seen = Vec::new();
    for run in runs {
        if let Task::Supervised(task) = &run.config.task
            && !seen.contains(&&task.data)
        {
            task.read(run.config.seed).map_err(UsageError::of).with_context(|| run.name.clone())?;
            seen.push(&task.data);
        }
    }
    Ok(())
}

/// Checks that a folder has the data that the runs began with, or the data of their tasks if none has begun, once for each
/// dataset.
fn look_at_moved_data(sweep: &SweepDirectory, folder: &Path) -> Result<()> {
    let (mut seen, mut runs) = (Vec::new(), sweep.runs.iter().collect::<Vec<_>>());
    let has_begun = |run: &Run| sweep.of(run).join(dataset::FILE).exists();
    runs.sort_by_key(|run| !has_begun(run));
    for run in runs {
        let mut config = run.config.clone();
        config.task.set_data(folder)?;
        if let Task::Supervised(task) = &config.task
            && !seen.contains(&task.data)
        {
            if has_begun(run) {
                Dataset::read_to_resume(&sweep.of(run), task, config.seed, false)?;
            } else {
                task.read(config.seed).map_err(UsageError::of)?;
            }
            seen.push(task.data.clone());
        }
    }
    Ok(())
}

/// Opens the sweep directory given by the arguments, or creates a new one.
fn directory(args: &SweepArgs, catalog: &Catalog) -> Result<SweepDirectory> {
    let Some(path) = &args.resume else {
        let source = args.sweep.as_deref().expect("required by the command line");
        let complete = match args.executor {
            ExecutorName::Local => Config::complete,
            ExecutorName::Slurm => Config::complete_for_elsewhere,
        };
        let with_data = |mut config: Config| {
            if let Some(folder) = &args.data {
                config.task.set_data(folder)?;
            }
            complete(config, catalog)
        };
        let runs = plan::read(source, &args.set, args.seeds.as_ref(), catalog, with_data)?;
        if let ExecutorName::Local = args.executor {
            look_at_data(&runs)?;
        }
        let stem = source.file_stem().map_or("sweep".into(), |stem| stem.to_string_lossy());
        let path = args.out.clone().map_or_else(|| free_name(&stem), Ok)?;
        return SweepDirectory::create(&path, runs);
    };
    let sweep = SweepDirectory::read(path)?;
    let versions = Versions::in_use()?;
    if let Some(run) = sweep.runs.iter().find(|run| run.config.versions.as_ref() != Some(&versions)) {
        let made = run.config.made_by();
        let problem = format!(
            "this sweep was started with {made}, but this program is {versions}; resume it with {made}, or start a new sweep"
        );
        return Err(UsageError(format!("{}: {problem}", path.shown())).into());
    }
    Ok(sweep)
}
