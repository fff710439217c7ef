//! Checks of every call of an environment: [`PassiveEnvChecker`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::running_resets;
use crate::{Action, Environment, EnvironmentError, ObservationRef, ObservationSpace, Physics, Step, Wrapper};

/// A wrapper that checks every call and result of an environment, named for a wrapper of Gymnasium.
///
/// It returns an error for a step without an episode, an invalid action, an observation of another length or dtype than
/// the observation space, non-finite observations and rewards, an illegal action, and an action mask of another length or
/// without a legal action. It catches a panic of the environment and returns it
/// as an error. [`Registry::make`](crate::Registry::make) and [`Resumable`](crate::Resumable)
/// wrap environments in it.
#[derive(Clone, Debug)]
pub struct PassiveEnvChecker<E> {
    env: E,
    episode: Episode,
    name: Option<Arc<str>>,
    /// as first declared, and so for good
    space: ObservationSpace,
}

#[derive(Clone, Copy, Debug)]
enum Episode {
    None,
    Running { steps: u64 },
    Ended { steps: u64 },
}

impl<E: Environment> PassiveEnvChecker<E> {
    /// Wraps an environment, which must be reset first.
    pub fn new(env: E) -> Self {
        Self { space: env.observation_space(), env, episode: Episode::None, name: None }
    }

    /// Names the environment in its errors.
    pub(crate) fn named(self, name: &str) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Adds the environment's name to an error of it.
    fn name_error(&self, error: EnvironmentError) -> EnvironmentError {
        match &self.name {
            Some(name) => EnvironmentError::InEnvironment { name: name.to_string(), source: error.into() },
            None => error,
        }
    }

    fn checked_reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.episode = Episode::None;
        self.check_space()?;
        let mut reset = || guard(0, || self.env.reset(seed));
        match &self.name {
            Some(name) => running_resets::listed(name, seed, reset)?,
            None => reset()?,
        }
        self.check_observation(0)?;
        self.check_mask(0, false)?;
        self.episode = Episode::Running { steps: 0 };
        Ok(())
    }

    fn checked_step(&mut self, action: &Action<'_>) -> Result<Step, EnvironmentError> {
        let steps = self.next()?;
        self.check_action(action, steps)?;
        self.episode = Episode::None; // after a failure the environment's state is undefined
        let step = guard(steps, || action.take(&mut self.env))?;
        if !step.reward.is_finite() {
            return Err(EnvironmentError::RewardNotFinite { step: steps, value: step.reward });
        }
        self.check_observation(steps)?;
        self.check_mask(steps, step.terminated)?;
        self.episode = if step.ended() { Episode::Ended { steps } } else { Episode::Running { steps } };
        Ok(step)
    }

    fn check_space(&self) -> Result<(), EnvironmentError> {
        let obs_dim = self.env.obs_dim();
        if obs_dim == self.space.len() {
            return Ok(());
        }
        Err(EnvironmentError::ObservationSpaceLength { obs_dim, space: self.space })
    }

    fn check_observation(&self, step: u64) -> Result<(), EnvironmentError> {
        let (observation, space) = (self.env.typed_observation(), self.space);
        let dtype = observation.dtype();
        if dtype != space.dtype {
            return Err(EnvironmentError::ObservationDtype { step, dtype, space });
        }
        if observation.len() != space.len() {
            return Err(EnvironmentError::ObservationLength { step, len: observation.len(), expected: space.len() });
        }
        let ObservationRef::F32(observation) = observation else { return Ok(()) };
        // An exponent of ones is an infinity or NaN. Together, values below 2 show none: most need no second look, and a
        // loop without branches takes vectors.
        const EXPONENT: u32 = 0x7f80_0000;
        let together = observation.iter().fold(0, |bits, value| bits | value.to_bits());
        if together & EXPONENT != EXPONENT {
            return Ok(());
        }
        match observation.iter().position(|value| !value.is_finite()) {
            Some(index) => Err(EnvironmentError::ObservationNotFinite { step, index, value: observation[index] }),
            None => Ok(()),
        }
    }

    fn check_mask(&self, step: u64, terminated: bool) -> Result<(), EnvironmentError> {
        let Some(mask) = self.env.action_mask() else { return Ok(()) };
        let expected = self.env.num_actions();
        if mask.len() != expected {
            return Err(EnvironmentError::ActionMaskLength { step, len: mask.len(), expected });
        }
        if !terminated && !mask.contains(&true) {
            return Err(EnvironmentError::NoLegalAction { step });
        }
        Ok(())
    }

    /// Returns the number of the next step, if a step is allowed.
    fn next(&self) -> Result<u64, EnvironmentError> {
        match self.episode {
            Episode::None => Err(EnvironmentError::StepBeforeReset),
            Episode::Ended { steps } => Err(EnvironmentError::StepAfterEnd { steps }),
            Episode::Running { steps } => Ok(steps + 1),
        }
    }

    /// Checks the action of a step.
    fn check_action(&self, action: &Action<'_>, step: u64) -> Result<(), EnvironmentError> {
        let (count, expected) = (self.env.num_actions(), self.env.action_dim());
        match action {
            &Action::Discrete(action) if action < count => match self.env.action_mask() {
                Some(mask) if !mask[action] => Err(EnvironmentError::IllegalAction { action, step }),
                _ => Ok(()),
            },
            &Action::Discrete(action) if expected == 0 => Err(EnvironmentError::InvalidAction { action, count }),
            Action::Discrete(_) => Err(EnvironmentError::NeedsContinuousAction { dim: expected }),
            Action::Continuous(_) if expected == 0 => Err(EnvironmentError::NeedsDiscreteAction),
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

impl<E: Environment> Wrapper for PassiveEnvChecker<E> {
    type Inner = E;

    fn inner(&self) -> &E {
        &self.env
    }

    fn inner_mut(&mut self) -> &mut E {
        &mut self.env
    }

    fn on_reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.checked_reset(seed).map_err(|error| self.name_error(error))
    }

    fn on_step(&mut self, action: &Action<'_>) -> Result<Step, EnvironmentError> {
        self.checked_step(action).map_err(|error| self.name_error(error))
    }

    /// Returns `None` if the step isn't valid.
    fn on_begin_step(&mut self, action: usize) -> Option<Physics<'_>> {
        let valid = self.next().and_then(|step| self.check_action(&Action::Discrete(action), step));
        if valid.is_ok() { self.env.begin_step(action) } else { None }
    }
}

