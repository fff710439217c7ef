//! Coming back to the middle of an episode: [`Recorded`].
//!
//! A simulator's state can't be written down from outside (Box2D's, say), but where an episode depends on its seed and
//! actions alone, these two are its state: restoring is playing it again. Exact for every deterministic environment.

use serde::{Deserialize, Serialize};

use crate::{Action, Checked, Environment, EnvironmentError, Step, Wrapper};

/// An environment that remembers how it came where it is, and is held to the contract by [`Checked`]. Its actions are
/// numbered.
#[derive(Clone, Debug)]
pub struct Recorded<E> {
    env: Checked<E>,
    seed: Option<u64>,
    actions: Vec<u32>,
}

/// A moment of an episode: how it started and what was done since.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// What the episode was reset with.
    pub seed: u64,
    /// The actions since, one an environment step.
    pub actions: Vec<u32>,
}

impl<E: Environment> Recorded<E> {
    /// Records an environment from its next reset on.
    pub fn new(env: E) -> Self {
        Self { env: Checked::new(env), seed: None, actions: Vec::new() }
    }

    /// The current moment; none before the first reset.
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.seed.map(|seed| Snapshot { seed, actions: self.actions.clone() })
    }

    /// Goes to the moment of a snapshot, by playing its episode again.
    ///
    /// # Errors
    /// What the episode's reset or one of its steps fails with, as when the snapshot comes from another environment.
    /// The environment then needs a reset.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), EnvironmentError> {
        self.reset(snapshot.seed)?;
        for &action in &snapshot.actions {
            self.step(action as usize)?;
        }
        Ok(())
    }
}

impl<E: Environment> Wrapper for Recorded<E> {
    type Inner = Checked<E>;

    fn inner(&self) -> &Checked<E> {
        &self.env
    }

    fn inner_mut(&mut self) -> &mut Checked<E> {
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
        let &Action::Discrete(number) = action else { return Err(EnvironmentError::NotContinuous) };
        let no_such = |_| EnvironmentError::NoSuchAction { action: number, count: self.env.action_count() };
        let number = u32::try_from(number).map_err(no_such)?;
        let step = action.take(&mut self.env)?;
        self.actions.push(number);
        Ok(step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::tests::Counter;

    #[test]
    fn a_snapshot_holds_this_episode_alone() {
        let mut env = Recorded::new(Counter::to(9.0));
        assert_eq!(env.snapshot(), None);
        env.reset(1).unwrap();
        env.step(2).unwrap();
        env.reset(7).unwrap();
        env.step(1).unwrap();
        env.step(3).unwrap_err();
        env.step(2).unwrap();
        assert_eq!(env.snapshot(), Some(Snapshot { seed: 7, actions: vec![1, 2] }));
    }

    #[test]
    fn a_restored_episode_can_be_over() {
        let mut env = Recorded::new(Counter::to(3.0));
        let ended = Snapshot { seed: 5, actions: vec![1, 2] };
        env.restore(&ended).unwrap();
        assert_eq!(env.observation(), [5.0, 3.0]);
        assert_eq!(env.snapshot(), Some(ended));
        assert!(matches!(env.step(0), Err(EnvironmentError::StepAfterEnd { steps: 2 })));
    }

    #[test]
    fn a_snapshot_of_another_environment_is_an_error() {
        let mut env = Recorded::new(Counter::to(3.0));
        let error = env.restore(&Snapshot { seed: 5, actions: vec![0, 4] }).unwrap_err();
        assert!(matches!(error, EnvironmentError::NoSuchAction { action: 4, count: 3 }), "{error}");
        let error = env.restore(&Snapshot { seed: 5, actions: vec![2, 2, 2] }).unwrap_err();
        assert!(matches!(error, EnvironmentError::StepAfterEnd { steps: 2 }), "{error}");
    }
}
