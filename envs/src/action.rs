//! Actions and action spaces.

use std::borrow::Cow;
use std::fmt;

use crate::{Environment, EnvironmentError, Step};

/// An action.
#[derive(Clone, Debug, PartialEq)]
pub enum Action<'a> {
    /// The index of a discrete action.
    Discrete(usize),
    /// The values of a continuous action, `[action_dim]`.
    Continuous(Cow<'a, [f32]>),
}

/// An action space.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActionSpace {
    /// This number of actions, with indices from 0.
    Discrete(usize),
    /// A vector of `dim` values, each clipped to the range from `low` to `high`.
    Continuous {
        /// The minimum of each value.
        low: f32,
        /// The maximum of each value.
        high: f32,
        /// The number of values.
        dim: usize,
    },
}

impl Action<'_> {
    /// Takes the action in an environment.
    ///
    /// # Errors
    /// As [`Environment::step`] and [`Environment::step_continuous`].
    pub fn take(&self, env: &mut (impl Environment + ?Sized)) -> Result<Step, EnvironmentError> {
        match self {
            Self::Discrete(action) => env.step(*action),
            Self::Continuous(action) => env.step_continuous(action),
        }
    }
}

impl fmt::Display for Action<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Discrete(action) => write!(f, "{action}"),
            Self::Continuous(action) => write!(f, "{action:?}"),
        }
    }
}
