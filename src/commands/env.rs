//! `alrao env`: lists, checks, benchmarks and traces environments without an agent.

use std::borrow::Cow;
use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use alrao_agents::mask::{Mask, random_action as random_legal_action};
use alrao_core::path::Shown;
use alrao_core::streams::{Stream, stream};
use alrao_envs::{
    Action, ActionSpace, EnvSpec, Environment, EnvironmentError, EnvironmentSettings, GYMNASIUM_PREFIX, Step, VectorEnv,
};
use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use rand::RngExt;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use serde_json::{Value, json};
use toml::Table;

use crate::catalog::Catalog;
use crate::config::{insert, parse_value};
use crate::output::{note, say};
use crate::seed::seed;
use crate::usage_error::UsageError;

/// The arguments of `alrao env`.
#[derive(Subcommand)]
pub enum EnvArgs {
    /// List the environments.
    List {
        /// Print JSON: what each environment's specification says.
        #[arg(long)]
        json: bool,
    },
    /// Check that an environment conforms to the API.
    Check(Chosen),
    /// Measure environment steps per second of CPU time, with random actions drawn in advance; of environments of
    /// Gymnasium, per second.
    Bench(BenchArgs),
    /// Run an episode and print a JSON line per step: t, action, obs, reward, terminated, truncated.
    Trace(TraceArgs),
}

/// An environment with settings.
#[derive(clap::Args)]
pub struct Chosen {
    /// Name of the environment.
    env: String,
    /// Override a setting, as in `--set environment.torques=3`.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// The arguments of `alrao env bench`.
#[derive(clap::Args)]
pub struct BenchArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Step this many environments at once, as a vector environment.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    num_envs: Option<u32>,
    /// Duration in seconds, of CPU time where that is measured.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
}

/// The arguments of `alrao env trace`.
#[derive(clap::Args)]
pub struct TraceArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Seed of the episode, as in Gymnasium's `reset`.
    #[arg(long, value_parser = seed)]
    seed: u64,
    /// File with one action per line: an index, or the values of a continuous action.
    #[arg(long, value_name = "FILE", required_unless_present = "policy", conflicts_with = "policy")]
    actions: Option<PathBuf>,
    /// Policy that selects the actions, instead of a file.
    #[arg(long)]
    policy: Option<Policy>,
    /// Maximum number of steps; stops earlier at the end of the episode or of the actions.
    #[arg(long, value_name = "N")]
    steps: usize,
}

/// A policy that doesn't learn.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Policy {
    /// Uniformly random actions, drawn with the seed.
    Random,
    /// The environment's scripted policy, if it has one.
    Heuristic,
}

#[derive(Serialize)]
struct Line {
    t: usize,
    action: Value,
    obs: Vec<f64>,
    reward: f64,
    terminated: bool,
    truncated: bool,
}

/// An environment in the list.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    description: &'a str,
    obs_dim: usize,
    actions: Value,
    time_limit: Option<u32>,
    fps: u32,
    settings: &'a Table,
}

impl<'a> Listed<'a> {
    fn of(spec: &'a EnvSpec) -> Self {
        let EnvSpec { name, description, obs_dim, time_limit, fps, .. } = spec;
        let actions = match spec.actions {
            ActionSpace::Discrete(count) => json!({ "discrete": count }),
            ActionSpace::Continuous { low, high, dim } => json!({ "continuous": dim, "low": low, "high": high }),
        };
        let settings = spec.entry_point.defaults();
        Self { name, description, obs_dim: *obs_dim, actions, time_limit: *time_limit, fps: *fps, settings }
    }
}

/// Runs the command.
///
/// # Errors
/// [`UsageError`] for an unknown environment or an invalid action; else the environment's error.
pub fn env(args: &EnvArgs, catalog: &Catalog) -> Result<()> {
    match args {
        EnvArgs::List { json: false } => {
            catalog.environments.names().try_for_each(|name| say!("{name}"))?;
            note!("and those of Gymnasium, by id, as `{GYMNASIUM_PREFIX}CartPole-v1`");
            Ok(())
        }
        EnvArgs::List { json: true } => {
            let listed: Vec<_> = catalog.environments.specs().map(Listed::of).collect();
            say!("{}", serde_json::to_string(&listed)?)
        }
        EnvArgs::Check(chosen) => {
            let settings = chosen.settings()?;
            make(catalog, &settings)?;
            say!("{}", alrao_envs::check_env(|| catalog.environments.make(&settings), 0)?)
        }
        EnvArgs::Bench(args) => bench(args, catalog),
        EnvArgs::Trace(args) => trace(args, catalog),
    }
}

impl Chosen {
    /// Returns the environment's name and the settings given.
    fn settings(&self) -> Result<EnvironmentSettings> {
        let mut table = Table::new();
        for set in &self.set {
            let wrong = |problem: &str| UsageError(format!("--set {set}: {problem}"));
            let (key, value) = set
                .split_once('=')
                .and_then(|(key, value)| Some((key.trim().strip_prefix("environment.")?, value)))
                .ok_or_else(|| wrong("must be environment.KEY=VALUE, as in environment.torques=3"))?;
            insert(&mut table, key, parse_value(value.trim())).map_err(|problem| wrong(&problem))?;
        }
        table.insert("name".into(), self.env.clone().into());
        Ok(table.try_into().map_err(|error: toml::de::Error| UsageError(error.message().into()))?)
    }
}

