//! The rule by which the files of a run are read back: what can't be reached is not absent, so nothing is made in its stead.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use alrao_core::path::Shown;
use alrao_plots::PlotError;
use anyhow::{Result, bail};

/// The folder of checkpoints in a run directory.
pub const CHECKPOINTS: &str = "checkpoints";

/// The log of a run, one JSON object per line.
pub const METRICS: &str = "metrics.jsonl";

/// The final metrics of a run.
pub const SUMMARY: &str = "summary.json";

/// What to do about a file that the run can't do without.
pub const RESTORE: &str = "restore it from a copy, or train the run again";

/// Returns the error of a file that can't be read, which says whether to make it accessible or to restore it.
pub fn unread(path: &Path) -> impl FnOnce(io::Error) -> PlotError {
    move |source| PlotError::Read { path: path.into(), source }
}

/// Returns whether a file or directory is there: it is absent only if its place can be reached and has nothing of
/// that name.
///
/// # Errors
/// The place can't be reached, or has a link that leads nowhere, as to a disk that isn't mounted.
pub fn is_there(path: &Path) -> Result<bool> {
    let absent = |error: &io::Error| error.kind() == ErrorKind::NotFound;
    match path.metadata() {
        Ok(_) => Ok(true),
        Err(error) if absent(&error) => match path.symlink_metadata() {
            Err(error) if absent(&error) => Ok(false),
            _ => {
                let target = fs::read_link(path).unwrap_or_default();
                bail!("{}: links to {}, which isn't there; mount or restore it", path.shown(), target.shown())
            }
        },
        Err(error) => bail!("{}: can't be reached: {error}; make it accessible", path.shown()),
    }
}
