//! Standard output and standard error, each of which may be closed or full.
//!
//! A command's result goes to standard output by [`say!`], which fails if the output is gone: the command then ends, with
//! exit code 0 if a reader closed it, as `head` does, and 1 otherwise. Progress and warnings go to standard error by
//! [`note!`], which never fails, so that trainings and sweeps outlive their terminal.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, anyhow};

/// Whether no progress is shown, for the whole process.
static QUIET: AtomicBool = AtomicBool::new(false);

/// The error of a standard output that its reader closed.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub struct Closed;

/// Writes to standard output.
///
/// # Errors
/// [`Closed`] if its reader closed it; else it can't be written.
pub fn print(text: Arguments) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_fmt(text).and_then(|()| out.flush()).map_err(failed)
}

/// Converts an error of writing to standard output.
pub fn failed(error: io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::BrokenPipe => Closed.into(),
        _ => anyhow!("standard output can't be written: {error}"),
    }
}

/// Writes to standard error, if possible.
pub fn print_note(text: Arguments) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// Has no progress shown any more, only results, warnings and errors.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Returns whether no progress is to be shown.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Returns whether progress is to be redrawn on standard error: a terminal on which lines can be redrawn; a dumb one gets
/// plain lines.
pub fn is_live() -> bool {
    !is_quiet()
        && io::stderr().is_terminal()
        && std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Prints a line of the result, as `println!` does, but returns a `Result`.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::print(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints a line to standard error, as `eprintln!` does, but never panics.
macro_rules! note {
    ($($text:tt)*) => { $crate::output::print_note(format_args!("{}\n", format_args!($($text)*))) };
}

pub(crate) use {note, say};
