//! What an agent knows of its world: the trait [`Environment`] and what a step gives back.

use crate::{EnvironmentError, Physics, Scene};

/// What one action led to, besides the next observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The reward of the action, as the environment counts it.
    pub reward: f64,
    /// The environment reached an end of its own: no reward can follow.
    pub terminated: bool,
    /// The episode was cut short from outside, by a time limit: rewards would have followed, so a value estimate still
    /// bootstraps from the last observation.
    pub truncated: bool,
}

impl Step {
    /// Whether the episode is over, for either reason.
    pub fn ended(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// A world with a fixed number of actions, seen as a vector of numbers.
///
/// An implementation may count on being called in order, with actions that exist: whatever drives it goes through
/// [`Checked`](crate::Checked), which turns a wrong call, or an observation that is no number, into an error.
///
/// ```
/// use alrao_envs::{Environment, EnvironmentError, Recorded, Step};
///
/// /// Walk from 0 to the goal at 3.
/// struct Corridor([f32; 1]);
///
/// impl Environment for Corridor {
///     fn observation_len(&self) -> usize {
///         1
///     }
///     fn action_count(&self) -> usize {
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
/// let mut corridor = Recorded::new(Corridor([0.0]));
/// corridor.reset(0)?;
/// while !corridor.step(1)?.terminated {}
/// assert_eq!(corridor.observation(), [3.0]);
/// # Ok::<(), EnvironmentError>(())
/// ```
pub trait Environment {
    /// How many numbers an observation has.
    fn observation_len(&self) -> usize;

    /// How many actions there are; they are numbered from 0. None where actions are continuous.
    fn action_count(&self) -> usize;

    /// How many numbers a continuous action has; none where actions are numbered.
    fn action_len(&self) -> usize {
        0
    }

    /// Starts an episode that depends on `seed` alone, not on anything that went before.
    ///
    /// # Errors
    /// What keeps this environment from starting, as [`EnvironmentError::Other`].
    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError>;

    /// Takes one action.
    ///
    /// # Errors
    /// What keeps this environment from going on, as [`EnvironmentError::Other`].
    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError>;

    /// Begins the [`step`](Self::step) that must come next, with the same action, and gives what of it is cheaper to do
    /// for many environments at once; none where nothing is. [`Vector`](crate::Vector) calls it.
    fn begin(&mut self, _action: usize) -> Option<Physics<'_>> {
        None
    }

    /// Takes one continuous action, `[action_len]`, clipped to its range.
    ///
    /// # Errors
    /// [`EnvironmentError::NotContinuous`] where actions are numbered, and what [`step`](Self::step) fails with.
    fn step_continuous(&mut self, _action: &[f32]) -> Result<Step, EnvironmentError> {
        Err(EnvironmentError::NotContinuous)
    }

    /// The current observation, `[observation_len]`; of no meaning before the first reset.
    fn observation(&self) -> &[f32];

    /// What there is to see now; none where an environment has no picture, or no episode was started.
    fn scene(&self) -> Option<Scene> {
        None
    }
}

/// Worlds for the tests of the wrappers.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Shows the seed and the sum of the actions; ends once that reaches `end`.
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
        fn observation_len(&self) -> usize {
            2
        }

        fn action_count(&self) -> usize {
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
