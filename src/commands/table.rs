//! `alrao table`: the results of a sweep beside each other.

use std::path::PathBuf;

use anyhow::Result;

use crate::sweep::directory::SweepDirectory;
use crate::sweep::table::{Table, TableFormat};

/// What `alrao table` is asked for.
#[derive(clap::Args)]
pub struct TableRequest {
    /// A sweep directory.
    pub sweep: PathBuf,
    /// How to write it.
    #[arg(long, default_value = "markdown")]
    pub format: TableFormat,
}

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`](crate::wrong_request::WrongRequest) if there is no such sweep, or a run in it that isn't of it.
pub fn table(request: &TableRequest) -> Result<()> {
    print!("{}", Table::of(&SweepDirectory::read(&request.sweep)?)?.write(request.format));
    Ok(())
}
