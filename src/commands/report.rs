//! `alrao report`: a run or a sweep as one page of HTML.

use std::path::PathBuf;

use alrao_envs::Registry;
use anyhow::Result;

use crate::report;
use crate::run_directory::write_whole;
use crate::wrong_request::WrongRequest;

/// What `alrao report` is asked for.
#[derive(clap::Args)]
pub struct ReportRequest {
    /// A run directory or a sweep directory.
    pub directory: PathBuf,
    /// The page; `report.html` in the directory by default.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`] if there is no such run or sweep, no run of the sweep is done, or the file can't be written; else a
/// file of a run is damaged.
pub fn report(request: &ReportRequest, registry: &Registry) -> Result<()> {
    let html = report::html(&request.directory, registry)?;
    let out = request.out.clone().unwrap_or_else(|| request.directory.join("report.html"));
    write_whole(&out, &html).map_err(|error| WrongRequest(format!("{}: can't be written: {error}", out.display())))?;
    println!("{}", out.display());
    Ok(())
}
