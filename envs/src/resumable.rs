//! Saving and restoring an episode: [`Resumable`].
//!
//! The state of some simulators can't be saved (as Box2D's), but the seed and the actions determine an episode of a
//! deterministic environment, so restoring an episode replays it. The result is exact; a checksum of the observation shows
//! whether the environment is deterministic.

use crc32c::crc32c_append;
use serde::{Deserialize, Serialize};

use crate::{Action, Environment, EnvironmentError, ObservationRef, PassiveEnvChecker, Step, Wrapper};

/// A wrapper that saves and restores an environment with discrete actions in the middle of an episode. It includes a
/// [`PassiveEnvChecker`].
#[derive(Clone, Debug)]
pub struct Resumable<E> {
    env: PassiveEnvChecker<E>,
    seed: Option<u64>,
    actions: Vec<u32>,
}

/// A point in an episode.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// The seed of the episode.
    pub seed: u64,
    /// The actions since the reset, one for each environment step.
    pub actions: Vec<u32>,
    /// The CRC-32C of the observation's bytes, which restoring the snapshot must yield; none if it isn't known.
    #[serde(default)]
    pub observation: Option<u32>,
}

impl<E: Environment> Resumable<E> {
    /// Wraps an environment, which must be reset first.
    pub fn new(env: E) -> Self {
        Self { env: PassiveEnvChecker::new(env), seed: None, actions: Vec::new() }
    }

    /// Returns the current point in the episode; none before the first reset.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let observation = Some(checksum(self.env.typed_observation()));
        self.seed.map(|seed| Snapshot { seed, actions: self.actions.clone(), observation })
    }

    /// Restores a snapshot by replaying its episode.
    ///
    /// # Errors
    /// A reset or step fails, for instance because the snapshot is from another environment;
    /// [`EnvironmentError::NotRepeated`] if the replayed episode has another observation. The environment must then be reset.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), EnvironmentError> {
        self.reset(snapshot.seed)?;
        for &action in &snapshot.actions {
            self.step(action as usize)?;
        }
        match snapshot.observation {
            Some(expected) if expected != checksum(self.env.typed_observation()) => {
                Err(EnvironmentError::NotRepeated { seed: snapshot.seed, steps: snapshot.actions.len() })
            }
            _ => Ok(()),
        }
    }
}

fn checksum(observation: ObservationRef<'_>) -> u32 {
    match observation {
        ObservationRef::F32(values) => values.iter().fold(0, |sum, value| crc32c_append(sum, &value.to_le_bytes())),
        ObservationRef::U8(values) => crc32c_append(0, values),
        ObservationRef::Bool(values) => values.iter().fold(0, |sum, &value| crc32c_append(sum, &[value.into()])),
    }
}

impl<E: Environment> Wrapper for Resumable<E> {
    type Inner = PassiveEnvChecker<E>;

    fn inner(&self) -> &PassiveEnvChecker<E> {
        &self.env
    }

    fn inner_mut(&mut self) -> &mut PassiveEnvChecker<E> {
        &mut self.env
    }

    fn on_reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.seed = None;
        self.actions.clear();
        self.env.reset(seed)?;
        self.seed = Some(seed);
        Ok(())
    }

    fn on_step(&mut self, action: &Action<'_>) -> Result<Step, EnvironmentError> {
        let &Action::Discrete(index) = action else { return Err(EnvironmentError::NeedsDiscreteAction) };
        let invalid = |_| EnvironmentError::InvalidAction { action: index, count: self.env.num_actions() };
        let index = u32::try_from(index).map_err(invalid)?;
        let step = action.take(&mut self.env)?;
        self.actions.push(index);
        Ok(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::tests::Counter;

    #[test]
    fn a_snapshot_contains_only_the_current_episode() {
        let mut env = Resumable::new(Counter::to(9.0));
        assert_eq!(env.snapshot(), None);
        env.reset(1).unwrap();
        env.step(2).unwrap();
        env.reset(7).unwrap();
        env.step(1).unwrap();
        env.step(3).unwrap_err();
        env.step(2).unwrap();
        let Snapshot { seed, actions, .. } = env.snapshot().unwrap();
        assert_eq!((seed, actions), (7, vec![1, 2]));
    }

    #[test]
    fn a_finished_episode_can_be_restored() {
        let mut env = Resumable::new(Counter::to(3.0));
        env.reset(5).unwrap();
        env.step(1).unwrap();
        env.step(2).unwrap();
        let ended = env.snapshot().unwrap();
        env.reset(0).unwrap();
        env.restore(&ended).unwrap();
        assert_eq!(env.observation(), [5.0, 3.0]);
        assert_eq!(env.snapshot(), Some(ended));
        assert!(matches!(env.step(0), Err(EnvironmentError::StepAfterEnd { steps: 2 })));
    }

    #[test]
    fn restoring_a_snapshot_of_another_environment_is_an_error() {
        let mut env = Resumable::new(Counter::to(3.0));
        let error = env.restore(&Snapshot { seed: 5, actions: vec![0, 4], observation: None }).unwrap_err();
        assert!(matches!(error, EnvironmentError::InvalidAction { action: 4, count: 3 }), "{error}");
        let error = env.restore(&Snapshot { seed: 5, actions: vec![2, 2, 2], observation: None }).unwrap_err();
        assert!(matches!(error, EnvironmentError::StepAfterEnd { steps: 2 }), "{error}");
    }

    #[test]
    fn an_episode_that_does_not_repeat_is_an_error() {
        let mut env = Resumable::new(Counter::to(9.0));
        env.reset(1).unwrap();
        env.step(2).unwrap();
        let snapshot = env.snapshot().unwrap();
        env.restore(&snapshot).unwrap();
        let error = env.restore(&Snapshot { seed: 2, ..snapshot.clone() }).unwrap_err();
        assert!(matches!(error, EnvironmentError::NotRepeated { seed: 2, steps: 1 }), "{error}");
        env.restore(&Snapshot { seed: 2, observation: None, ..snapshot }).unwrap();
    }
}
