//! The runs of a run or sweep directory that can be plotted.

use std::path::Path;

use alrao_core::path::Shown;
use alrao_plots::Source;
use anyhow::Result;

use crate::config::Config;
use crate::output::note;
use crate::sweep::directory::{State, SweepDirectory};
use crate::usage_error::UsageError;

/// Returns a run directory, or the finished runs of a sweep directory.
///
/// # Errors
/// [`UsageError`] if it is neither, or no run of the sweep has finished.
pub fn sources_at(path: &Path) -> Result<Vec<Source>> {
    if path.join("config.toml").is_file() {
        Config::of_run(path)?;
        return Ok(vec![path.into()]);
    }
    if !path.join("sweep.jsonl").is_file() {
        let problem = "neither a run directory (no config.toml) nor a sweep directory (no sweep.jsonl)";
        return Err(UsageError(format!("{}: {problem}", path.shown())).into());
    }
    let sweep = SweepDirectory::read(path)?;
    let mut sources = Vec::new();
    for run in &sweep.runs {
        if matches!(sweep.state(run)?, State::Done(_)) {
            sources.push(Source { dir: sweep.of(run), in_sweep: Some((run.task.clone(), run.variant.clone())) });
        }
    }
    if sources.is_empty() {
        let problem = format!("none of its {} runs has finished yet: try again later", sweep.runs.len());
        return Err(UsageError(format!("{}: {problem}", path.shown())).into());
    }
    if sources.len() < sweep.runs.len() {
        note!("{}: {} of {} runs finished", path.shown(), sources.len(), sweep.runs.len());
    }
    Ok(sources)
}
