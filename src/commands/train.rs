//! `alrao train`: from a configuration, or a run directory to go on in, to a tested agent.

use std::path::Path;
use std::time::Instant;

use alrao_agents::q_network::QNetwork;
use alrao_agents::training::{self, Event, Halt, Training};
use alrao_core::Error::{Diverged, NoFiniteFeatures, NoFiniteHead};
use alrao_core::network::Network;
use alrao_envs::Environment;
use alrao_plots::{RunRecord, plot_returns};
use anyhow::{Context, Result};
use tch::Device;

use crate::command_line::TrainRequest;
use crate::config::Config;
use crate::log::Log;
use crate::progress::Progress;
use crate::run_directory::{RunDirectory, free_name, load_best};
use crate::summary::Summary;

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`](crate::command_line::WrongRequest) or a setting's error if the request can't be met, with nothing made; else what failed on the way.
pub fn train(request: &TrainRequest) -> Result<()> {
    if request.in_sweep {
        end_with_standard_input();
    }
    let (directory, config) = match &request.resume {
        Some(path) if request.in_sweep => RunDirectory::wait_for(path)?,
        Some(path) => RunDirectory::open(path)?,
        None => {
            let config = requested(request)?;
            let (environment, kind, seed) = (&config.environment.name, config.optimizer.kind.name(), config.seed);
            let usual = || free_name(&format!("{environment}-{kind}-seed{seed}"));
            let path = request.out.clone().map_or_else(usual, Ok)?;
            (RunDirectory::create(&path, &config)?, config)
        }
    };
    let path = directory.path().to_path_buf();
    if path.join("summary.json").exists() {
        println!("{} is done already", path.display());
    } else {
        run(&directory, &config)?;
    }
    report(&path)
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
    if let Some(device) = request.device {
        config.device = device.to_string();
    }
    config.complete()
}

/// Trains to the end of the budget, tests, and leaves everything in the directory.
fn run(directory: &RunDirectory, config: &Config) -> Result<()> {
    tch::set_num_threads(config.threads as i32);
    let device = config.device()?;
    let make = || alrao_envs::make(&config.environment);
    let method = config.method()?;
    let mut training = Training::new(&config.schedule, &config.agent, &method, &make, config.seed, device)?;
    let (mut log, seconds_before) = match directory.load_last(&mut training)? {
        Some((position, seconds)) => (Log::resume(directory.path(), &position)?, seconds),
        None => (Log::create(directory.path())?, 0.0),
    };

    let started = Instant::now();
    let seconds = || seconds_before + started.elapsed().as_secs_f64();
    let mut progress = Progress::new(config.schedule.steps, training.steps());
    let mut speed = Speed { step: training.steps(), since: Instant::now() };
    let diverged = loop {
        match training.go_on() {
            Ok(Halt::Event(event)) => {
                progress.event(&event, training.steps());
                if let Event::Validation { best: true, .. } = event {
                    directory.save_best(training.judged())?;
                }
                let steps_per_second = matches!(event, Event::Update { .. }).then(|| speed.lap(training.steps()));
                log.record(&event, seconds(), steps_per_second)?;
            }
            Ok(Halt::Checkpoint) => directory.save_last(&training, log.flush()?, seconds())?,
            Ok(Halt::Done) => break false,
            Err(alrao_agents::Error::Core(
                error @ (Diverged { .. } | NoFiniteHead { .. } | NoFiniteFeatures { .. }),
            )) => {
                eprintln!("{error}");
                break true;
            }
            Err(error) => return Err(error.into()),
        }
    };
    progress.finish();
    log.flush()?;

    let seconds = seconds();
    let episodes = config.schedule.test_episodes;
    let test = training.best().map(|_| -> Result<_> {
        Ok(training::test(&best_network(directory.path(), config, device)?, &make, config.seed, episodes)?)
    });
    directory.write_summary(&Summary {
        task: config.environment.name.clone(),
        seed: config.seed,
        optimizer: config.optimizer.kind.name().into(),
        steps: training.steps(),
        seconds,
        diverged,
        best: training.best(),
        test: test.transpose()?,
        random: training::test_random(&make, config.seed, episodes)?,
        diagnosis: training.agent().diagnose(),
    })
}

/// The network of a run's best checkpoint.
///
/// # Errors
/// [`WrongRequest`](crate::command_line::WrongRequest) if there is none; else it is damaged.
pub fn best_network(run: &Path, config: &Config, device: Device) -> Result<Network<alrao_core::layers::Mlp>> {
    let environment = alrao_envs::make(&config.environment)?;
    let (observation_len, actions) = (environment.observation_len(), environment.action_count());
    let q = QNetwork::new(observation_len, actions, &config.agent.network, &config.method()?, config.seed, device)?;
    let mut network = q.network().copy();
    load_best(run, &mut network)?;
    Ok(network)
}

/// Draws the figure and prints the result.
fn report(path: &Path) -> Result<()> {
    let summary = std::fs::read_to_string(path.join("summary.json"))?;
    let summary: Summary =
        serde_json::from_str(&summary).with_context(|| path.join("summary.json").display().to_string())?;
    let words = |evaluation: &alrao_agents::evaluation::Evaluation| {
        let returns = evaluation.returns;
        format!("{:.1} ± {:.1} over {} episodes", returns.mean, returns.std, evaluation.episodes)
    };
    println!(
        "test return    {}",
        summary.test.as_ref().map_or("none: it diverged before any validation".into(), words)
    );
    println!("random policy  {}", words(&summary.random));
    if let Some(diagnosis) = &summary.diagnosis {
        let lines = diagnosis.to_string().replace('\n', "\n               ");
        println!("learning rates {lines}");
    }
    println!("run directory  {}", path.display());
    let figure = path.join("plots/returns.svg");
    plot_returns(&[RunRecord::read(path)?], &figure)?;
    println!("figure         {}", figure.display());
    Ok(())
}

/// Environment steps per second between laps.
struct Speed {
    step: u64,
    since: Instant,
}

impl Speed {
    fn lap(&mut self, step: u64) -> f64 {
        let before = std::mem::replace(self, Speed { step, since: Instant::now() });
        (step - before.step) as f64 / before.since.elapsed().as_secs_f64()
    }
}
