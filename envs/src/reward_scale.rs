//! Scaling of rewards: [`RewardScale`].

use crate::{Action, Environment, EnvironmentError, Step, Wrapper};

/// A wrapper that multiplies every reward by a constant.
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
}

impl<E: Environment> Wrapper for RewardScale<E> {
    type Inner = E;

    fn inner(&self) -> &E {
        &self.env
    }

    fn inner_mut(&mut self) -> &mut E {
        &mut self.env
    }

    fn on_step(&mut self, action: &Action<'_>) -> Result<Step, EnvironmentError> {
        let step = action.take(&mut self.env)?;
        Ok(Step { reward: step.reward * self.factor, ..step })
    }
}