/// Makes an environment.
fn make(catalog: &Catalog, settings: &EnvironmentSettings) -> Result<Box<dyn Environment>> {
    Ok(catalog.environments.make(settings).map_err(|error| UsageError(error.to_string()))?)
}

/// Returns an environment's specification and an instance of it.
fn find<'a>(catalog: &'a Catalog, settings: &EnvironmentSettings) -> Result<(Cow<'a, EnvSpec>, Box<dyn Environment>)> {
    let environment = make(catalog, settings)?;
    Ok((catalog.environments.spec(&settings.name)?, environment)) // in this order: making it may complete the specification
}

/// Minimum number of actions drawn in advance and taken between two readings of the clock.
const ACTIONS: usize = 10_000;

fn bench(args: &BenchArgs, catalog: &Catalog) -> Result<()> {
    let settings = args.chosen.settings()?;
    let mut play = match args.num_envs {
        None => single_env(catalog, &settings)?,
        Some(num_envs) => vector_env(catalog, settings.clone(), NonZero::new(num_envs as usize).expect("at least 1"))?,
    };
    // Other processes make the steps of Gymnasium's environments.
    let elsewhere = settings.name.starts_with(GYMNASIUM_PREFIX);
    let (clock, unit) =
        if elsewhere { (ClockId::Monotonic, "second") } else { (ClockId::ProcessCPUTime, "CPU second") };
    let (started, mut steps, mut episodes) = (seconds_of(clock), 0, 0);
    let seconds = loop {
        let (more_steps, more_episodes) = play()?;
        steps += more_steps;
        episodes += more_episodes;
        let seconds = seconds_of(clock) - started;
        if seconds >= args.seconds.into() {
            break seconds;
        }
    };
    say!("{:.0} steps per {unit} ({steps} steps, {episodes} episodes)", steps as f64 / seconds)
}

/// Returns the seconds on a clock: those of the process's CPU time hardly depend on the machine's other load.
fn seconds_of(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Takes some steps and returns their number and that of finished episodes.
type Play = Box<dyn FnMut() -> Result<(usize, usize), EnvironmentError>>;

/// Returns a function that steps one environment.
fn single_env(catalog: &Catalog, settings: &EnvironmentSettings) -> Result<Play> {
    let (spec, mut environment) = find(catalog, settings)?;
    let mut rng = stream(0, "random policy");
    let actions: Vec<Action> = (0..ACTIONS).map(|_| random_action(spec.actions, None, &mut rng)).collect();
    let mut seed = 0;
    environment.reset(seed)?;
    Ok(Box::new(move || {
        let before = seed;
        for action in &actions {
            if legal(action, environment.action_mask()).take(&mut environment)?.ended() {
                seed += 1;
                environment.reset(seed)?;
            }
        }
        Ok((actions.len(), (seed - before) as usize))
    }))
}

/// Returns a function that steps `num_envs` environments at once.
fn vector_env(catalog: &Catalog, settings: EnvironmentSettings, num_envs: NonZero<usize>) -> Result<Play> {
    let (spec, _) = find(catalog, &settings)?;
    let ActionSpace::Discrete(count) = spec.actions else {
        let problem = format!(
            "--num-envs: {} has continuous actions, but a vector environment needs discrete actions; leave \
             --num-envs out",
            settings.name
        );
        return Err(UsageError(problem).into());
    };
    let mut rng = stream(0, "random policy");
    let steps = ACTIONS.div_ceil(num_envs.get()).max(100); // so that no environment repeats a few actions
    let actions: Vec<usize> = (0..steps * num_envs.get()).map(|_| rng.random_range(0..count)).collect();
    let seed = move |env, episode| episode * num_envs.get() as u64 + env as u64;
    let mut envs = VectorEnv::new(num_envs, NonZero::<usize>::MIN, |_| catalog.environments.make(&settings), seed)?;
    envs.reset()?;
    Ok(Box::new(move || {
        let mut episodes = 0;
        for actions in actions.chunks_exact(num_envs.get()) {
            let actions = actions.iter().enumerate().map(|(env, &action)| next_legal(action, envs.action_mask(env)));
            let actions: Vec<usize> = actions.collect();
            envs.step(&actions)?;
            episodes += envs.steps().iter().filter(|step| step.ended()).count();
        }
        Ok((actions.len(), episodes))
    }))
}

fn trace(args: &TraceArgs, catalog: &Catalog) -> Result<()> {
    let (spec, mut environment) = find(catalog, &args.chosen.settings()?)?;
    let given = args.actions.as_deref().map(|path| read_actions(path, spec.actions)).transpose()?;
    let heuristic = spec.heuristic.filter(|_| args.policy == Some(Policy::Heuristic));
    if args.policy == Some(Policy::Heuristic) && heuristic.is_none() {
        let scripted: Vec<_> =
            catalog.environments.specs().filter(|spec| spec.heuristic.is_some()).map(|spec| &*spec.name).collect();
        let problem = format!(
            "--policy heuristic: {} has no heuristic policy; environments with one: {}",
            args.chosen.env,
            scripted.join(", ")
        );
        return Err(UsageError(problem).into());
    }
    let mut rng = stream(args.seed, "random policy");
    environment.reset(args.seed)?;
    for t in 0..args.steps.min(given.as_ref().map_or(usize::MAX, Vec::len)) {
        let action = match (&given, heuristic) {
            (Some(actions), _) => actions[t].clone(),
            (None, Some(heuristic)) => heuristic(environment.observation()),
            (None, None) => random_action(spec.actions, environment.action_mask(), &mut rng),
        };
        let Step { reward, terminated, truncated } = action.take(&mut environment)?;
        let obs = environment.typed_observation().to_f32().into_iter().map(f64::from).collect();
        let line = Line { t, action: to_json(&action), obs, reward, terminated, truncated };
        say!("{}", serde_json::to_string(&line)?)?;
        if terminated || truncated {
            break;
        }
    }
    Ok(())
}

/// Returns an action that was drawn in advance or, if it is illegal now, the next legal one.
fn legal<'a>(action: &'a Action<'_>, mask: Mask) -> Cow<'a, Action<'a>> {
    match *action {
        Action::Discrete(index) if mask.is_some() => Cow::Owned(Action::Discrete(next_legal(index, mask))),
        _ => Cow::Borrowed(action),
    }
}

