//! Rewards in another unit: [`RewardScale`].

use crate::{Environment, EnvironmentError, Physics, Scene, Step};

/// Multiplies every reward by a constant, and changes nothing else: an agent that has no scale to set learns the same.
#[derive(Clone, Debug)]
pub struct RewardScale<E> {
    env: E,
    factor: f64,
}

impl<E: Environment> RewardScale<E> {
    /// Multiplies the rewards of `env` by `factor`, finite and above 0.
    pub fn new(env: E, factor: f64) -> Self {
        Self { env, factor }
    }

    fn scaled(&self, step: Step) -> Step {
        Step { reward: step.reward * self.factor, ..step }
    }
}

impl<E: Environment> Environment for RewardScale<E> {
    fn observation_len(&self) -> usize {
        self.env.observation_len()
    }

    fn action_count(&self) -> usize {
        self.env.action_count()
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.env.reset(seed)
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        let step = self.env.step(action)?;
        Ok(self.scaled(step))
    }

    fn begin(&mut self, action: usize) -> Option<Physics<'_>> {
        self.env.begin(action)
    }

    fn action_len(&self) -> usize {
        self.env.action_len()
    }

    fn step_continuous(&mut self, action: &[f32]) -> Result<Step, EnvironmentError> {
        let step = self.env.step_continuous(action)?;
        Ok(self.scaled(step))
    }

    fn observation(&self) -> &[f32] {
        self.env.observation()
    }

    fn scene(&self) -> Option<Scene> {
        self.env.scene()
    }
}
