//! Errors of agents and their training.

use std::fmt::Display;
use std::ops::{Bound, RangeBounds};

/// An error of an agent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An error of the core, for example divergence.
    #[error(transparent)]
    Core(#[from] alrao_core::Error),
    /// The environment failed.
    #[error(transparent)]
    Environment(#[from] alrao_envs::EnvironmentError),
    /// The environment's actions are not discrete.
    #[error(
        "deep Q-learning needs a discrete action space, but this environment's actions are continuous: make them discrete"
    )]
    NoActions,
    /// A callback failed.
    #[error("callback `{name}` at step {step}")]
    Callback {
        /// The callback's name.
        name: String,
        /// Environment steps so far.
        step: u64,
        /// The callback's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Two callbacks of one name.
    #[error("there are two callbacks named `{name}`: rename one")]
    DuplicateCallback {
        /// The name.
        name: String,
    },
    /// A setting is invalid.
    #[error("{field} = {value}: {problem}")]
    Setting {
        /// The setting's name.
        field: &'static str,
        /// The value given.
        value: String,
        /// What is wrong with the value.
        problem: String,
    },
}

impl Error {
    pub(crate) fn setting(field: &'static str, value: impl ToString, problem: impl Into<String>) -> Self {
        Error::Setting { field, value: value.to_string(), problem: problem.into() }
    }
}

/// Checks that a setting lies in a range.
///
/// # Errors
/// [`Error::Setting`] if the setting is out of range.
pub(crate) fn within<T>(field: &'static str, value: T, range: impl RangeBounds<T>) -> Result<(), Error>
where
    T: PartialOrd + Display,
{
    if range.contains(&value) {
        return Ok(());
    }
    let low = match range.start_bound() {
        Bound::Included(low) => Some(format!("at least {low}")),
        Bound::Excluded(low) => Some(format!("above {low}")),
        Bound::Unbounded => None,
    };
    let high = match range.end_bound() {
        Bound::Included(high) => Some(format!("at most {high}")),
        Bound::Excluded(high) => Some(format!("below {high}")),
        Bound::Unbounded => None,
    };
    let limits: Vec<String> = low.into_iter().chain(high).collect();
    Err(Error::setting(field, value, format!("must be {}", limits.join(" and "))))
}
