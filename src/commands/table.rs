//! `alrao table`: the results of a sweep beside each other.

use anyhow::Result;

use crate::command_line::TableRequest;
use crate::sweep::directory::SweepDirectory;
use crate::sweep::table::Table;

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`](crate::command_line::WrongRequest) if there is no such sweep, or a run in it that isn't of it.
pub fn table(request: &TableRequest) -> Result<()> {
    print!("{}", Table::of(&SweepDirectory::read(&request.sweep)?)?.write(request.format));
    Ok(())
}
