//! What an agent does in a step, whatever kind of actions its environment has: [`Action`].

use std::borrow::Cow;
use std::fmt;

use crate::{Environment, EnvironmentError, Step};

/// One action.
#[derive(Clone, Debug, PartialEq)]
pub enum Action<'a> {
    /// One of those that are numbered, from 0.
    Discrete(usize),
    /// The numbers of a continuous one, `[action_len]`.
    Continuous(Cow<'a, [f32]>),
}

/// The actions that an environment has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ActionSpace {
    /// So many, numbered from 0.
    Discrete(usize),
    /// `len` numbers, each clipped to what is between `low` and `high`.
    Continuous {
        /// The least.
        low: f32,
        /// The greatest.
        high: f32,
        /// How many.
        len: usize,
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
