//! `alrao watch`: an episode of a trained agent, as a GIF or in a window.

use std::path::Path;

use alrao_agents::q_network::greedy_actions;
use alrao_agents::training::episode_seeds;
use alrao_core::device::DeviceChoice;
use alrao_envs::{Environment, Frame, save_gif, show};
use anyhow::Result;

use crate::command_line::{WatchRequest, WrongRequest};
use crate::config::Config;
use crate::run_directory::load_best;
use crate::runs::agent::network;

/// An episode that was played.
pub struct Episode {
    environment: String,
    frames: Vec<Frame>,
    sum: f64,
}

/// Runs the command: the first test episode of the run.
///
/// # Errors
/// [`WrongRequest`] if there is no such run, its environment has no picture, or there is no display; else what keeps
/// the file from being written.
pub fn watch(request: &WatchRequest) -> Result<()> {
    let episode = episode(&request.run, request.seed)?;
    println!("{}", episode.words());
    if let Some(path) = &request.gif {
        episode.save_gif(path)?;
        println!("{}", path.display());
    }
    if request.window {
        let fps = episode.fps();
        show(&episode.environment, fps, episode.frames).map_err(|error| WrongRequest(error.to_string()))?;
    }
    Ok(())
}

/// Has a run's best network play the episode of this seed greedily, or the run's first test episode.
///
/// # Errors
/// [`WrongRequest`] if there is no such run, or its environment has no picture.
pub fn episode(run: &Path, seed: Option<u64>) -> Result<Episode> {
    let config = Config::of_run(run)?.resolve()?;
    tch::set_num_threads(config.threads as i32);
    let network = network(&config, &load_best(run)?, DeviceChoice::Cpu.resolve()?)?;
    let task = config.task.agent()?;
    let mut environment = task.make()?;
    environment.reset(seed.unwrap_or(episode_seeds(config.seed, "test", 1)[0]))?;
    let name = &task.environment.name;
    let (mut frames, mut sum): (Vec<Frame>, f64) = (Vec::new(), 0.0);
    loop {
        let scene = environment.scene();
        frames.push(scene.ok_or_else(|| WrongRequest(format!("{name} has no picture to watch")))?.draw());
        let step = environment.step(greedy_actions(&network, environment.observation(), 1)?[0])?;
        sum += step.reward;
        if step.ended() {
            return Ok(Episode { environment: name.clone(), frames, sum });
        }
    }
}

impl Episode {
    /// Its return and length.
    pub fn words(&self) -> String {
        format!("return {:.1} in {} steps", self.sum, self.frames.len())
    }

    /// Writes it as an animation.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save_gif(&self, path: &Path) -> Result<()> {
        Ok(save_gif(self.frames.iter().cloned(), self.fps(), path)?)
    }

    /// As fast as the simulated time.
    fn fps(&self) -> u32 {
        if self.environment.starts_with("pendulum") { 20 } else { 50 }
    }
}
