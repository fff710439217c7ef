//! An episode of a trained agent, to look at.

use std::path::Path;

use alrao_agents::q_network::greedy_actions;
use alrao_agents::training::episode_seeds;
use alrao_core::device::DeviceChoice;
use alrao_envs::{Environment, Frame, Registry, save_gif, show};
use anyhow::Result;

use super::agent::network;
use crate::config::Config;
use crate::run_directory::load_best;
use crate::wrong_request::WrongRequest;

/// An episode that was played.
pub struct Episode {
    environment: String,
    fps: u32,
    frames: Vec<Frame>,
    sum: f64,
}

/// Has a run's best network play the episode of this seed greedily, or the run's first test episode.
///
/// # Errors
/// [`WrongRequest`] if there is no such run, or its environment has no picture.
pub fn episode(registry: &Registry, run: &Path, seed: Option<u64>) -> Result<Episode> {
    let config = Config::of_run(run)?.resolve(registry)?;
    tch::set_num_threads(config.threads as i32);
    let network = network(&config, registry, &load_best(run)?, DeviceChoice::Cpu.resolve()?)?;
    let task = config.task.agent()?;
    let mut environment = task.make(registry)?;
    environment.reset(seed.unwrap_or(episode_seeds(config.seed, "test", 1)[0]))?;
    let name = &task.environment.name;
    let (mut frames, mut sum): (Vec<Frame>, f64) = (Vec::new(), 0.0);
    loop {
        let scene = environment.scene();
        frames.push(scene.ok_or_else(|| WrongRequest(format!("{name} has no picture to watch")))?.draw());
        let step = environment.step(greedy_actions(&network, environment.observation(), 1)?[0])?;
        sum += step.reward;
        if step.ended() {
            let fps = registry.get(name)?.fps;
            return Ok(Episode { environment: name.clone(), fps, frames, sum });
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
        Ok(save_gif(self.frames.iter().cloned(), self.fps, path)?)
    }

    /// Shows it in a window, until that is closed.
    ///
    /// # Errors
    /// [`WrongRequest`] if there is no display.
    pub fn show(self) -> Result<()> {
        show(&self.environment, self.fps, self.frames).map_err(WrongRequest::of)?;
        Ok(())
    }
}
