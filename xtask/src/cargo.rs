//! Commands whose failure ends a task with their exit code.

use std::env;
use std::process::{Command, ExitStatus};

use anyhow::{Context, Error, Result};

use crate::checkout::Checkout;
use alrao_setup::Failure;

/// Returns a command of the `cargo` that runs this program, in the root of `checkout`.
pub fn cargo(checkout: &Checkout) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(&checkout.root);
    command
}

/// Runs `command` with this terminal; `what` names it in errors.
pub fn run(what: &str, command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("can't run {what}"))?;
    if status.success() {
        return Ok(());
    }
    Err(failed(what, status))
}

/// Returns the error of a failed command, with exit code 1 if a signal ended it.
pub fn failed(what: &str, status: ExitStatus) -> Error {
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Failure::Command { what: what.to_owned(), code }.into()
}
