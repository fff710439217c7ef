//! What can go wrong between a run directory and a picture, said in words that a user can act on.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

/// Why a run could not be read, a figure not be drawn, or an event file not be written.
#[derive(Debug, thiserror::Error)]
pub enum PlotError {
    /// A file of a run is missing or unreadable.
    #[error("can't read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file can't be written.
    #[error("can't write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// `config.toml` isn't that of such a run: `seed` and `[optimizer] kind` are needed, of an agent's run `[environment]
    /// name`, of a supervised one `[data] kind`.
    #[error("{} is not the configuration of such a run: {source}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: toml::de::Error,
    },
    /// A line of `metrics.jsonl`, other than one cut off at the end, is no valid record.
    #[error("{}, line {line}: {source}", path.display())]
    Metrics {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// `summary.json` is no valid summary.
    #[error("{}: {source}", path.display())]
    Summary {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// The ending of the figure's file names no known format.
    #[error("don't know the format of {}: end its name in .svg or .png", path.display())]
    Format {
        /// The file asked for.
        path: PathBuf,
    },
    /// No run was given.
    #[error("no run to plot: name at least one run directory")]
    NoRuns,
    /// A supervised run has not told of a finite loss yet.
    #[error("{} has told of no finite loss yet: plot it later", dir.display())]
    NoLosses {
        /// The run directory.
        dir: PathBuf,
    },
    /// A run has not yet finished an episode with a finite return.
    #[error("{} has no finished episode with a finite return yet: plot it later", dir.display())]
    NoEpisodes {
        /// The run directory.
        dir: PathBuf,
    },
    /// Several runs are compared by their validations, and this one has none yet.
    #[error("{} has no validation yet, by which several runs are compared: plot it alone or later", dir.display())]
    NoValidations {
        /// The run directory.
        dir: PathBuf,
    },
    /// Returns of different environments don't compare, nor do losses of different data or networks.
    #[error(
        "{} ran {name} but {} ran {other_name}: plot runs of one task at a time",
        dir.display(), other_dir.display()
    )]
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
    /// The drawing failed, for instance on a character that SVG can't hold.
    #[error("can't draw the figure: {0}")]
    Draw(#[source] Box<dyn Error + Send + Sync>),
    /// An event file is shorter than a checkpoint says it was.
    #[error("{} holds {found} bytes, but the run to resume had written {saved}", path.display())]
    EventFile {
        /// The file.
        path: PathBuf,
        /// Its length, bytes.
        found: u64,
        /// The length to go on from, bytes.
        saved: u64,
    },
}

impl PlotError {
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
