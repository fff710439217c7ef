//! Standard output and standard error, each of which may be closed or full: results go to standard output by [`say!`], whose
//! error ends the command; progress goes to standard error by [`note!`], which never fails.

use std::fmt::Arguments;
use std::io::{self, Write};

use anyhow::Result;

use crate::failure::Failure;

/// Writes a line to standard output.
///
/// # Errors
/// [`Failure::Output`] if it can't be written.
pub fn print(line: Arguments) -> Result<()> {
    Ok(writeln!(io::stdout(), "{line}").map_err(Failure::Output)?)
}

/// Writes a line to standard error, if possible.
pub fn print_note(line: Arguments) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints a line of the result, as `println!` does, but returns a `Result`.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::print(format_args!($($text)*)) };
}

/// Prints a line to standard error, as `eprintln!` does, but never panics.
macro_rules! note {
    ($($text:tt)*) => { $crate::output::print_note(format_args!($($text)*)) };
}

pub(crate) use {note, say};
