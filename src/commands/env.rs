//! `alrao env`: the environments by themselves, without an agent.

use std::fs;
use std::io::Write;
use std::num::NonZero;
use std::path::{Path, PathBuf};

use alrao_core::streams::{Stream, stream};
use alrao_envs::{
    Action, ActionSpace, EnvSpec, Environment, EnvironmentError, EnvironmentSettings, Registry, Step, Vector,
};
use anyhow::{Context, Result};
use clap::{Subcommand, ValueEnum};
use rand::RngExt;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use serde_json::Value;

use crate::wrong_request::WrongRequest;

/// What `alrao env` is asked for.
#[derive(Subcommand)]
pub enum EnvRequest {
    /// Name the environments there are.
    List,
    /// Hold an environment to what training counts on.
    Check {
        /// Its name.
        env: String,
    },
    /// Count an environment's steps in a second of processor time, with random actions drawn beforehand.
    Bench(BenchRequest),
    /// Play an episode and write one JSON line a step: t, action, obs, reward, terminated, truncated.
    Trace(TraceRequest),
}

/// What `alrao env bench` is asked for.
#[derive(clap::Args)]
pub struct BenchRequest {
    /// The environment's name.
    env: String,
    /// Step this many copies at once, as a vector.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    copies: Option<u32>,
    /// How long to count, in seconds of processor time.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
}

/// What `alrao env trace` is asked for.
#[derive(clap::Args)]
pub struct TraceRequest {
    /// The environment's name.
    env: String,
    /// The seed its episode starts from, as in Gymnasium.
    #[arg(long)]
    seed: u64,
    /// A file with one action a line: an index, or the numbers of a continuous action.
    #[arg(long, value_name = "FILE", required_unless_present = "policy", conflicts_with = "policy")]
    actions: Option<PathBuf>,
    /// What chooses the actions, if no file does.
    #[arg(long)]
    policy: Option<Policy>,
    /// The most steps to play; it stops before at the end of the episode, or of the actions.
    #[arg(long, value_name = "N")]
    steps: usize,
}

