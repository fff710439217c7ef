//! Speed and memory of deep Q-learning on LunarLander and MinAtar's Breakout, on one thread. `cargo xtask bench dqn` and
//! `cargo xtask bench minatar` compare it with other libraries. A second is one of processor time.
//!
//! ```text
//! cargo bench --bench dqn -- updates|training adam|alrao|defaults WIDTH SECONDS
//! cargo bench --bench dqn -- breakout adam|alrao|defaults SECONDS
//! cargo bench --bench dqn -- environments ENVIRONMENT NUM_ENVS TRAIN_FREQ SECONDS
//! cargo bench --bench dqn -- memory TRANSITIONS
//! ```
//!
//! `updates` are gradient steps alone, `training` is one gradient step for each environment step, of `defaults` for every
//! two. For both, two hidden layers of WIDTH units learn from batches of 128. `adam` has one head, no Double DQN and no
//! normalization, like other libraries; `alrao` is the same with Alrao's 10 heads; `defaults` are an agent's default
//! settings. `environments` are environment steps of a training with default settings in NUM_ENVS environments, with an
//! update every TRAIN_FREQ steps.
//! `breakout` is one gradient step for each four environment steps, with batches of 32 and the settings of CleanRL's script
//! for Atari that affect speed. `memory` is the resident memory of TRANSITIONS transitions in the replay buffer.

use std::hint::black_box;
use std::time::Duration;

use alrao::agents::dqn::{Agent, AgentSettings};
use alrao::agents::exploration::Exploration;
use alrao::agents::inputs::Inputs;
use alrao::agents::priority::PrioritizedReplaySettings;
use alrao::agents::q_network::QNetworkSettings;
use alrao::agents::replay::{End, ReplayBuffer, Transition};
use alrao::agents::training::{DqnStopReason, DqnTrainer, Schedule};
use alrao::core::method::Method;
use alrao::core::streams::stream;
use alrao::core::tch::{self, Device};
use alrao::envs::{Environment, EnvironmentError, EnvironmentSettings, ObservationSpace, Registry};
use anyhow::{Context, Result, bail};
use rustix::time::{ClockId, clock_gettime};

const WARM_UP: u64 = 2_000;
const CHUNK: u64 = 100;
/// Features of LunarLander's observations.
const OBSERVATION: usize = 8;
/// Environment steps of an episode.
const EPISODE: usize = 200;

fn main() -> Result<()> {
    tch::set_num_threads(1);
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["updates", method, width, seconds] => updates(&agent(method, width)?, time(seconds)?),
        ["training", method, width, seconds] => training("lunar-lander", &agent(method, width)?, time(seconds)?),
        ["breakout", method, seconds] => training("minatar-breakout", &breakout_agent(method)?, time(seconds)?),
        ["environments", environment, num_envs, train_freq, seconds] => {
            let (defaults, method) = agent("defaults", "256")?;
            let (num_envs, train_freq) =
                (num_envs.parse().context("NUM_ENVS")?, train_freq.parse().context("TRAIN_FREQ")?);
            let settings = AgentSettings { num_envs, train_freq: Some(train_freq), ..defaults };
            training(environment, &(settings, method), time(seconds)?)
        }
        ["memory", transitions] => memory(transitions.parse()?),
        [] => Ok(()), // without arguments in `cargo test --all-targets`
        _ => bail!(
            "usage: updates|training adam|alrao|defaults WIDTH SECONDS, breakout adam|alrao|defaults SECONDS, environments \
             ENVIRONMENT NUM_ENVS TRAIN_FREQ SECONDS, or memory TRANSITIONS"
        ),
    }
}

fn time(seconds: &str) -> Result<Duration> {
    Ok(Duration::from_secs(seconds.parse().context("seconds")?))
}

fn agent(method: &str, width: &str) -> Result<(AgentSettings, Method)> {
    let plain = method != "defaults";
    let hidden_sizes = vec![width.parse().context("width")?; 2];
    let settings = AgentSettings {
        learning_starts: WARM_UP,
        train_freq: plain.then_some(1),
        gradient_steps: 1,
        double_q: !plain,
        n_step: plain.then_some(1),
        tau: plain.then_some(0.005), // unbounded updates diverge with a fast target network
        max_relative_update: plain.then_some(0.0),
        normalize_obs: !plain,
        exploration: Exploration { initial_eps: 0.05, final_eps: 0.05, fraction: 1.0, max_repeat: 0 },
        network: QNetworkSettings { hidden_sizes, layer_norm: !plain, ..Default::default() },
        ..Default::default()
    };
    match method {
        "adam" => Ok((settings, Method::adam(1e-3)?)),
        "alrao" => Ok((settings, Method::alrao())),
        "defaults" => Ok((settings, Method::alrao_adam())),
        _ => bail!("unknown method `{method}`: use adam, alrao or defaults"),
    }
}

