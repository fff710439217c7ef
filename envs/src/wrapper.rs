//! Wrappers of environments: [`Wrapper`].

use crate::{Action, Environment, EnvironmentError, ObservationRef, ObservationSpace, Physics, RenderState, Step};

/// A wrapper, which implements [`Environment`] by calling the inner environment unless a method is overridden.
///
/// ```
/// use alrao_envs::{Action, Environment, EnvironmentError, Step, Wrapper};
///
/// /// Subtracts 1 from each reward.
/// struct StepCost<E>(E);
///
/// impl<E: Environment> Wrapper for StepCost<E> {
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
    /// The type of the inner environment.
    type Inner: Environment + ?Sized;

    /// Returns the inner environment.
    fn inner(&self) -> &Self::Inner;

    /// Returns the inner environment, mutably.
    fn inner_mut(&mut self) -> &mut Self::Inner;

    /// Implements [`Environment::reset`].
    ///
    /// # Errors
    /// As [`Environment::reset`].
    fn on_reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.inner_mut().reset(seed)
    }

    /// Implements [`Environment::step`] and [`Environment::step_continuous`].
    ///
    /// # Errors
    /// As [`Environment::step`] and [`Environment::step_continuous`].
    fn on_step(&mut self, action: &Action<'_>) -> Result<Step, EnvironmentError> {
        action.take(self.inner_mut())
    }

    /// Implements [`Environment::begin_step`].
    fn on_begin_step(&mut self, action: usize) -> Option<Physics<'_>> {
        self.inner_mut().begin_step(action)
    }
}

impl<W: Wrapper> Environment for W {
    fn obs_dim(&self) -> usize {
        self.inner().obs_dim()
    }

    fn observation_space(&self) -> ObservationSpace {
        self.inner().observation_space()
    }

    fn num_actions(&self) -> usize {
        self.inner().num_actions()
    }

    fn action_dim(&self) -> usize {
        self.inner().action_dim()
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.on_reset(seed)
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        self.on_step(&Action::Discrete(action))
    }

    fn begin_step(&mut self, action: usize) -> Option<Physics<'_>> {
        self.on_begin_step(action)
    }

    fn step_continuous(&mut self, action: &[f32]) -> Result<Step, EnvironmentError> {
        self.on_step(&Action::Continuous(action.into()))
    }

    fn observation(&self) -> &[f32] {
        self.inner().observation()
    }

    fn typed_observation(&self) -> ObservationRef<'_> {
        self.inner().typed_observation()
    }

    fn action_mask(&self) -> Option<&[bool]> {
        self.inner().action_mask()
    }

    fn render_state(&self) -> Option<RenderState> {
        self.inner().render_state()
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
    use crate::{
        ObservationDtype, ObservationShape, PassiveEnvChecker, PendulumRenderState, Resumable, RewardScale, TimeLimit,
    };

    const RENDER_STATE: RenderState = RenderState::Pendulum(PendulumRenderState { theta: 0.0, torque: None });

    /// An environment that overrides every provided method, with one discrete action.
    struct Full([u8; 1]);

    const SPACE: ObservationSpace =
        ObservationSpace { shape: ObservationShape::ChannelsLast([1; 3]), dtype: ObservationDtype::U8 };

    impl Environment for Full {
        fn obs_dim(&self) -> usize {
            1
        }

        fn num_actions(&self) -> usize {
            1
        }

        fn action_dim(&self) -> usize {
            2
        }

        fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
            self.0 = [seed as u8];
            Ok(())
        }

        fn step(&mut self, _action: usize) -> Result<Step, EnvironmentError> {
            Ok(Step { reward: 0.0, terminated: false, truncated: false })
        }

        fn step_continuous(&mut self, action: &[f32]) -> Result<Step, EnvironmentError> {
            Ok(Step { reward: action[1].into(), terminated: true, truncated: false })
        }

        fn observation_space(&self) -> ObservationSpace {
            SPACE
        }

        fn observation(&self) -> &[f32] {
            &[]
        }

        fn typed_observation(&self) -> ObservationRef<'_> {
            self.0.as_slice().into()
        }

        fn action_mask(&self) -> Option<&[bool]> {
            Some(&[true])
        }

        fn render_state(&self) -> Option<RenderState> {
            Some(RENDER_STATE)
        }
    }

    #[test]
    fn wrappers_forward_every_method() {
        fn all<E: Environment>(mut env: E) {
            env.reset(3).unwrap();
            assert_eq!((env.obs_dim(), env.num_actions(), env.action_dim()), (1, 1, 2));
            assert_eq!((env.observation_space(), env.observation()), (SPACE, &[][..]));
            assert_eq!((env.typed_observation(), env.render_state()), ([3u8][..].into(), Some(RENDER_STATE)));
            assert_eq!(env.action_mask(), Some(&[true][..]));
            assert_eq!(env.step(0).unwrap(), Step { reward: 0.0, terminated: false, truncated: false });
        }
        fn continuous<E: Environment>(mut env: E) {
            env.reset(3).unwrap();
            let step = env.step_continuous(&[0.0, 1.0]).unwrap();
            assert_eq!(step, Step { reward: 1.0, terminated: true, truncated: false });
            all(env);
        }
        let full = || Full([0]);
        continuous(Box::new(full()) as Box<dyn Environment>);
        continuous(PassiveEnvChecker::new(full()));
        continuous(TimeLimit::new(full(), 9));
        continuous(RewardScale::new(full(), 1.0));
        all(Resumable::new(full()));
    }
}
