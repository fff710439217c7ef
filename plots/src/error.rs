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
    /// A run directory without `run.json`.
    #[error(
        "{} was written by an earlier alrao ({version}), before runs had the run.json by which this one reads them: read it \
         with that one, or train the run anew",
        dir.display()
    )]
    OlderVersion {
        /// The run directory.
        dir: PathBuf,
        /// The version that wrote it.
        version: String,
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
    /// `run.json`, `summary.json` or `units.json` is not what it should be.
    #[error("{}: {source}", path.display())]
    Json {
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
    /// A figure is of agents, and this run is of none.
    #[error("{} has no episodes: it learnt from data", dir.display())]
    NoAgent {
        /// The run directory.
        dir: PathBuf,
    },
    /// A figure is of a network that learns from data, and this run is of an agent.
    #[error("{} is the run of an agent, which has no losses to show beside these", dir.display())]
    NotSupervised {
        /// The run directory.
        dir: PathBuf,
    },
    /// A supervised run has not told of a finite loss yet.
    #[error("{} has told of no finite loss yet: plot it later", dir.display())]
    NoLosses {
        /// The run directory.
        dir: PathBuf,
    },
    /// Several supervised runs are compared by their epochs, and this one has ended none yet.
    #[error("{} has ended no epoch yet, by which several runs are compared: plot it alone or later", dir.display())]
    NoEpochs {
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
    /// A figure of the heads of a run that has one, or that has told of none yet.
    #[error("{} tells of no weights of several heads: it has one head, or has only begun", dir.display())]
    NoPosterior {
        /// The run directory.
        dir: PathBuf,
    },
    /// A figure of units' rates without `units.json`.
    #[error(
        "{} has no units.json: it learnt at a single rate, is not done yet, or was made before alrao wrote one",
        dir.display()
    )]
    NoUnits {
        /// The run directory.
        dir: PathBuf,
    },
    /// A heat map of runs that don't differ in their intervals.
    #[error(
        "a heat map shows Alrao at several intervals of rates, and here there are {intervals}: give runs, or a sweep, that \
         differ in optimizer.lr_min and optimizer.lr_max"
    )]
    NoIntervals {
        /// How many there are.
        intervals: usize,
    },
    /// A heat map is of results.
    #[error("{} is not done yet, so it has no result to show: plot it later", dir.display())]
    NotDone {
        /// The run directory.
        dir: PathBuf,
    },
    /// A figure is of one run.
    #[error("this figure shows one run, and {count} are given: name one")]
    OneRun {
        /// How many are given.
        count: usize,
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
