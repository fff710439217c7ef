//! Errors that decide the exit code. All others end with 1.

use std::fmt;
use std::process::ExitCode;

/// Why a chore stopped, where the exit code depends on it.
#[derive(Debug)]
pub enum Failure {
    /// The request can't be met on this machine as it stands, and the text says what to change.
    Refused(String),
    /// A command that was run failed with this exit code.
    Command { what: String, code: u8 },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(why) => f.write_str(why),
            Failure::Command { what, code } => write!(f, "{what} failed with exit code {code}"),
        }
    }
}

impl std::error::Error for Failure {}

/// The error for a request that can't be met.
pub fn refused(why: impl Into<String>) -> anyhow::Error {
    Failure::Refused(why.into()).into()
}

/// The exit code that `error` ends the program with.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<Failure>() {
        Some(Failure::Refused(_)) => 2.into(),
        Some(Failure::Command { code, .. }) => (*code).into(),
        None => 1.into(),
    }
}
