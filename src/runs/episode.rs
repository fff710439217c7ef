//! Rendering of an episode of a trained agent.

use std::path::Path;

use alrao_agents::inputs::to_inputs;
use alrao_agents::q_network::greedy_actions;
use alrao_agents::training::episode_seeds;
use alrao_core::device::DeviceChoice;
use alrao_envs::{Environment, Frame, save_gif, show};
use anyhow::Result;

use super::agent::network;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::run_directory::load_best;
use crate::usage_error::UsageError;

/// A rendered episode.
pub struct Episode {
    environment: String,
    fps: u32,
    frames: Vec<Frame>,
    sum: f64,
}

/// Renders the episode of this seed, or the run's first test episode, with the greedy policy of its best checkpoint.
///
/// # Errors
/// [`UsageError`] if the run doesn't exist, or its environment can't be rendered.
pub fn episode(catalog: &Catalog, run: &Path, seed: Option<u64>) -> Result<Episode> {
    let config = Config::of_run(run)?.resolve(catalog)?;
    tch::set_num_threads(config.threads as i32);
    let network = network(&config, catalog, &load_best(run)?, DeviceChoice::Cpu.resolve()?)?;
    let task = config.task.agent()?;
    let mut environment = task.make_stacked(catalog)?;
    environment.reset(seed.unwrap_or(episode_seeds(config.seed, "test", 1)[0]))?;
    let name = &task.environment.name;
    let (mut frames, mut sum): (Vec<Frame>, f64) = (Vec::new(), 0.0);
    loop {
        let scene = environment.render_state();
        frames.push(
            scene
                .ok_or_else(|| {
                    UsageError(format!("{name} can't be rendered: its method `render_state` returns nothing to draw"))
                })?
                .render(),
        );
        let (inputs, mask) = (to_inputs(environment.typed_observation()), environment.action_mask());
        let action = greedy_actions(&network, &inputs, &[mask])?[0];
        let step = environment.step(action)?;
        sum += step.reward;
        if step.ended() || frames.len() as u64 >= task.schedule.max_evaluation_steps {
            let fps = catalog.environments.spec(name)?.fps;
            return Ok(Episode { environment: name.clone(), fps, frames, sum });
        }
    }
}

impl Episode {
    /// Describes return and length.
    pub fn describe(&self) -> String {
        format!("return {:.1}, length {}", self.sum, self.frames.len())
    }

    /// Writes the episode as an animated GIF.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save_gif(&self, path: &Path) -> Result<()> {
        Ok(save_gif(self.frames.iter().cloned(), self.fps, path)?)
    }

    /// Shows the episode in a window until it is closed.
    ///
    /// # Errors
    /// [`UsageError`] if there is no display.
    pub fn show(self) -> Result<()> {
        show(&self.environment, self.fps, self.frames).map_err(UsageError::of)?;
        Ok(())
    }
}
