//! The usage error, for which the program exits with code 2; other errors exit with code 1.

use std::fmt;

/// A usage error: its message says what is wrong and what to do.
#[derive(Debug)]
pub struct WrongRequest(pub String);

impl WrongRequest {
    /// Converts an error that only the user's input can cause, as in `config.check().map_err(WrongRequest::of)?`.
    pub fn of(error: impl fmt::Display) -> Self {
        WrongRequest(error.to_string())
    }
}

impl fmt::Display for WrongRequest {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongRequest {}
