//! `alrao table`: prints the results of a sweep.

use std::path::PathBuf;

use anyhow::Result;

use crate::output;
use crate::sweep::directory::SweepDirectory;
use crate::sweep::table::{Table, TableFormat};

/// The arguments of `alrao table`.
#[derive(clap::Args)]
pub struct TableArgs {
    /// Sweep directory.
    pub sweep: PathBuf,
    /// Output format.
    #[arg(long, default_value = "markdown")]
    pub format: TableFormat,
}

/// Runs the command.
///
/// # Errors
/// [`UsageError`](crate::usage_error::UsageError) if the sweep doesn't exist, or one of its run
/// directories has another configuration.
pub fn table(args: &TableArgs) -> Result<()> {
    output::print(format_args!("{}", Table::of(&SweepDirectory::read(&args.sweep)?)?.write(args.format)))
}
