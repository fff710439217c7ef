//! `alrao plot`: the episode returns of one run, or of several beside each other.

use alrao_plots::{RunRecord, plot_returns};
use anyhow::Result;
use rayon::prelude::*;

use crate::command_line::{PlotRequest, WrongRequest};
use crate::config::Config;

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`] if one of them is no run directory, or what keeps the figure from being drawn.
pub fn plot(request: &PlotRequest) -> Result<()> {
    for run in &request.runs {
        Config::of_run(run)?;
    }
    let records = request.runs.par_iter().map(|run| RunRecord::read(run)).collect::<Result<Vec<_>, _>>();
    let records = records.map_err(|error| WrongRequest(error.to_string()))?;
    let out = request.out.clone().unwrap_or_else(|| request.runs[0].join("plots/returns.svg"));
    plot_returns(&records, &out).map_err(|error| WrongRequest(error.to_string()))?;
    println!("{}", out.display());
    Ok(())
}
