//! What can go wrong while an agent learns.

/// An error of an agent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Learning failed.
    #[error(transparent)]
    Core(#[from] alrao_core::Error),
    /// The environment failed.
    #[error(transparent)]
    Environment(#[from] alrao_envs::EnvironmentError),
    /// A setting that no agent can work with.
    #[error("{field} = {value}: {problem}")]
    Setting {
        /// The setting's name.
        field: &'static str,
        /// The value given.
        value: String,
        /// Why it can't be.
        problem: String,
    },
}

impl Error {
    pub(crate) fn setting(field: &'static str, value: impl ToString, problem: impl Into<String>) -> Self {
        Error::Setting { field, value: value.to_string(), problem: problem.into() }
    }
}
