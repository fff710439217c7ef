//! `alrao train`: from a configuration, or a run directory to go on in, to a tested agent or network.

use std::path::Path;
use std::time::Instant;

use alrao_plots::PlotError;
use anyhow::{Context, Result};

use crate::command_line::TrainRequest;
use crate::commands::plot;
use crate::config::{Config, Task};
use crate::log::Log;
use crate::progress::Progress;
use crate::run_directory::{RunDirectory, free_name, load_best};
use crate::runs::agent::AgentRun;
use crate::runs::supervised::SupervisedRun;
use crate::runs::{Halt, Trainer, diverged};
use crate::summary::{Outcome, Summary};

/// What is said of a test that there was none of.
const NO_TEST: &str = "none: it diverged, no validation came to a number";

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`](crate::command_line::WrongRequest) or a setting's error if the request can't be met, with nothing made; else what failed on the way.
pub fn train(request: &TrainRequest) -> Result<()> {
    if request.in_sweep {
        end_with_standard_input();
    }
    let (path, config) = match &request.resume {
        Some(path) => (path.clone(), Config::of_run(path)?),
        None => {
            let config = requested(request)?;
            let (task, kind, seed) = (config.task.name(), config.optimizer.kind.name(), config.seed);
            let usual = || free_name(&format!("{task}-{kind}-seed{seed}"));
            (request.out.clone().map_or_else(usual, Ok)?, config)
        }
    };
    let directory = || match (&request.resume, request.in_sweep) {
        (Some(_), true) => RunDirectory::wait_for(&path),
        (Some(_), false) => RunDirectory::open(&path),
        (None, _) => RunDirectory::create(&path, &config),
    };
    if request.resume.is_none() || !is_done(&path) {
        // what can't begin is seen before the directory is made
        tch::set_num_threads(config.threads as i32);
        let device = config.device()?;
        match &config.task {
            Task::Agent(_) => {
                let trainer = AgentRun::new(&config, device)?;
                run(&directory()?, &config, trainer)?;
            }
            Task::Supervised(task) => {
                let trainer = SupervisedRun::new(&config, task, device)?;
                run(&directory()?, &config, trainer)?;
            }
        }
    } else {
        println!("{} is done already", path.display());
    }
    report(&path)
}

/// Whether the run in this directory is done.
fn is_done(path: &Path) -> bool {
    path.join("summary.json").exists()
}

/// Has this process end as soon as whoever started it closes its standard input, or dies and so closes it. A run may
/// end at any instant, so nothing is cleaned up.
fn end_with_standard_input() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        signal_hook::low_level::exit(1)
    });
}

/// The configuration that the request asks for, complete.
fn requested(request: &TrainRequest) -> Result<Config> {
    let source = request.config.as_deref().expect("required by the command line");
    let mut config = Config::read(source, &request.set)?;
    config.seed = request.seed.unwrap_or(config.seed);
    config.threads = request.threads.unwrap_or(config.threads);
    if let Some(folder) = &request.data {
        config.task.set_data(folder)?;
    }
    if let Some(device) = request.device {
        config.device = device.to_string();
    }
    config.complete()
}

/// Trains to the end, tests, and leaves everything in the directory.
fn run(directory: &RunDirectory, config: &Config, mut trainer: impl Trainer) -> Result<()> {
    if is_done(directory.path()) {
        return Ok(()); // by another process, while this one waited
    }
    let (mut log, seconds_before) = match directory.load_last(&mut trainer)? {
        Some((position, seconds)) => (Log::resume(directory.path(), &position)?, seconds),
        None => (Log::create(directory.path())?, 0.0),
    };
    let started = Instant::now();
    let seconds = || seconds_before + started.elapsed().as_secs_f64();
    let mut progress = Progress::new(config.budget(), trainer.unit(), trainer.spent());
    let mut speed = Speed { worked: trainer.worked(), since: Instant::now() };
    let mut has_best = directory.has_best()?;
    let diverged = loop {
        match trainer.go_on() {
            Ok(Halt::Event(event)) => {
                let speed = event.is_update().then(|| (speed.lap(trainer.worked()), trainer.work()));
                progress.event(&event, trainer.spent(), speed);
                if event.is_best() {
                    directory.save_best(&trainer.best())?;
                    has_best = true;
                }
                log.record(&event, seconds(), speed.map(|(speed, _)| speed))?;
            }
            Ok(Halt::Checkpoint) => directory.save_last(&trainer, log.flush()?, seconds())?,
            Ok(Halt::Done) => break false,
            Err(error) if diverged(&error) => {
                eprintln!("{error:#}");
                break true;
            }
            Err(error) => return Err(error),
        }
    };
    progress.finish();
    log.flush()?;
    let seconds = seconds();
    let best = has_best.then(|| load_best(directory.path())).transpose()?;
    if let Some(units) = trainer.units(config)? {
        directory.write_units(&units)?;
    }
    directory.write_summary(&trainer.summary(config, best, seconds, diverged)?)
}

/// Draws the figure and prints the result.
fn report(path: &Path) -> Result<()> {
    let summary = std::fs::read_to_string(path.join("summary.json"))?;
    let summary: Summary =
        serde_json::from_str(&summary).with_context(|| path.join("summary.json").display().to_string())?;
    match &summary.outcome {
        Outcome::Agent { test, random, .. } => {
            let words = |evaluation: &alrao_agents::evaluation::Evaluation| {
                let returns = evaluation.returns;
                format!("{:.1} ± {:.1} over {} episodes", returns.mean, returns.std, evaluation.episodes)
            };
            println!("test return    {}", test.as_ref().map_or(NO_TEST.into(), words));
            println!("random policy  {}", words(random));
        }
        Outcome::Supervised { epochs, best, test, .. } => {
            println!("test           {}", test.map_or(NO_TEST.into(), |test| test.to_string()));
            let best = best.map_or("none".into(), |best| best.epoch.to_string());
            println!("best epoch     {best} of {epochs}");
        }
    }
    if let Some(diagnosis) = &summary.diagnosis {
        let lines = diagnosis.to_string().replace('\n', "\n               ");
        println!("learning rates {lines}");
    }
    println!("run directory  {}", path.display());
    let kind = plot::usual_of_run(&Config::of_run(path)?.task);
    let figure = path.join(plot::file(kind));
    match plot::figure(kind, &[path.into()]).and_then(|drawn| drawn.save(&figure)) {
        Ok(()) => println!("figure         {}", figure.display()),
        // a run that diverged at once
        Err(PlotError::NoLosses { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Work per second between laps.
struct Speed {
    worked: u64,
    since: Instant,
}

impl Speed {
    fn lap(&mut self, worked: u64) -> f64 {
        let before = std::mem::replace(self, Speed { worked, since: Instant::now() });
        (worked - before.worked) as f64 / before.since.elapsed().as_secs_f64()
    }
}
