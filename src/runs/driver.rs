//! The execution of a run: training with logs and checkpoints in its directory, then test, summary and figure. Progress is
//! printed to standard error.

use std::path::{Path, PathBuf};
use std::time::Instant;

use alrao_plots::PlotError;
use alrao_setup::shell;
use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::agent::AgentRun;
use super::log::{Log, LogPosition};
use super::progress::Progress;
use super::stop::{self, Stopped};
use super::supervised::SupervisedRun;
use super::trainer::{Event, StopReason, Trainer, diverged};
use crate::catalog::Catalog;
use crate::config::{Config, Task};
use crate::dataset::{self, Dataset};
use crate::figures;
use crate::message::message;
use crate::output::note;
use crate::program;
use crate::run_directory::{RunDirectory, read_summary};
use crate::run_files::{CHECKPOINTS, is_there};
use crate::summary::Summary;
use crate::usage_error::UsageError;

/// Trains and tests a run of this configuration, [completed](Config::complete), in a new directory. Sets libtorch's number
/// of threads for the whole process.
///
/// # Errors
/// [`UsageError`] before any file is written, if a setting, the device or the dataset
/// is invalid, or the directory exists; else the error that stopped the run.
pub fn train(path: &Path, config: Config, catalog: &Catalog) -> Result<Summary> {
    let config = config.complete(catalog)?;
    tch::set_num_threads(config.threads as i32);
    let device = config.device()?;
    match &config.task {
        Task::Agent(_) => {
            let trainer = AgentRun::new(&config, catalog, device)?;
            drive(&RunDirectory::create(path, &config, None)?, &config, trainer)
        }
        Task::Supervised(task) => {
            let data = task.read(config.seed).map_err(UsageError::of)?;
            let dataset = Dataset::of(&data);
            let mut trainer = SupervisedRun::new(&config, task, data, device)?;
            trainer.check_test_data()?;
            drive(&RunDirectory::create(path, &config, Some(&dataset))?, &config, trainer)
        }
    }
}

/// How a run is resumed.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResumeOptions<'a> {
    /// Where the dataset is now, if it moved.
    pub data: Option<&'a Path>,
    /// Whether to resume with a dataset that changed.
    pub accept_data: bool,
    /// Whether to wait until no other process trains in the directory, which is an error otherwise.
    pub wait: bool,
}

/// Resumes the run in this directory from its last checkpoint; the result is bit-identical to that of an uninterrupted
/// run. A finished run is left unchanged.
///
/// # Errors
/// [`UsageError`] if it is not a run directory, is in use by another process, or its run can't be resumed here, or its
/// dataset changed; else the error that stopped the run.
pub fn resume(path: &Path, catalog: &Catalog) -> Result<Summary> {
    resume_with(path, catalog, &ResumeOptions::default())
}

/// Resumes a run as [`resume`] does, with options.
///
/// # Errors
/// As [`resume`].
pub fn resume_with(path: &Path, catalog: &Catalog, options: &ResumeOptions) -> Result<Summary> {
    let mut config = Config::of_run(path)?;
    let of_data = options.data.is_some() || options.accept_data;
    if let Some(folder) = options.data {
        config.task.set_data(folder)?;
    }
    if let (false, Some(summary)) = (of_data, read_summary(path)?) {
        return Ok(summary);
    }
    let config = config.resolve_run(path, catalog)?;
    tch::set_num_threads(config.threads as i32);
    let device = config.device()?;
    let open = || if options.wait { RunDirectory::wait_for(path) } else { RunDirectory::open(path) };
    match &config.task {
        Task::Agent(_) => {
            let trainer = AgentRun::new(&config, catalog, device)?;
            drive(&open()?, &config, trainer)
        }
        Task::Supervised(task) => {
            let (data, dataset) = Dataset::read_to_resume(path, task, config.seed, options.accept_data)?;
            let mut trainer = SupervisedRun::new(&config, task, data, device)?;
            if !is_there(&path.join(CHECKPOINTS))? {
                trainer.check_test_data()?;
            }
            let directory = open()?;
            if of_data || !is_there(&path.join(dataset::FILE))? {
                directory.write_dataset(&dataset, &config)?;
            }
            drive(&directory, &config, trainer)
        }
    }
}

/// The state in a checkpoint besides the tensors.
#[derive(Serialize, Deserialize)]
struct CheckpointState<S> {
    /// Wall-clock seconds of training so far.
    seconds: f64,
    log: LogPosition,
    training: S,
}