/// Returns an agent for MinAtar's Breakout, whose body and batch size images choose.
fn breakout_agent(method: &str) -> Result<(AgentSettings, Method)> {
    let (settings, _) = agent(method, "256")?;
    let exploration = Exploration { initial_eps: 0.01, final_eps: 0.01, ..settings.exploration };
    let settings = AgentSettings { buffer_size: 1_000_000, train_freq: Some(4), exploration, ..settings };
    Ok((settings, if method == "adam" { Method::adam(1e-4)? } else { Method::alrao() }))
}

fn make(environment: &str) -> Result<Box<dyn Environment>, EnvironmentError> {
    Registry::builtin().make(&EnvironmentSettings::new(environment))
}

fn updates((settings, method): &(AgentSettings, Method), time: Duration) -> Result<()> {
    let mut environment = make("lunar-lander")?;
    let (mut agent, mut rng) =
        (Agent::new(ObservationSpace::vector(OBSERVATION), 4, settings, method, 0, Device::Cpu)?, stream(0, "replay"));
    environment.reset(0)?;
    for i in 0..WARM_UP {
        let observation = environment.observation().to_vec();
        let action = i as usize % 4;
        let step = environment.step(action)?;
        let (next, end) = (environment.typed_observation(), End::of(&step));
        agent.add(Transition {
            observation: observation.as_slice().into(),
            mask: None,
            action,
            reward: step.reward,
            next,
            next_mask: None,
            end,
        });
        if end != End::NotDone {
            environment.reset(i)?;
        }
    }
    measure(time, || {
        for _ in 0..CHUNK {
            agent.learn(0.0, &mut rng)?;
        }
        Ok(CHUNK)
    })
}

fn training(environment: &str, (settings, method): &(AgentSettings, Method), time: Duration) -> Result<()> {
    let never = u64::MAX;
    let schedule =
        Schedule { steps: never, validate_every: never, checkpoint_every: never, log_every: CHUNK, ..Schedule::of(1) };
    let mut training = DqnTrainer::new(&schedule, settings, method, &|| make(environment), 0, Device::Cpu)?;
    while training.steps() < WARM_UP + CHUNK {
        training.advance()?;
    }
    measure(time, || {
        let before = training.steps();
        let reason = training.advance()?;
        assert_ne!(reason, DqnStopReason::Finished);
        Ok(training.steps() - before)
    })
}

/// Repeats `work`, which returns its number of steps, and prints the steps per second.
fn measure(time: Duration, mut work: impl FnMut() -> Result<u64>) -> Result<()> {
    let (started, mut steps) = (processor_time(), 0);
    let seconds = loop {
        steps += work()?;
        let seconds = processor_time() - started;
        if seconds >= time.as_secs_f64() {
            break seconds;
        }
    };
    println!("{:.1} steps/s", steps as f64 / seconds);
    Ok(())
}

/// Returns the CPU seconds of this process, which hardly depend on the machine's other load.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn memory(transitions: usize) -> Result<()> {
    let before = resident()?;
    let mut replay =
        ReplayBuffer::new(transitions, 1, Inputs::vector(OBSERVATION), PrioritizedReplaySettings::default());
    for i in 0..transitions {
        let (observation, next) = ([i as f32; OBSERVATION], [i as f32 + 1.0; OBSERVATION]);
        let end = if (i + 1).is_multiple_of(EPISODE) { End::Terminated } else { End::NotDone };
        let (observation, next) = (observation.as_slice().into(), next.as_slice().into());
        replay.add(Transition { observation, mask: None, action: i % 4, reward: 1.0, next, next_mask: None, end });
    }
    println!("{:.1} MB", (resident()? - before) / 1e6);
    black_box(replay);
    Ok(())
}

/// Returns the process's resident memory, in bytes.
fn resident() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0)
}
