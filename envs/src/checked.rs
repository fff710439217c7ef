//! The contract of an environment, kept in one place: [`Checked`].

use crate::{Action, Environment, EnvironmentError, Physics, Step, Wrapper};

/// Holds an environment and whoever drives it to the contract.
///
/// A step without an episode, an action that does not exist, an observation of the wrong length and values that are no
/// finite numbers become errors; what is inside is called in order, with actions it has. Everything that is run passes
/// here: [`Registry::make`](crate::Registry::make) and [`Recorded`](crate::Recorded) put it around their environments.
#[derive(Clone, Debug)]
pub struct Checked<E> {
    env: E,
    episode: Episode,
}

#[derive(Clone, Copy, Debug)]
enum Episode {
    None,
    Running { steps: u64 },
    Ended { steps: u64 },
}

impl<E: Environment> Checked<E> {
    /// Wraps an environment; as after a failed step, it must be reset first.
    pub fn new(env: E) -> Self {
        Self { env, episode: Episode::None }
    }

    fn check_observation(&self, step: u64) -> Result<(), EnvironmentError> {
        let observation = self.env.observation();
        let (len, expected) = (observation.len(), self.env.observation_len());
        if len != expected {
            return Err(EnvironmentError::ObservationLength { step, len, expected });
        }
        match observation.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(EnvironmentError::ObservationNotFinite { step, index, value: observation[index] }),
            None => Ok(()),
        }
    }

    /// The number of the next step, if there may be one.
    fn next(&self) -> Result<u64, EnvironmentError> {
        match self.episode {
            Episode::None => Err(EnvironmentError::StepBeforeReset),
            Episode::Ended { steps } => Err(EnvironmentError::StepAfterEnd { steps }),
            Episode::Running { steps } => Ok(steps + 1),
        }
    }

    fn check_action(&self, action: &Action<'_>) -> Result<(), EnvironmentError> {
        let (count, expected) = (self.env.action_count(), self.env.action_len());
        match action {
            &Action::Discrete(action) if action < count => Ok(()),
            &Action::Discrete(action) if expected == 0 => Err(EnvironmentError::NoSuchAction { action, count }),
            Action::Discrete(_) => Err(EnvironmentError::Continuous { len: expected }),
            Action::Continuous(_) if expected == 0 => Err(EnvironmentError::NotContinuous),
            Action::Continuous(action) if action.len() != expected => {
                Err(EnvironmentError::ActionLength { len: action.len(), expected })
            }
            Action::Continuous(action) => match action.iter().position(|value| value.is_nan()) {
                Some(index) => Err(EnvironmentError::ActionNaN { index }),
                None => Ok(()),
            },
        }
    }
}

impl<E: Environment> Wrapper for Checked<E> {
    type Inner = E;

    fn inner(&self) -> &E {
        &self.env
    }

    fn inner_mut(&mut self) -> &mut E {
        &mut self.env
    }

    fn on_reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.episode = Episode::None;
        self.env.reset(seed)?;
        self.check_observation(0)?;
        self.episode = Episode::Running { steps: 0 };
        Ok(())
    }

    fn on_step(&mut self, action: &Action<'_>) -> Result<Step, EnvironmentError> {
        let steps = self.next()?;
        self.check_action(action)?;
        self.episode = Episode::None; // from here on a failure leaves the environment somewhere unknown
        let step = action.take(&mut self.env)?;
        if !step.reward.is_finite() {
            return Err(EnvironmentError::RewardNotFinite { step: steps, value: step.reward });
        }
        self.check_observation(steps)?;
        self.episode = if step.ended() { Episode::Ended { steps } } else { Episode::Running { steps } };
        Ok(step)
    }

    /// None if the step is not to be.
    fn on_begin(&mut self, action: usize) -> Option<Physics<'_>> {
        if self.next().is_ok() && action < self.env.action_count() { self.env.begin(action) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::tests::Counter;

    /// Shows and pays what it was made with.
    struct Constant {
        observation: Vec<f32>,
        reward: f64,
    }

    impl Environment for Constant {
        fn observation_len(&self) -> usize {
            2
        }

        fn action_count(&self) -> usize {
            1
        }

        fn reset(&mut self, _seed: u64) -> Result<(), EnvironmentError> {
            Ok(())
        }

        fn step(&mut self, _action: usize) -> Result<Step, EnvironmentError> {
            Ok(Step { reward: self.reward, terminated: false, truncated: false })
        }

        fn observation(&self) -> &[f32] {
            &self.observation
        }
    }

    #[test]
    fn an_episode_starts_with_a_reset() {
        let mut env = Checked::new(Counter::to(1.0));
        assert!(matches!(env.step(0), Err(EnvironmentError::StepBeforeReset)));
        env.reset(0).unwrap();
        env.step(0).unwrap();
    }

    #[test]
    fn nothing_follows_the_end_but_a_reset() {
        let mut env = Checked::new(Counter::to(2.0));
        env.reset(0).unwrap();
        assert!(!env.step(1).unwrap().ended());
        assert!(env.step(1).unwrap().terminated);
        assert!(matches!(env.step(0), Err(EnvironmentError::StepAfterEnd { steps: 2 })));
        env.reset(0).unwrap();
        env.step(0).unwrap();
    }

    #[test]
    fn an_action_that_does_not_exist_changes_nothing() {
        let mut env = Checked::new(Counter::to(9.0));
        env.reset(4).unwrap();
        let error = env.step(3).unwrap_err();
        assert_eq!(error.to_string(), "action 3 does not exist: there are 3 actions, numbered from 0");
        assert_eq!(env.observation(), [4.0, 0.0]);
        env.step(2).unwrap();
    }

    #[test]
    fn numbered_actions_are_told_from_continuous_ones() {
        let mut numbered = Checked::new(Counter::to(9.0));
        numbered.reset(0).unwrap();
        assert!(matches!(numbered.step_continuous(&[1.0]), Err(EnvironmentError::NotContinuous)));
        numbered.step(1).unwrap();
    }

    #[test]
    fn values_that_are_no_numbers_are_named() {
        let constant = |observation: &[f32], reward| Checked::new(Constant { observation: observation.into(), reward });

        let error = constant(&[0.0, f32::NAN], 0.0).reset(0).unwrap_err();
        assert_eq!(error.to_string(), "after step 0 the observation's value 1 is NaN");
        let error = constant(&[0.0], 0.0).reset(0).unwrap_err();
        assert_eq!(error.to_string(), "after step 0 the observation has 1 values where 2 were announced");

        let mut env = Checked::new(Counter::to(f32::INFINITY));
        env.reset(0).unwrap();
        env.env.observation[0] = f32::NEG_INFINITY;
        assert_eq!(env.step(0).unwrap_err().to_string(), "after step 1 the observation's value 0 is -inf");

        let mut env = constant(&[0.0, 0.0], f64::INFINITY);
        env.reset(0).unwrap();
        assert_eq!(env.step(0).unwrap_err().to_string(), "the reward of step 1 is inf");
        assert!(matches!(env.step(0), Err(EnvironmentError::StepBeforeReset)));
    }
}