/// Trains to the end, from the last checkpoint if there is one, tests, and writes all results to the directory.
///
/// # Errors
/// [`Stopped`], after a checkpoint, if a stop was [requested](stop). The checkpoint is damaged or of another configuration;
/// else the error that stopped the run. Divergence is a result, not an error.
pub fn drive<T: Trainer>(directory: &RunDirectory, config: &Config, mut trainer: T) -> Result<Summary> {
    if let Some(summary) = read_summary(directory.path())? {
        return Ok(summary); // another process finished it while this one waited
    }
    let saved = directory.load_last(|read, CheckpointState { seconds, log, training }| {
        trainer.load(read, training)?;
        Ok((log, seconds))
    })?;
    let (mut log, seconds_before, mut best) = match saved {
        Some(((position, seconds), best)) => (Log::resume(directory.path(), &position)?, seconds, best),
        None => (Log::create(directory.path())?, 0.0, None),
    };
    directory.restore_best(best.as_ref())?;
    let started = Instant::now();
    let seconds = || seconds_before + started.elapsed().as_secs_f64();
    let mut progress = Progress::new(config.budget(), trainer.budget_unit(), trainer.progress());
    trainer.show_evaluations(progress.of_evaluations());
    let mut speed = Speed { work_done: trainer.work_done(), since: Instant::now() };
    let resume = format!("{} train --resume {}", program::name(), shell::word(directory.path()));
    stop::resume_with(&resume);
    stop::set_working(true);
    trainer.checkpoint_when(stop::is_requested);
    let diverged = loop {
        match trainer.advance() {
            Ok(StopReason::Event(event)) => {
                let speed = event.is_update().then(|| (speed.lap(trainer.work_done()), trainer.work_unit()));
                progress.event(&event, trainer.progress(), speed);
                if event.is_best() {
                    directory.save_best(best.insert(trainer.best()))?;
                }
                log.record(&event, seconds(), speed.map(|(speed, _)| speed))?;
                if let Err(error) = record(directory, config, &trainer, &event) {
                    progress.say(&format!("no recording of this validation: {}", message(&error)));
                }
            }
            Ok(StopReason::Checkpoint) => {
                let (files, training) = trainer.save();
                let state = CheckpointState { seconds: seconds(), log: log.sync()?, training };
                directory.save_last(&files, best.as_ref(), &state)?;
                if let Some(signal) = stop::requested() {
                    progress.finish();
                    return Err(stopped(signal, &trainer, config, &resume).into());
                }
            }
            Ok(StopReason::Finished) => break false,
            Err(error) if diverged(&error) => {
                note!("{}", message(&error));
                break true;
            }
            Err(error) => return Err(error),
        }
    };
    progress.finish();
    log.flush()?;
    stop::set_working(false);
    if let Some(signal) = stop::requested() {
        return Err(stopped(signal, &trainer, config, &resume).into()); // after the last checkpoint
    }
    let seconds = seconds();
    if let Some(units) = trainer.units(config)? {
        directory.write_units(&units)?;
    }
    let summary = trainer.summary(config, best, seconds, diverged)?;
    directory.write_summary(&summary)?;
    Ok(summary)
}

/// Writes the recording of a validation, if it is to be recorded.
fn record(directory: &RunDirectory, config: &Config, trainer: &impl Trainer, event: &Event) -> Result<()> {
    match trainer.recording(config, event)? {
        Some(episode) => episode.save_gif(&directory.recording(trainer.work_done())?),
        None => Ok(()),
    }
}

/// Says how far a training run came and how to resume it.
fn stopped(signal: i32, trainer: &impl Trainer, config: &Config, resume: &str) -> Stopped {
    let done = format!("{} of {} {}", (1e3 * trainer.progress()).floor() / 1e3, config.budget(), trainer.budget_unit());
    Stopped { signal, message: format!("stopped by {} after {done}; resume with `{resume}`", stop::name(signal)) }
}

/// Draws the default figure of a run and returns its path; none for a run that diverged at once.
///
/// # Errors
/// [`UsageError`] if it is not a run directory; else a file of it is corrupt, or the
/// figure can't be written.
pub fn draw(path: &Path) -> Result<Option<PathBuf>> {
    let kind = figures::default_of_run(&Config::of_run(path)?.task);
    let file = path.join(figures::file(kind));
    match figures::figure(kind, &[path.into()]).and_then(|figure| figure.save(&file)) {
        Ok(()) => Ok(Some(file)),
        Err(PlotError::NoLosses { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The speed between laps.
struct Speed {
    work_done: u64,
    since: Instant,
}

impl Speed {
    fn lap(&mut self, work_done: u64) -> f64 {
        let before = std::mem::replace(self, Speed { work_done, since: Instant::now() });
        (work_done - before.work_done) as f64 / before.since.elapsed().as_secs_f64()
    }
}
