//! An environment around another one: [`Wrapper`].

use crate::{Action, Environment, EnvironmentError, Physics, Scene, Step};

/// An environment that leaves to the one inside it whatever it doesn't change.
///
/// ```
/// use alrao_envs::{Action, Environment, EnvironmentError, Step, Wrapper};
///
/// /// Pays for every step.
/// struct Hurry<E>(E);
///
/// impl<E: Environment> Wrapper for Hurry<E> {
///     type Inner = E;
///     fn inner(&self) -> &E {
///         &self.0
///     }
///     fn inner_mut(&mut self) -> &mut E {
///         &mut self.0
///     }
///     fn on_step(&mut self, action: &Action<'_>) -> Result<Step, EnvironmentError> {
///         let step = action.take(&mut self.0)?;
///         Ok(Step { reward: step.reward - 1.0, ..step })
///     }
/// }
/// ```
pub trait Wrapper {
    /// What is inside.
    type Inner: Environment + ?Sized;

    /// What is inside.
    fn inner(&self) -> &Self::Inner;

    /// What is inside, to be changed.
    fn inner_mut(&mut self) -> &mut Self::Inner;

    /// What [`Environment::reset`] does.
    ///
    /// # Errors
    /// As there.
    fn on_reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.inner_mut().reset(seed)
    }

    /// What [`Environment::step`] and [`Environment::step_continuous`] do.
    ///
    /// # Errors
    /// As there.
    fn on_step(&mut self, action: &Action<'_>) -> Result<Step, EnvironmentError> {
        action.take(self.inner_mut())
    }

    /// What [`Environment::begin`] does.
    fn on_begin(&mut self, action: usize) -> Option<Physics<'_>> {
        self.inner_mut().begin(action)
    }
}

impl<W: Wrapper> Environment for W {
    fn observation_len(&self) -> usize {
        self.inner().observation_len()
    }

    fn action_count(&self) -> usize {
        self.inner().action_count()
    }

    fn action_len(&self) -> usize {
        self.inner().action_len()
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.on_reset(seed)
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        self.on_step(&Action::Discrete(action))
    }

    fn begin(&mut self, action: usize) -> Option<Physics<'_>> {
        self.on_begin(action)
    }

    fn step_continuous(&mut self, action: &[f32]) -> Result<Step, EnvironmentError> {
        self.on_step(&Action::Continuous(action.into()))
    }

    fn observation(&self) -> &[f32] {
        self.inner().observation()
    }

    fn scene(&self) -> Option<Scene> {
        self.inner().scene()
    }
}

impl<E: Environment + ?Sized> Wrapper for Box<E> {
    type Inner = E;

    fn inner(&self) -> &E {
        self
    }

    fn inner_mut(&mut self) -> &mut E {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checked, PendulumScene, Recorded, RewardScale, TimeLimit};

    const SCENE: Scene = Scene::Pendulum(PendulumScene { theta: 0.0, torque: None });

    /// Has all that a trait's method has a default for, and one action beside.
    struct Full([f32; 1]);

    impl Environment for Full {
        fn observation_len(&self) -> usize {
            1
        }

        fn action_count(&self) -> usize {
            1
        }

        fn action_len(&self) -> usize {
            2
        }

        fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
            self.0 = [seed as f32];
            Ok(())
        }

        fn step(&mut self, _action: usize) -> Result<Step, EnvironmentError> {
            Ok(Step { reward: 0.0, terminated: false, truncated: false })
        }

        fn step_continuous(&mut self, action: &[f32]) -> Result<Step, EnvironmentError> {
            Ok(Step { reward: action[1].into(), terminated: true, truncated: false })
        }

        fn observation(&self) -> &[f32] {
            &self.0
        }

        fn scene(&self) -> Option<Scene> {
            Some(SCENE)
        }
    }

    #[test]
    fn wrappers_leave_to_the_inside_what_they_do_not_change() {
        fn all<E: Environment>(mut env: E) {
            env.reset(3).unwrap();
            assert_eq!((env.observation_len(), env.action_count(), env.action_len()), (1, 1, 2));
            assert_eq!((env.observation(), env.scene()), (&[3.0][..], Some(SCENE)));
            assert_eq!(env.step(0).unwrap(), Step { reward: 0.0, terminated: false, truncated: false });
        }
        fn continuous<E: Environment>(mut env: E) {
            env.reset(3).unwrap();
            let step = env.step_continuous(&[0.0, 1.0]).unwrap();
            assert_eq!(step, Step { reward: 1.0, terminated: true, truncated: false });
            all(env);
        }
        let full = || Full([0.0]);
        continuous(Box::new(full()) as Box<dyn Environment>);
        continuous(Checked::new(full()));
        continuous(TimeLimit::new(full(), 9));
        continuous(RewardScale::new(full(), 1.0));
        all(Recorded::new(full()));
    }
}
