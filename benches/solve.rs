//! Seconds until an agent with default settings solves an environment, on one thread. `cargo xtask bench solve` compares them
//! with Stable-Baselines3's.
//!
//! ```text
//! cargo bench --bench solve -- ENVIRONMENT STEPS THRESHOLD SEED
//! ```
//!
//! The agent has a budget of STEPS environment steps. Every 2,000 steps, it plays 100 greedy episodes while the clock stands
//! still; it has solved the environment once their mean return is at least THRESHOLD. If it never does, `inf s` is printed.

use std::time::{Duration, Instant};

use alrao::agents::callback::{Callback, CallbackError, TrainingContext};
use alrao::agents::dqn::AgentSettings;
use alrao::agents::evaluation::Evaluation;
use alrao::agents::training::{DqnEvent, DqnStopReason, DqnTrainer, Schedule};
use alrao::core::method::Method;
use alrao::core::tch::{self, Device};
use alrao::envs::{EnvironmentSettings, Registry};
use anyhow::{Context, Result, bail};

const VALIDATE_EVERY: u64 = 2_000;
/// The metric of the [`Stopwatch`].
const SECONDS: &str = "seconds";

fn main() -> Result<()> {
    tch::set_num_threads(1);
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [environment, steps, threshold, seed] => {
            let threshold = threshold.parse().context("THRESHOLD")?;
            let steps = steps.parse().context("STEPS")?;
            let schedule = Schedule {
                validate_every: VALIDATE_EVERY,
                validation_episodes: 100,
                stop_at: Some(threshold),
                ..Schedule::of(steps)
            };
            let solved = solve(environment, &schedule, seed.parse().context("SEED")?)?;
            println!("{:.2} s", solved.map_or(f64::INFINITY, |time| time.as_secs_f64()));
            Ok(())
        }
        [] => Ok(()), // without arguments in `cargo test --all-targets`
        _ => bail!("usage: ENVIRONMENT STEPS THRESHOLD SEED"),
    }
}

/// Trains until the environment is solved, and returns the time without validations; `None` if the schedule ends before.
fn solve(environment: &str, schedule: &Schedule, seed: u64) -> Result<Option<Duration>> {
    let make = || Registry::builtin().make(&EnvironmentSettings::new(environment));
    let (settings, method) = (AgentSettings::default(), Method::alrao());
    let mut trainer = DqnTrainer::new(schedule, &settings, &method, &make, seed, Device::Cpu)?;
    trainer.add_callback(Box::new(Stopwatch { time: Duration::ZERO, since: Instant::now() }))?;
    let mut seconds = 0.0;
    loop {
        match trainer.advance()? {
            DqnStopReason::Event(DqnEvent::Metric { name, value, .. }) if name == SECONDS => seconds = value,
            DqnStopReason::Finished => break,
            DqnStopReason::Event(_) | DqnStopReason::Checkpoint => {}
        }
    }
    Ok(trainer.stopped().map(|_| Duration::from_secs_f64(seconds)))
}

/// Measures the time of the training without its validations, and records it after each.
struct Stopwatch {
    time: Duration,
    since: Instant,
}

impl Callback for Stopwatch {
    fn name(&self) -> &str {
        "stopwatch"
    }

    fn on_training_start(&mut self, _training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        self.since = Instant::now();
        Ok(())
    }

    fn on_step(&mut self, training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        if training.step.is_multiple_of(VALIDATE_EVERY) || training.step == training.budget {
            self.time += self.since.elapsed();
        }
        Ok(())
    }

    fn on_validation(
        &mut self,
        training: &mut TrainingContext<'_>,
        _evaluation: &Evaluation,
    ) -> Result<(), CallbackError> {
        training.record(SECONDS, self.time.as_secs_f64());
        self.since = Instant::now();
        Ok(())
    }
}
