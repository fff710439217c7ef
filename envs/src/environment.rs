//! The interface of environments: [`Environment`] and [`Step`].

use crate::{EnvironmentError, ObservationRef, ObservationSpace, Physics, RenderState};

/// The result of a step, besides the observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The reward.
    pub reward: f64,
    /// Whether the environment reached a terminal state, after which no reward can follow.
    pub terminated: bool,
    /// Whether the episode was truncated, as by a time limit: rewards would have followed, so value estimates bootstrap
    /// from the last observation.
    pub truncated: bool,
}

impl Step {
    /// Returns whether the episode terminated or was truncated.
    pub fn ended(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// An environment with discrete or continuous actions. Its observations are vectors of `f32`, unless it overrides
/// [`observation_space`](Self::observation_space) and, for values of another type,
/// [`typed_observation`](Self::typed_observation).
///
/// Implementations may assume that methods are called in order and with valid actions, because callers wrap them in
/// [`PassiveEnvChecker`](crate::PassiveEnvChecker), which returns an error for invalid calls and non-finite observations.
///
/// ```
/// use alrao_envs::{Environment, EnvironmentError, Resumable, Step};
///
/// /// A walk from 0 to the goal at 3.
/// struct Corridor([f32; 1]);
///
/// impl Environment for Corridor {
///     fn obs_dim(&self) -> usize {
///         1
///     }
///     fn num_actions(&self) -> usize {
///         2 // back, forth
///     }
///     fn reset(&mut self, _seed: u64) -> Result<(), EnvironmentError> {
///         self.0 = [0.0];
///         Ok(())
///     }
///     fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
///         self.0[0] += if action == 1 { 1.0 } else { -1.0 };
///         Ok(Step { reward: -1.0, terminated: self.0[0] == 3.0, truncated: false })
///     }
///     fn observation(&self) -> &[f32] {
///         &self.0
///     }
/// }
///
/// let mut corridor = Resumable::new(Corridor([0.0]));
/// corridor.reset(0)?;
/// while !corridor.step(1)?.terminated {}
/// assert_eq!(corridor.observation(), [3.0]);
/// # Ok::<(), EnvironmentError>(())
/// ```
pub trait Environment {
    /// Returns the number of an observation's values.
    fn obs_dim(&self) -> usize;

    /// Returns shape and dtype of the observations, which must not change; by default `[obs_dim]` of `f32`.
    fn observation_space(&self) -> ObservationSpace {
        ObservationSpace::vector(self.obs_dim())
    }

    /// Returns the number of discrete actions, whose indices start at 0; 0 if actions are continuous.
    fn num_actions(&self) -> usize;

    /// Returns the length of a continuous action; 0 if actions are discrete.
    fn action_dim(&self) -> usize {
        0
    }

    /// Starts an episode, which depends only on `seed`, not on earlier episodes.
    ///
    /// # Errors
    /// [`EnvironmentError::Other`] if the environment fails.
    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError>;

    /// Takes a discrete action.
    ///
    /// # Errors
    /// [`EnvironmentError::Other`] if the environment fails.
    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError>;

    /// Begins a step and returns the part that can be computed for several environments together, if any. The next call
    /// must be [`step`](Self::step) with this action. [`VectorEnv`](crate::VectorEnv) calls it.
    fn begin_step(&mut self, _action: usize) -> Option<Physics<'_>> {
        None
    }

    /// Takes a continuous action, `[action_dim]`, clipped to the action space.
    ///
    /// # Errors
    /// [`EnvironmentError::NeedsDiscreteAction`] if actions are discrete; else as [`step`](Self::step).
    fn step_continuous(&mut self, _action: &[f32]) -> Result<Step, EnvironmentError> {
        Err(EnvironmentError::NeedsDiscreteAction)
    }

    /// Returns the current observation, `[obs_dim]`, in row-major order; undefined before the first reset. An environment
    /// that observes values of another type returns `&[]`.
    fn observation(&self) -> &[f32];

    /// Returns the current observation in the dtype of [`observation_space`](Self::observation_space); by default
    /// [`observation`](Self::observation).
    fn typed_observation(&self) -> ObservationRef<'_> {
        self.observation().into()
    }

    /// Returns which discrete actions are legal now, `[num_actions]`; by default `None`: all are. At least one must be
    /// legal unless the episode has terminated. Agents take legal actions only, and
    /// [`PassiveEnvChecker`](crate::PassiveEnvChecker) returns an error for others.
    fn action_mask(&self) -> Option<&[bool]> {
        None
    }

    /// Returns the visible state; none if the environment can't be rendered or was never reset.
    fn render_state(&self) -> Option<RenderState> {
        None
    }
}

/// Environments for tests.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An environment that observes the seed and the sum of the actions, and terminates when the sum reaches `end`.
    pub(crate) struct Counter {
        pub end: f32,
        pub observation: [f32; 2],
    }

    impl Counter {
        pub fn to(end: f32) -> Self {
            Self { end, observation: [0.0; 2] }
        }
    }

    impl Environment for Counter {
        fn obs_dim(&self) -> usize {
            2
        }

        fn num_actions(&self) -> usize {
            3
        }

        fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
            self.observation = [seed as f32, 0.0];
            Ok(())
        }

        fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
            self.observation[1] += action as f32;
            Ok(Step { reward: action as f64, terminated: self.observation[1] >= self.end, truncated: false })
        }

        fn observation(&self) -> &[f32] {
            &self.observation
        }
    }
}
