//! The usage error, for which the program exits with code 2; other errors exit with code 1.

use std::fmt;

/// A usage error: its message says what is wrong and what to do.
#[derive(Debug)]
pub struct UsageError(pub String);

impl UsageError {
    /// Converts an error that only the user's input can cause, as in `config.check().map_err(UsageError::of)?`.
    pub fn of(error: impl fmt::Display) -> Self {
        UsageError(error.to_string())
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}
