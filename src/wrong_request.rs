//! The error that tells a wrong request from what fails on the way: the program ends with 2 for it, with 1 for others.

use std::fmt;

/// A request that can't be met as it stands: what is wrong with it.
#[derive(Debug)]
pub struct WrongRequest(pub String);

impl WrongRequest {
    /// Of an error that only what was asked for can be the cause of, as in `config.check().map_err(WrongRequest::of)?`.
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
