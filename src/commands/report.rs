//! `alrao report`: writes an HTML report of a run or a sweep.

use std::path::PathBuf;

use alrao_envs::Registry;
use anyhow::Result;

use crate::report;
use crate::run_directory::write_whole;
use crate::wrong_request::WrongRequest;

/// The arguments of `alrao report`.
#[derive(clap::Args)]
pub struct ReportRequest {
    /// Run or sweep directory.
    pub directory: PathBuf,
    /// Output file [default: report.html in the directory].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`] if the run or sweep doesn't exist, no run of the sweep has finished, or the file can't be written;
/// else a file of a run is corrupt.
pub fn report(request: &ReportRequest, registry: &Registry) -> Result<()> {
    let html = report::html(&request.directory, registry)?;
    let out = request.out.clone().unwrap_or_else(|| request.directory.join("report.html"));
    write_whole(&out, &html).map_err(|error| WrongRequest(format!("{}: can't be written: {error}", out.display())))?;
    println!("{}", out.display());
    Ok(())
}
