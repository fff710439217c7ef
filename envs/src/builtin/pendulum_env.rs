//! The pendulum as an [`Environment`]: [`PendulumEnv`].

use gym_rs::core::Env;
use serde::{Deserialize, Serialize};

use super::pendulum::{MAX_TORQUE, Pendulum, PendulumState};
use crate::classic_control::Observation;
use crate::{
    ActionSpace, EntryPoint, EnvSpec, Environment, EnvironmentError, NoSettings, PendulumRenderState, RenderState, Step,
};

/// The largest number of discrete actions: more are no finer in 32 bits, and surely a mistake.
const MAX_TORQUES: usize = 1_000_000;

/// A [`Pendulum`] with evenly spaced torques as discrete actions, or with a continuous torque.
#[derive(Clone, Debug)]
pub struct PendulumEnv {
    pendulum: Pendulum,
    /// the number of discrete actions; 0 if actions are continuous
    torques: usize,
    observation: Vec<f32>,
    scene: Option<PendulumRenderState>,
}

/// The settings of a pendulum with discrete actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendulumSettings {
    /// The number of actions, evenly spaced torques from -2 to 2; from 2 to 1,000,000.
    pub torques: usize,
}

impl Default for PendulumSettings {
    fn default() -> Self {
        Self { torques: 5 }
    }
}

/// Returns the specification with discrete actions.
pub fn spec() -> EnvSpec {
    EnvSpec {
        name: "pendulum".into(),
        description: "`Pendulum-v1`, evenly spaced torques".into(),
        obs_dim: 3,
        actions: ActionSpace::Discrete(PendulumSettings::default().torques),
        time_limit: Some(200),
        fps: 20,
        heuristic: None,
        entry_point: EntryPoint::new(|PendulumSettings { torques }| PendulumEnv::discrete(torques)),
    }
}

/// Returns the specification with continuous actions.
pub fn continuous_spec() -> EnvSpec {
    EnvSpec {
        name: "pendulum-continuous".into(),
        description: "`Pendulum-v1`".into(),
        actions: ActionSpace::Continuous { low: -MAX_TORQUE, high: MAX_TORQUE, dim: 1 },
        entry_point: EntryPoint::new(|NoSettings {}| Ok(PendulumEnv::continuous())),
        ..spec()
    }
}

impl PendulumEnv {
    /// Creates a pendulum with this number of evenly spaced torques from -2 to 2 as actions.
    ///
    /// # Errors
    /// [`EnvironmentError::TorqueCount`] for fewer than 2 or more than a million.
    pub fn discrete(torques: usize) -> Result<Self, EnvironmentError> {
        if !(2..=MAX_TORQUES).contains(&torques) {
            return Err(EnvironmentError::TorqueCount { torques, max: MAX_TORQUES });
        }
        Ok(Self { torques, ..Self::continuous() })
    }

    /// Creates a pendulum whose action is a torque, clipped to -2..2.
    pub fn continuous() -> Self {
        Self { pendulum: Pendulum::new(), torques: 0, observation: vec![0.0; 3], scene: None }
    }

    /// Returns the torque of a discrete action.
    fn torque(&self, action: usize) -> f32 {
        (f64::from(MAX_TORQUE) * (2.0 * action as f64 / (self.torques - 1) as f64 - 1.0)) as f32
    }

    fn apply(&mut self, torque: f32) -> Step {
        let outcome = self.pendulum.step(torque);
        self.observe(outcome.observation.0, Some(torque));
        Step { reward: outcome.reward.into_inner(), terminated: outcome.done, truncated: outcome.truncated }
    }

    fn observe(&mut self, state: PendulumState, torque: Option<f32>) {
        let values: Vec<f64> = state.into();
        self.observation.clear();
        self.observation.extend(values.iter().map(|&value| value as f32));
        self.scene = Some(PendulumRenderState { theta: state.theta, torque });
    }
}

impl Environment for PendulumEnv {
    fn obs_dim(&self) -> usize {
        self.observation.len()
    }

    fn num_actions(&self) -> usize {
        self.torques
    }

    fn action_dim(&self) -> usize {
        usize::from(self.torques == 0)
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        let (Observation(state), _) = self.pendulum.reset(Some(seed), false, None);
        self.observe(state, None);
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        Ok(self.apply(self.torque(action)))
    }

    fn step_continuous(&mut self, action: &[f32]) -> Result<Step, EnvironmentError> {
        Ok(self.apply(action[0].clamp(-MAX_TORQUE, MAX_TORQUE)))
    }

    fn observation(&self) -> &[f32] {
        &self.observation
    }

    fn render_state(&self) -> Option<RenderState> {
        self.scene.map(RenderState::Pendulum)
    }
}
