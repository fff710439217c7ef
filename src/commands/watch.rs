//! `alrao watch`: an episode of a trained agent, as a GIF or in a window.

use alrao_agents::q_network::greedy_actions;
use alrao_agents::training::episode_seeds;
use alrao_core::device::DeviceChoice;
use alrao_envs::{Environment, Frame, save_gif, show};
use anyhow::Result;

use crate::command_line::{WatchRequest, WrongRequest};
use crate::config::Config;
use crate::run_directory::load_best;
use crate::runs::agent::network;

/// Runs the command: the first test episode of the run.
///
/// # Errors
/// [`WrongRequest`] if there is no such run, its environment has no picture, or there is no display; else what keeps
/// the file from being written.
pub fn watch(request: &WatchRequest) -> Result<()> {
    let config = Config::of_run(&request.run)?.resolve()?;
    tch::set_num_threads(config.threads as i32);
    let network = network(&config, &load_best(&request.run)?, DeviceChoice::Cpu.resolve()?)?;
    let task = config.task.agent()?;
    let mut environment = task.make()?;
    environment.reset(request.seed.unwrap_or(episode_seeds(config.seed, "test", 1)[0]))?;
    let name = &task.environment.name;
    let (mut frames, mut sum): (Vec<Frame>, f64) = (Vec::new(), 0.0);
    loop {
        let scene = environment.scene();
        frames.push(scene.ok_or_else(|| WrongRequest(format!("{name} has no picture to watch")))?.draw());
        let step = environment.step(greedy_actions(&network, environment.observation(), 1)?[0])?;
        sum += step.reward;
        if step.ended() {
            break;
        }
    }
    println!("return {sum:.1} in {} steps", frames.len());
    let fps = if name.starts_with("pendulum") { 20 } else { 50 }; // as fast as the simulated time
    if let Some(path) = &request.gif {
        save_gif(frames.iter().cloned(), fps, path)?;
        println!("{}", path.display());
    }
    if request.window {
        show(name, fps, frames).map_err(|error| WrongRequest(error.to_string()))?;
    }
    Ok(())
}
