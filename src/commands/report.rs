//! `alrao report`: writes an HTML report of a run or a sweep.

use std::path::PathBuf;

use alrao_core::path::Shown;
use anyhow::Result;

use crate::catalog::Catalog;
use crate::output::say;
use crate::output_file;
use crate::report;

/// The arguments of `alrao report`.
#[derive(clap::Args)]
pub struct ReportArgs {
    /// Run or sweep directory.
    pub directory: PathBuf,
    /// Output file, .html [default: report.html in the directory].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`UsageError`](crate::usage_error::UsageError) if the run or sweep doesn't exist, no run of the sweep has finished, or the file has another
/// ending or can't be written; else a file of a run is corrupt.
pub fn report(args: &ReportArgs, catalog: &Catalog) -> Result<()> {
    if let Some(out) = &args.out {
        output_file::check(out, &["html"])?;
    }
    let html = report::html(&args.directory, catalog)?;
    let out = args.out.clone().unwrap_or_else(|| args.directory.join("report.html"));
    output_file::write(&out, html)?;
    say!("{}", out.shown())
}
