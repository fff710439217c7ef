//! The errors of reading a run directory and drawing a figure.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// An error of reading a run, drawing a figure or writing an event file.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// A file of a run is missing or unreadable.
    #[error("can't read {}: {source}; {}", shown(path), to_read(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file can't be written.
    #[error("can't write {}: {source}", shown(path))]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A run directory without `run.json`.
    #[error(
        "{} was written by an earlier alrao ({version}) and has no run.json: read it with that version, or train the run \
         again",
        shown(dir)
    )]
    OlderVersion {
        /// The run directory.
        dir: PathBuf,
        /// The version that wrote it.
        version: String,
    },
    /// A line of `metrics.jsonl` is not a valid record; a truncated last line is ignored.
    #[error("{}, line {line} is damaged: {problem}; {RESTORE}", shown(path))]
    Metrics {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The damage, as in "it is cut off".
        problem: String,
    },
    /// `metrics.jsonl` has no line, but the run has finished with a validation.
    #[error("{} is missing or empty, but the run has finished; {RESTORE}", shown(path))]
    NoMetricsFile {
        /// The file.
        path: PathBuf,
    },
    /// `run.json`, `summary.json` or `units.json` is malformed.
    #[error("{} is damaged: {problem}; {}", shown(path), to_restore(path))]
    Json {
        /// The file.
        path: PathBuf,
        /// The damage, as in "it is cut off".
        problem: String,
    },
    /// The extension of the figure's file is not a known format.
    #[error("unknown format of {}: use the extension .svg or .png", shown(path))]
    Format {
        /// The file asked for.
        path: PathBuf,
    },
    /// No run was given.
    #[error("no run to plot: name at least one run directory")]
    NoRuns,
    /// The figure needs agents, and this run is supervised.
    #[error("{} is a supervised run without episodes: plot it with --figure learning", shown(dir))]
    NoAgent {
        /// The run directory.
        dir: PathBuf,
    },
    /// The figure needs supervised runs, and this run is an agent's.
    #[error("{} is the run of an agent without a loss curve: plot it without the supervised runs", shown(dir))]
    NotSupervised {
        /// The run directory.
        dir: PathBuf,
    },
    /// A supervised run has not logged a finite loss yet.
    #[error("{} has logged no finite loss: if it still trains, plot it later", shown(dir))]
    NoLosses {
        /// The run directory.
        dir: PathBuf,
    },
    /// Several supervised runs are compared by epoch, and this one has not finished an epoch yet.
    #[error("{} has no finished epoch yet, which a comparison needs: plot it alone or later", shown(dir))]
    NoEpochs {
        /// The run directory.
        dir: PathBuf,
    },
    /// A run has not yet finished an episode with a finite return.
    #[error("{} has no finished episode with a finite return: if it still trains, plot it later", shown(dir))]
    NoEpisodes {
        /// The run directory.
        dir: PathBuf,
    },
    /// Several runs are compared by their validations, and this run has none yet.
    #[error("{} has no validation yet, which a comparison needs: plot it alone or later", shown(dir))]
    NoValidations {
        /// The run directory.
        dir: PathBuf,
    },
    /// The figure needs head weights, and the run has one head or has logged none yet.
    #[error("{} has no head weights to plot: there is one head, or none was logged yet", shown(dir))]
    NoPosterior {
        /// The run directory.
        dir: PathBuf,
    },
    /// The figure needs recorded metrics, and the run has none.
    #[error("{} has no recorded metrics to plot: callbacks record them", shown(dir))]
    NoMetrics {
        /// The run directory.
        dir: PathBuf,
    },
    /// The figure needs `units.json`, and the run has none.
    #[error(
        "{} has no units.json: only finished runs with a learning rate for each unit (optimizer.kind = \"alrao\") have one",
        shown(dir)
    )]
    NoUnits {
        /// The run directory.
        dir: PathBuf,
    },
    /// A heat map needs several learning-rate ranges.
    #[error(
        "a heat map needs at least two learning-rate ranges of Alrao, but the number here is {ranges}: select runs that \
         differ in optimizer.lr_min and optimizer.lr_max"
    )]
    NoLrRanges {
        /// The number of ranges.
        ranges: usize,
    },
    /// A heat map needs finished runs.
    #[error("{} is unfinished and has no test result yet: plot it later", shown(dir))]
    NotDone {
        /// The run directory.
        dir: PathBuf,
    },
    /// The figure shows one run.
    #[error("this figure shows one run, but {count} were given: select one")]
    OneRun {
        /// The number of runs given.
        count: usize,
    },
    /// The runs are of different tasks.
    #[error("{} is of {name}, but {} of {other_name}: plot runs of one task at a time", shown(dir), shown(other_dir))]
    Tasks {
        /// A run directory.
        dir: PathBuf,
        /// Its environment, or its data and network.
        name: String,
        /// The first run directory that disagrees.
        other_dir: PathBuf,
        /// Its task.
        other_name: String,
    },
    /// The drawing failed, for instance on a character that SVG doesn't allow.
    #[error("can't draw the figure: {0}")]
    Draw(#[source] Box<dyn Error + Send + Sync>),
    /// An event file is shorter than a checkpoint says it was.
    #[error(
        "{} has {found} bytes, but {saved} at the last checkpoint: restore the file, or train the run again",
        shown(path)
    )]
    EventFile {
        /// The file.
        path: PathBuf,
        /// Its length, bytes.
        found: u64,
        /// Its length at the checkpoint, bytes.
        saved: u64,
    },
}

/// What to do about a file that a run can't do without.
const RESTORE: &str = "restore it from a copy, or train the run again";

fn to_read(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "make it accessible",
        _ => RESTORE,
    }
}

/// Returns what to do about a damaged file, of which those at the end of a run are made again.
fn to_restore(path: &Path) -> &'static str {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("summary.json") => "remove it, and have `alrao train --resume` test the run again",
        Some("units.json") => "remove it and summary.json, and have `alrao train --resume` make both again",
        _ => RESTORE,
    }
}

impl PlotError {
    /// Returns whether a file of a run is damaged or can't be read, so that there may be more to show than is shown.
    pub fn is_damage(&self) -> bool {
        use PlotError::{Json, Metrics, NoMetricsFile, Read};
        matches!(self, Read { .. } | Metrics { .. } | NoMetricsFile { .. } | Json { .. })
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Read { path: path.into(), source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Write { path: path.into(), source }
    }

    pub(crate) fn draw(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Draw(source.into())
    }
}

/// Returns the text of a path, in which bytes that are no UTF-8 are escaped.
fn shown(path: &Path) -> String {
    let mut text = String::new();
    for part in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(part.valid());
        text.extend(part.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    text
}