fn next_legal(action: usize, mask: Mask) -> usize {
    let Some(mask) = mask else { return action };
    (action..mask.len()).chain(0..action).find(|&action| mask[action]).expect("a legal action")
}

/// Draws a uniformly random legal action.
fn random_action(actions: ActionSpace, mask: Mask, rng: &mut Stream) -> Action<'static> {
    match actions {
        ActionSpace::Discrete(count) => Action::Discrete(random_legal_action(count, mask, rng)),
        ActionSpace::Continuous { low, high, dim } => {
            Action::Continuous((0..dim).map(|_| rng.random_range(low..=high)).collect())
        }
    }
}

/// Returns an action in the format of action files.
fn to_json(action: &Action<'_>) -> Value {
    match action {
        Action::Discrete(index) => (*index).into(),
        Action::Continuous(numbers) => match numbers[..] {
            [number] => f64::from(number).into(),
            _ => numbers.iter().map(|&x| f64::from(x)).collect(),
        },
    }
}

/// Reads a file with one action of the given space per line.
fn read_actions(path: &Path, actions: ActionSpace) -> Result<Vec<Action<'static>>> {
    let wrong = |problem: String| UsageError(format!("{}{problem}", path.shown()));
    let text = fs::read_to_string(path).map_err(|error| wrong(format!(": {error}")))?;
    let parse = |line: &str| match actions {
        ActionSpace::Discrete(count) => line.trim().parse().ok().filter(|&index| index < count).map(Action::Discrete),
        ActionSpace::Continuous { dim, .. } => {
            let words = line.split([' ', ',', '\t']).filter(|word| !word.is_empty());
            let values: Vec<f32> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
            let valid = values.len() == dim && values.iter().all(|x| x.is_finite());
            valid.then(|| Action::Continuous(values.into()))
        }
    };
    let expected = match actions {
        ActionSpace::Discrete(count) => format!("an index from 0 to {}", count - 1),
        ActionSpace::Continuous { dim: 1, .. } => "a number".into(),
        ActionSpace::Continuous { dim, .. } => format!("{dim} numbers"),
    };
    let action = |(i, line): (usize, &str)| {
        parse(line).ok_or_else(|| wrong(format!(", line {}: `{line}` is not {expected}", i + 1)))
    };
    text.lines().enumerate().map(action).collect::<Result<_, _>>().context("invalid actions")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &str, text: &str) -> Result<Vec<Action<'static>>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        read_actions(file.path(), Catalog::builtin().environments.spec(env).unwrap().actions)
    }

    #[test]
    fn action_files_are_read_for_discrete_and_continuous_actions() {
        let numbers = |numbers: &[f32]| Action::Continuous(numbers.to_vec().into());
        assert_eq!(read("pendulum", "0\n4\n").unwrap(), [Action::Discrete(0), Action::Discrete(4)]);
        assert_eq!(read("pendulum-continuous", "-0.5\n").unwrap(), [numbers(&[-0.5])]);
        assert_eq!(read("lunar-lander-continuous", "1 -0.25\n").unwrap(), [numbers(&[1.0, -0.25])]);
    }

    #[test]
    fn errors_name_the_invalid_line() {
        for (env, text, line) in [
            ("pendulum", "0\n5\n", "line 2"),
            ("pendulum", "left\n", "line 1"),
            ("pendulum-continuous", "0\nnan\n", "line 2"),
            ("lunar-lander-continuous", "1\n", "line 1"),
        ] {
            let message = format!("{:#}", read(env, text).unwrap_err());
            assert!(message.contains(line), "{message}");
        }
    }
}
