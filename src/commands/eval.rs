//! `alrao eval`: evaluates a run's best checkpoint with greedy actions or on the test data.

use std::path::PathBuf;

use alrao_agents::training;
use alrao_core::device::DeviceChoice;
use alrao_envs::Registry;
use alrao_tasks::data::Split;
use alrao_tasks::scores::evaluate;
use alrao_tasks::settings::SupervisedTask;
use anyhow::Result;

use crate::config::{AgentTask, Config, Task};
use crate::run_directory::load_best;
use crate::runs::{agent, supervised};
use crate::wrong_request::WrongRequest;

/// The arguments of `alrao eval`.
#[derive(clap::Args)]
pub struct EvalRequest {
    /// Run directory.
    pub run: PathBuf,
    /// Number of test episodes [default: as in the run's own test].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub episodes: Option<u32>,
    /// Random seed of the episodes [default: the run's seed, which repeats its test episodes].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Dataset directory of a supervised task [default: as in training].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`] if the run doesn't exist, has no best checkpoint yet, or an option is for runs of the other kind.
pub fn eval(request: &EvalRequest, registry: &Registry) -> Result<()> {
    let mut config = Config::of_run(&request.run)?;
    if let Some(folder) = &request.data {
        config.task.set_data(folder)?;
    }
    let config = config.resolve(registry)?;
    tch::set_num_threads(config.threads as i32);
    match &config.task {
        Task::Agent(task) => of_agent(request, registry, &config, task),
        Task::Supervised(task) => of_supervised(request, &config, task),
    }
}

fn of_agent(request: &EvalRequest, registry: &Registry, config: &Config, task: &AgentTask) -> Result<()> {
    let network = agent::network(config, registry, &load_best(&request.run)?, DeviceChoice::Auto.resolve()?)?;
    let episodes = request.episodes.map_or(task.schedule.test_episodes, |episodes| episodes as usize);
    let seed = request.seed.unwrap_or(config.seed);
    let evaluation = training::test(&network, &|| task.make(registry), seed, episodes)?;
    let returns = evaluation.returns;
    println!("return over {episodes} episodes of {}, seed {seed}", task.environment.name);
    println!("mean {:.1}  std {:.1}  min {:.1}  max {:.1}", returns.mean, returns.std, returns.min, returns.max);
    Ok(())
}

fn of_supervised(request: &EvalRequest, config: &Config, task: &SupervisedTask) -> Result<()> {
    for (option, given) in [("--episodes", request.episodes.is_some()), ("--seed", request.seed.is_some())] {
        if given {
            return Err(WrongRequest(format!(
                "{option}: {} is supervised and is evaluated on all its test data; leave {option} out",
                task.name()
            ))
            .into());
        }
    }
    let device = DeviceChoice::Auto.resolve()?;
    let data = task.read(config.seed).map_err(WrongRequest::of)?;
    let network = supervised::network(config, task, &data, &load_best(&request.run)?, device)?;
    let (scores, left_out) = evaluate(&network, data.through(Split::Test, 0, 0), data.measure(), device)?;
    supervised::tell(&left_out);
    println!("test of {}: {scores}", task.name());
    Ok(())
}
