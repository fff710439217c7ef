//! The error of this crate's own functions: [`Error`].

use std::fmt;

use crate::message::{message, message_of};
use crate::usage_error::UsageError;

/// An error of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request can't be carried out; the message says what to change. The program exits with 2 for it.
    #[error(transparent)]
    Usage(UsageError),
    /// Something failed on the way; the program exits with 1 for it. The message has all causes.
    #[error("{}", message_of(&**.0))]
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    pub(crate) fn usage(error: impl fmt::Display) -> Self {
        Error::Usage(UsageError::of(error))
    }
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => match error.is::<UsageError>() {
                true => Error::Usage(UsageError(message(&error))),
                false => Error::Failed(error.into()),
            },
        }
    }
}

impl From<alrao_envs::EnvironmentError> for Error {
    fn from(error: alrao_envs::EnvironmentError) -> Self {
        Error::Failed(error.into())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn usage_errors_keep_their_kind_and_their_context() {
        let usage = Err::<(), _>(UsageError("seed = -1: must be at least 0".into())).context("mine.toml").unwrap_err();
        let error = Error::from(usage);
        assert!(matches!(error, Error::Usage(_)));
        assert_eq!(error.to_string(), "mine.toml: seed = -1: must be at least 0");
        let failed = Error::from(anyhow::anyhow!("the disk is full").context("metrics.jsonl"));
        assert!(matches!(failed, Error::Failed(_)));
        assert_eq!(failed.to_string(), "metrics.jsonl: the disk is full");
    }
}
