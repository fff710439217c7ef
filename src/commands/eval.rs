//! `alrao eval`: what a run's best network returns, played greedily.

use alrao_agents::training;
use alrao_core::device::DeviceChoice;
use anyhow::Result;

use crate::command_line::EvalRequest;
use crate::config::Config;
use crate::run_directory::load_best;
use crate::runs::agent::network;

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`](crate::command_line::WrongRequest) if there is no such run or it has no best network yet.
pub fn eval(request: &EvalRequest) -> Result<()> {
    let config = Config::of_run(&request.run)?.resolve()?;
    tch::set_num_threads(config.threads as i32);
    let network = network(&config, &load_best(&request.run)?, DeviceChoice::Auto.resolve()?)?;
    let task = config.task.agent()?;
    let episodes = request.episodes.map_or(task.schedule.test_episodes, |episodes| episodes as usize);
    let seed = request.seed.unwrap_or(config.seed);
    let evaluation = training::test(&network, &|| task.make(), seed, episodes)?;
    let returns = evaluation.returns;
    println!("return over {episodes} episodes of {}, seed {seed}", task.environment.name);
    println!("mean {:.1}  std {:.1}  min {:.1}  max {:.1}", returns.mean, returns.std, returns.min, returns.max);
    Ok(())
}