/// A way to act without learning.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Policy {
    /// Uniformly random actions, drawn from the seed.
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

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`] if there is no such environment or action; else what the environment fails with.
pub fn env(request: &EnvRequest, registry: &Registry) -> Result<()> {
    match request {
        EnvRequest::List => {
            registry.names().for_each(|name| println!("{name}"));
            Ok(())
        }
        EnvRequest::Check { env } => {
            find(registry, env)?;
            println!("{}", alrao_envs::check(|| registry.make(&EnvironmentSettings::new(env)), 0)?);
            Ok(())
        }
        EnvRequest::Bench(request) => bench(request, registry),
        EnvRequest::Trace(request) => trace(request, registry),
    }
}

/// The row of an environment, and one.
fn find<'a>(registry: &'a Registry, name: &str) -> Result<(&'a EnvSpec, Box<dyn Environment>)> {
    let found = || Ok((registry.get(name)?, registry.make(&EnvironmentSettings::new(name))?));
    Ok(found().map_err(|error: EnvironmentError| WrongRequest(error.to_string()))?)
}

/// How many actions at least are drawn beforehand, and taken between two looks at the clock.
const ACTIONS: usize = 10_000;

fn bench(request: &BenchRequest, registry: &Registry) -> Result<()> {
    let mut play = match request.copies {
        None => player(registry, &request.env)?,
        Some(copies) => players(registry, &request.env, NonZero::new(copies as usize).expect("at least 1"))?,
    };
    let (started, mut steps, mut episodes) = (processor_time(), 0, 0);
    let seconds = loop {
        let (more_steps, more_episodes) = play()?;
        steps += more_steps;
        episodes += more_episodes;
        let seconds = processor_time() - started;
        if seconds >= request.seconds.into() {
            break seconds;
        }
    };
    println!("{:.0} steps a CPU second over {steps} steps in {episodes} episodes", steps as f64 / seconds);
    Ok(())
}

/// The seconds that processors worked for this program; what else the machine does hardly changes a rate by them.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Plays on for a while, and tells the numbers of steps and of ended episodes.
type Play = Box<dyn FnMut() -> Result<(usize, usize), EnvironmentError>>;

/// Plays one environment.
fn player(registry: &Registry, name: &str) -> Result<Play> {
    let (row, mut environment) = find(registry, name)?;
    let mut rng = stream(0, "random policy");
    let actions: Vec<Action> = (0..ACTIONS).map(|_| random(row.actions, &mut rng)).collect();
    let mut seed = 0;
    environment.reset(seed)?;
    Ok(Box::new(move || {
        let before = seed;
        for action in &actions {
            if action.take(&mut environment)?.ended() {
                seed += 1;
                environment.reset(seed)?;
            }
        }
        Ok((actions.len(), (seed - before) as usize))
    }))
}

/// Plays so many copies at once.
fn players(registry: &Registry, name: &str, copies: NonZero<usize>) -> Result<Play> {
    let (row, _) = find(registry, name)?;
    let ActionSpace::Discrete(count) = row.actions else {
        let problem = format!("--copies: {name} takes continuous actions, and copies are driven by numbered ones");
        return Err(WrongRequest(problem).into());
    };
    let mut rng = stream(0, "random policy");
    let turns = ACTIONS.div_ceil(copies.get()).max(100); // no copy is to repeat a few actions
    let actions: Vec<usize> = (0..turns * copies.get()).map(|_| rng.random_range(0..count)).collect();
    let seed = move |copy, episode| episode * copies.get() as u64 + copy as u64;
    let settings = EnvironmentSettings::new(name);
    let mut vector = Vector::new(copies, NonZero::<usize>::MIN, |_| registry.make(&settings), seed)?;
    vector.reset()?;
    Ok(Box::new(move || {
        let mut episodes = 0;
        for actions in actions.chunks_exact(copies.get()) {
            vector.step(actions)?;
            episodes += vector.steps().iter().filter(|step| step.ended()).count();
        }
        Ok((actions.len(), episodes))
    }))
}

fn trace(request: &TraceRequest, registry: &Registry) -> Result<()> {
    let (row, mut environment) = find(registry, &request.env)?;
    let given = request.actions.as_deref().map(|path| read_actions(path, row.actions)).transpose()?;
    let heuristic = row.heuristic.filter(|_| request.policy == Some(Policy::Heuristic));
    if request.policy == Some(Policy::Heuristic) && heuristic.is_none() {
        let scripted: Vec<_> = registry.rows().filter(|row| row.heuristic.is_some()).map(|row| &*row.name).collect();
        let problem = format!("--policy heuristic: plays {}, not {}", scripted.join(", "), request.env);
        return Err(WrongRequest(problem).into());
    }
    let mut rng = stream(request.seed, "random policy");
    let mut out = std::io::stdout().lock();
    environment.reset(request.seed)?;
    for t in 0..request.steps.min(given.as_ref().map_or(usize::MAX, Vec::len)) {
        let action = match (&given, heuristic) {
            (Some(actions), _) => actions[t].clone(),
            (None, Some(heuristic)) => heuristic(environment.observation()),
            (None, None) => random(row.actions, &mut rng),
        };
        let Step { reward, terminated, truncated } = action.take(&mut environment)?;
        let obs = environment.observation().iter().map(|&x| f64::from(x)).collect();
        let line = Line { t, action: written(&action), obs, reward, terminated, truncated };
        if let Err(error) = writeln!(out, "{}", serde_json::to_string(&line)?) {
            // whoever reads it has seen enough
            return if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error.into()) };
        }
        if terminated || truncated {
            break;
        }
    }
    Ok(())
}

/// A uniformly random action.
fn random(actions: ActionSpace, rng: &mut Stream) -> Action<'static> {
    match actions {
        ActionSpace::Discrete(count) => Action::Discrete(rng.random_range(0..count)),
        ActionSpace::Continuous { low, high, len } => {
            Action::Continuous((0..len).map(|_| rng.random_range(low..=high)).collect())
        }
    }
}

/// An action as action files have it.
fn written(action: &Action<'_>) -> Value {
    match action {
        Action::Discrete(index) => (*index).into(),
        Action::Continuous(numbers) => match numbers[..] {
            [number] => f64::from(number).into(),
            _ => numbers.iter().map(|&x| f64::from(x)).collect(),
        },
    }
}

/// The actions in a file, one a line, of the kind that the environment takes.
fn read_actions(path: &Path, actions: ActionSpace) -> Result<Vec<Action<'static>>> {
    let wrong = |problem: String| WrongRequest(format!("{}{problem}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| wrong(format!(": {error}")))?;
    let parse = |line: &str| match actions {
        ActionSpace::Discrete(count) => line.trim().parse().ok().filter(|&index| index < count).map(Action::Discrete),
        ActionSpace::Continuous { len, .. } => {
            let words = line.split([' ', ',', '\t']).filter(|word| !word.is_empty());
            let values: Vec<f32> = words.map(|word| word.parse().ok()).collect::<Option<_>>()?;
            let numbers = values.len() == len && values.iter().all(|x| x.is_finite());
            numbers.then(|| Action::Continuous(values.into()))
        }
    };
    let expected = match actions {
        ActionSpace::Discrete(count) => format!("an index from 0 to {}", count - 1),
        ActionSpace::Continuous { len: 1, .. } => "a number".into(),
        ActionSpace::Continuous { len, .. } => format!("{len} numbers"),
    };
    let action = |(i, line): (usize, &str)| {
        parse(line).ok_or_else(|| wrong(format!(", line {}: `{line}` is not {expected}", i + 1)))
    };
    text.lines().enumerate().map(action).collect::<Result<_, _>>().context("no such actions")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(env: &str, text: &str) -> Result<Vec<Action<'static>>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        read_actions(file.path(), Registry::builtin().get(env).unwrap().actions)
    }

    #[test]
    fn action_files_are_read_as_the_environment_needs() {
        let numbers = |numbers: &[f32]| Action::Continuous(numbers.to_vec().into());
        assert_eq!(read("pendulum", "0\n4\n").unwrap(), [Action::Discrete(0), Action::Discrete(4)]);
        assert_eq!(read("pendulum-continuous", "-0.5\n").unwrap(), [numbers(&[-0.5])]);
        assert_eq!(read("lunar-lander-continuous", "1 -0.25\n").unwrap(), [numbers(&[1.0, -0.25])]);
    }

    #[test]
    fn a_bad_line_is_named() {
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