/// Calls an environment and returns its panic as an error of `step`, 0 for a reset: one environment's bug must not take
/// the program with it.
fn guard<T>(step: u64, call: impl FnOnce() -> Result<T, EnvironmentError>) -> Result<T, EnvironmentError> {
    // After an error the environment must be reset, and a panic that left it broken comes again.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| text.to_string());
        let message = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into());
        Err(EnvironmentError::Panicked { step, message })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::tests::Counter;
    use crate::{ObservationDtype, ObservationShape};

    /// An environment whose mask of two actions is `masks[t]` after step t; the last step terminates.
    struct Masked {
        masks: &'static [&'static [bool]],
        t: usize,
    }

    impl Environment for Masked {
        fn obs_dim(&self) -> usize {
            1
        }

        fn num_actions(&self) -> usize {
            2
        }

        fn reset(&mut self, _seed: u64) -> Result<(), EnvironmentError> {
            self.t = 0;
            Ok(())
        }

        fn step(&mut self, _action: usize) -> Result<Step, EnvironmentError> {
            self.t += 1;
            Ok(Step { reward: 0.0, terminated: self.t + 1 == self.masks.len(), truncated: false })
        }

        fn observation(&self) -> &[f32] {
            &[0.0]
        }

        fn action_mask(&self) -> Option<&[bool]> {
            Some(self.masks[self.t])
        }
    }

    #[test]
    fn masks_and_illegal_actions_are_checked() {
        const NONE: &[bool] = &[false, false];
        let env = |masks: &'static [&'static [bool]]| PassiveEnvChecker::new(Masked { masks, t: 0 }).named("go");
        let message = |result: Result<Step, EnvironmentError>| result.unwrap_err().to_string();
        let mut whole = env(&[&[true, false], &[false, true], NONE]);
        whole.reset(0).unwrap();
        assert!(whole.begin_step(1).is_none());
        assert!(message(whole.step(1)).starts_with("environment `go`: action 1 is illegal at step 1"));
        whole.step(0).unwrap();
        assert!(whole.step(1).unwrap().terminated, "a terminal state needs no legal action");
        let mut short = env(&[&[true, false], &[true], NONE]);
        short.reset(0).unwrap();
        assert!(message(short.step(0)).contains("after step 1 `action_mask` has 1 values, but there are 2 actions"));
        let mut stuck = env(&[&[true, false], NONE, NONE]);
        stuck.reset(0).unwrap();
        assert!(message(stuck.step(0)).contains("`go`: after step 1 `action_mask` has no legal action"));
        assert!(matches!(
            PassiveEnvChecker::new(Masked { masks: &[NONE], t: 0 }).reset(0),
            Err(EnvironmentError::NoLegalAction { step: 0 })
        ));
    }

    /// An environment that panics in its second step.
    struct Faulty(u64);

    impl Environment for Faulty {
        fn obs_dim(&self) -> usize {
            1
        }

        fn num_actions(&self) -> usize {
            1
        }

        fn reset(&mut self, _seed: u64) -> Result<(), EnvironmentError> {
            self.0 = 0;
            Ok(())
        }

        fn step(&mut self, _action: usize) -> Result<Step, EnvironmentError> {
            self.0 += 1;
            assert!(self.0 < 2, "the wheel came off");
            Ok(Step { reward: 0.0, terminated: false, truncated: false })
        }

        fn observation(&self) -> &[f32] {
            &[0.0]
        }
    }

    #[test]
    fn a_panic_is_an_error_that_names_environment_and_step() {
        let mut env = PassiveEnvChecker::new(Faulty(0)).named("car");
        env.reset(0).unwrap();
        env.step(0).unwrap();
        let error = env.step(0).unwrap_err().to_string();
        assert_eq!(error, "environment `car`: step 2 panicked: the wheel came off");
        assert!(env.step(0).is_err(), "an episode ends by it");
        env.reset(0).unwrap();
    }

    /// An environment with a constant observation and reward.
    struct Constant {
        observation: Vec<f32>,
        reward: f64,
    }

    impl Environment for Constant {
        fn obs_dim(&self) -> usize {
            2
        }

        fn num_actions(&self) -> usize {
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

    /// An environment with a constant image.
    struct Picture {
        space: ObservationSpace,
        pixels: Vec<u8>,
    }

    impl Environment for Picture {
        fn obs_dim(&self) -> usize {
            6
        }

        fn num_actions(&self) -> usize {
            1
        }

        fn reset(&mut self, _seed: u64) -> Result<(), EnvironmentError> {
            Ok(())
        }

        fn step(&mut self, _action: usize) -> Result<Step, EnvironmentError> {
            self.pixels.push(0);
            Ok(Step { reward: 0.0, terminated: false, truncated: false })
        }

        fn observation_space(&self) -> ObservationSpace {
            self.space
        }

        fn observation(&self) -> &[f32] {
            &[]
        }

        fn typed_observation(&self) -> ObservationRef<'_> {
            self.pixels.as_slice().into()
        }
    }

    #[test]
    fn observations_that_differ_from_their_space_are_errors() {
        let picture = |shape, dtype| {
            PassiveEnvChecker::new(Picture { space: ObservationSpace { shape, dtype }, pixels: vec![0; 6] })
        };
        let mut env = picture(ObservationShape::ChannelsFirst([1, 2, 3]), ObservationDtype::U8);
        env.reset(0).unwrap();
        let error = env.step(0).unwrap_err().to_string();
        assert_eq!(error, "after step 1 the observation has 7 values, but `obs_dim` is 6");
        let error = picture(ObservationShape::ChannelsLast([2, 2, 1]), ObservationDtype::U8).reset(0).unwrap_err();
        let expected = "`obs_dim` is 6, but the observation space [2, 2, 1] of u8 has 4 values: make them equal";
        assert_eq!(error.to_string(), expected);
        let error = picture(ObservationShape::Vector(6), ObservationDtype::F32).reset(0).unwrap_err();
        let expected = "after step 0 the observation is of u8, but the observation space is [6] of f32: override \
                        `observation_space` and `typed_observation` with one dtype";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn a_step_before_the_first_reset_is_an_error() {
        let mut env = PassiveEnvChecker::new(Counter::to(1.0));
        assert!(matches!(env.step(0), Err(EnvironmentError::StepBeforeReset)));
        env.reset(0).unwrap();
        env.step(0).unwrap();
    }

    #[test]
    fn a_step_after_the_end_of_an_episode_is_an_error() {
        let mut env = PassiveEnvChecker::new(Counter::to(2.0));
        env.reset(0).unwrap();
        assert!(!env.step(1).unwrap().ended());
        assert!(env.step(1).unwrap().terminated);
        assert!(matches!(env.step(0), Err(EnvironmentError::StepAfterEnd { steps: 2 })));
        env.reset(0).unwrap();
        env.step(0).unwrap();
    }

    #[test]
    fn an_invalid_action_changes_nothing() {
        let mut env = PassiveEnvChecker::new(Counter::to(9.0));
        env.reset(4).unwrap();
        let error = env.step(3).unwrap_err();
        assert_eq!(error.to_string(), "action 3 does not exist: there are 3 actions, from 0");
        assert_eq!(env.observation(), [4.0, 0.0]);
        env.step(2).unwrap();
    }

    #[test]
    fn a_continuous_action_for_a_discrete_action_space_is_an_error() {
        let mut env = PassiveEnvChecker::new(Counter::to(9.0));
        env.reset(0).unwrap();
        assert!(matches!(env.step_continuous(&[1.0]), Err(EnvironmentError::NeedsDiscreteAction)));
        env.step(1).unwrap();
    }

    #[test]
    fn non_finite_values_are_errors_with_their_place() {
        let constant =
            |observation: &[f32], reward| PassiveEnvChecker::new(Constant { observation: observation.into(), reward });

        let error = constant(&[0.0, f32::NAN], 0.0).reset(0).unwrap_err();
        assert_eq!(error.to_string(), "after step 0 the observation's value 1 is NaN");
        let error = constant(&[0.0], 0.0).reset(0).unwrap_err();
        assert_eq!(error.to_string(), "after step 0 the observation has 1 values, but `obs_dim` is 2");

        let mut env = PassiveEnvChecker::new(Counter::to(f32::INFINITY));
        env.reset(0).unwrap();
        env.env.observation[0] = f32::NEG_INFINITY;
        assert_eq!(env.step(0).unwrap_err().to_string(), "after step 1 the observation's value 0 is -inf");

        let mut env = constant(&[0.0, 0.0], f64::INFINITY);
        env.reset(0).unwrap();
        assert_eq!(env.step(0).unwrap_err().to_string(), "the reward of step 1 is inf");
        assert!(matches!(env.step(0), Err(EnvironmentError::StepBeforeReset)));
    }
}
