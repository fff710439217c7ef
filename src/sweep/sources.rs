//! The runs of a run or sweep directory that can be plotted.

use std::path::Path;

use alrao_core::path::Shown;
use alrao_plots::Source;
use anyhow::Result;

use crate::config::Config;
use crate::output::note;
use crate::run_files::is_there;
use crate::sweep::directory::{State, SweepDirectory};
use crate::usage_error::UsageError;

/// Returns a run directory, or the finished runs of a sweep directory.
///
/// # Errors
/// [`UsageError`] if it is neither, or no run of the sweep has finished.
pub fn sources_at(path: &Path) -> Result<Vec<Source>> {
    let has = |name: &str| Ok::<_, UsageError>(!path.is_file() && is_there(&path.join(name)).map_err(UsageError::of)?);
    if has(Config::FILE)? {
        Config::of_run(path)?;
        return Ok(vec![path.into()]);
    }
    if !has("sweep.jsonl")? {
        let problem = "neither a run directory (no config.toml) nor a sweep directory (no sweep.jsonl)";
        return Err(UsageError(format!("{}: {problem}", path.shown())).into());
    }
    let sweep = SweepDirectory::read(path)?;
    let (mut sources, mut failures) = (Vec::new(), Vec::new());
    for run in &sweep.runs {
        match sweep.state(run)? {
            State::Done(_) => {
                sources.push(Source { dir: sweep.of(run), in_sweep: Some((run.task.clone(), run.variant.clone())) });
            }
            State::Failed(reason) => {
                let first = reason.lines().next().unwrap_or_default();
                failures.push(match first.contains(&run.name) {
                    true => first.to_string(),
                    false => format!("{}: {first}", run.name),
                });
            }
            State::Missing | State::Unfinished => {}
        }
    }
    let (all, done) = (sweep.runs.len(), sources.len());
    let failed = match &failures[..] {
        [] => String::new(),
        [first, ..] => format!(", {} failed ({first})", failures.len()),
    };
    if done == 0 {
        let later = if failures.len() < all { ": try again later" } else { "" };
        return Err(UsageError(format!("{}: none of its {all} runs has finished{failed}{later}", path.shown())).into());
    }
    if done < all {
        note!("{}: {done} of {all} runs finished{failed}", path.shown());
    }
    Ok(sources)
}
