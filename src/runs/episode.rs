//! An episode of an agent, played to be shown.

use std::path::Path;

use alrao_agents::inputs::to_inputs;
use alrao_agents::q_network::greedy_actions;
use alrao_core::layers::NormalizedBody;
use alrao_core::network::Network;
use alrao_envs::{Environment, RenderState, save_gif, show};
use anyhow::Result;

use crate::catalog::Catalog;
use crate::config::AgentTask;
use crate::usage_error::UsageError;

/// An episode that was played to be shown.
pub struct Episode {
    environment: String,
    fps: u32,
    /// from the reset to the last step
    states: Vec<RenderState>,
    sum: f64,
}

impl Episode {
    /// Plays the episode of a seed with the greedy policy of a network.
    ///
    /// # Errors
    /// [`UsageError`] if the environment has no picture; else the environment or the network fails.
    pub fn play(task: &AgentTask, catalog: &Catalog, network: &Network<NormalizedBody>, seed: u64) -> Result<Self> {
        let mut environment = task.make_stacked(catalog)?;
        environment.reset(seed)?;
        let name = &task.environment.name;
        let (mut states, mut sum) = (vec![task.render_state(environment.as_ref())?], 0.0);
        loop {
            let (inputs, mask) = (to_inputs(environment.typed_observation()), environment.action_mask());
            let action = greedy_actions(network, &inputs, &[mask])?[0];
            let step = environment.step(action)?;
            sum += step.reward;
            states.push(task.render_state(environment.as_ref())?);
            if step.ended() || states.len() as u64 > task.schedule.max_evaluation_steps {
                let fps = catalog.environments.spec(name)?.fps;
                return Ok(Episode { environment: name.clone(), fps, states, sum });
            }
        }
    }

    /// Describes return and length.
    pub fn describe(&self) -> String {
        format!("return {:.1}, length {}", self.sum, self.states.len() - 1)
    }

    /// Writes the episode as an animated GIF.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn save_gif(&self, path: &Path) -> Result<()> {
        Ok(save_gif(self.states.iter().map(RenderState::render), self.fps, path)?)
    }

    /// Shows the episode in a window until it is closed.
    ///
    /// # Errors
    /// [`UsageError`] if there is no display.
    pub fn show(self) -> Result<()> {
        show(&self.environment, self.fps, self.states.iter().map(RenderState::render)).map_err(UsageError::of)?;
        Ok(())
    }
}
