//! Seconds until an agent with default settings solves an environment, on one thread. `cargo xtask bench solve` compares them
//! with Stable-Baselines3's.
//!
//! ```text
//! cargo bench --bench solve -- ENVIRONMENT STEPS THRESHOLD SEED
//! ```
//!
//! The agent has a budget of STEPS environment steps. Every 2,000 steps, it plays 100 greedy episodes while the clock stands
//! still, always the same ones, which Stable-Baselines3's agent plays, too; it has solved the environment once their mean
//! return is at least THRESHOLD. If it never does, `inf s` is printed.

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use alrao::agents::callback::{Callback, CallbackError, TrainingContext};
use alrao::agents::dqn::AgentSettings;
use alrao::agents::evaluation::{Evaluation, play};
use alrao::agents::q_network::greedy_actions;
use alrao::agents::training::{DqnStopReason, DqnTrainer, Schedule};
use alrao::core::method::Method;
use alrao::core::tch::{self, Device};
use alrao::envs::{Environment, EnvironmentSettings, Registry};
use anyhow::{Context, Result, bail};

/// Environment steps between evaluations.
const EVALUATE_EVERY: u64 = 2_000;
/// The seeds of the evaluations' episodes.
const EPISODES: Range<u64> = 1_000_000..1_000_100;
/// Environment steps after which an episode of an evaluation is ended.
const LONGEST: u64 = 10_000;

fn main() -> Result<()> {
    tch::set_num_threads(1);
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [environment, steps, threshold, seed] => {
            let threshold = threshold.parse().context("THRESHOLD")?;
            let steps = steps.parse().context("STEPS")?;
            let solved = solve(environment, steps, threshold, seed.parse().context("SEED")?)?;
            println!("{:.2} s", solved.map_or(f64::INFINITY, |time| time.as_secs_f64()));
            Ok(())
        }
        [] => Ok(()), // without arguments in `cargo test --all-targets`
        _ => bail!("usage: ENVIRONMENT STEPS THRESHOLD SEED"),
    }
}

/// Trains until the environment is solved, and returns the time without evaluations; `None` if the budget ends before.
fn solve(environment: &str, steps: u64, threshold: f64, seed: u64) -> Result<Option<Duration>> {
    let make = || Registry::builtin().make(&EnvironmentSettings::new(environment));
    let schedule = Schedule { validate_every: steps, validation_episodes: 1, ..Schedule::of(steps) };
    let (settings, method) = (AgentSettings::default(), Method::alrao_adam());
    let mut trainer = DqnTrainer::new(&schedule, &settings, &method, &make, seed, Device::Cpu)?;
    let environments = EPISODES.map(|_| make()).collect::<Result<_, _>>()?;
    let solved = Rc::default();
    let stopwatch =
        Stopwatch { environments, threshold, time: Duration::ZERO, since: Instant::now(), solved: Rc::clone(&solved) };
    trainer.add_callback(Box::new(stopwatch))?;
    while trainer.advance()? != DqnStopReason::Finished {}
    Ok(solved.get())
}

/// Measures the time of the training without evaluations, and stops it once the environment is solved.
struct Stopwatch {
    /// one per episode of an evaluation
    environments: Vec<Box<dyn Environment>>,
    threshold: f64,
    time: Duration,
    since: Instant,
    solved: Rc<Cell<Option<Duration>>>,
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
        if !training.step.is_multiple_of(EVALUATE_EVERY) {
            return Ok(());
        }
        self.time += self.since.elapsed();
        let seeds: Vec<u64> = EPISODES.collect();
        let network = training.agent.target();
        let played = play(
            &mut self.environments,
            &seeds,
            LONGEST,
            |_| true,
            |observations, masks| Ok(greedy_actions(network, observations, masks)?),
        )?;
        let (returns, _) = played.expect("it went on");
        if Evaluation::of(&returns).returns.mean >= self.threshold {
            self.solved.set(Some(self.time));
            training.stop("solved");
        }
        self.since = Instant::now();
        Ok(())
    }
}
