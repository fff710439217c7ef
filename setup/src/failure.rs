//! Errors that decide the exit code. All others end with 1.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// A failure with its own exit code.
#[derive(Debug)]
pub enum Failure {
    /// A usage error or a missing requirement; the text says what to change.
    Usage(String),
    /// A command failed with this exit code.
    Command {
        /// The command's name.
        what: String,
        /// Its exit code.
        code: u8,
    },
    /// Standard output can't be written.
    Output(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Usage(why) => f.write_str(why),
            Failure::Output(error) => write!(f, "standard output can't be written: {error}"),
            Failure::Command { what, code } => write!(f, "{what} failed with exit code {code}"),
        }
    }
}

impl std::error::Error for Failure {}

/// Returns a usage error.
pub fn usage_error(why: impl Into<String>) -> anyhow::Error {
    Failure::Usage(why.into()).into()
}

/// Returns whether the reader of standard output closed it, which is no failure.
pub fn is_closed_output(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe)
}

/// Returns the exit code for `error`.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<Failure>() {
        Some(Failure::Output(_)) if is_closed_output(error) => ExitCode::SUCCESS,
        Some(Failure::Usage(_)) => 2.into(),
        Some(Failure::Command { code, .. }) => (*code).into(),
        Some(Failure::Output(_)) | None => 1.into(),
    }
}
