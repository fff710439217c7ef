//! The errors of supervised tasks.

use std::path::{Path, PathBuf};

use alrao_core::path::Shown;
use serde::{Serialize, Serializer};

/// An error of a supervised task.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder that doesn't contain the dataset.
    #[error("{}: must contain {expected}, but it {found}", path.shown())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The dataset's expected files.
        expected: String,
        /// The folder's content.
        found: String,
    },
    /// An invalid file of a dataset.
    #[error("{}: {problem}", path.shown())]
    File {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A file that can't be read.
    #[error("{}: {source}", path.shown())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// An invalid setting.
    #[error("{field} = {value}: {problem}")]
    Setting {
        /// The setting's name.
        field: &'static str,
        /// The value given.
        value: String,
        /// Why it is invalid.
        problem: String,
    },
    /// A dataset of other classes than a trained model's.
    #[error("{}: other classes than the run's: {problem}; give a dataset with the classes of the run", path.shown())]
    Classes {
        /// The folder.
        path: PathBuf,
        /// How the classes differ.
        problem: String,
    },
    /// An evaluation of which every file is corrupt.
    #[error("all {count} images are corrupt: repair the dataset; the last is {}: {}", last.path.shown(), last.problem)]
    AllCorrupt {
        /// The number of files.
        count: usize,
        /// The last corrupt file.
        last: SkippedFile,
    },
    /// Too many files are corrupt.
    #[error("{count} of {of} images are corrupt, more than 1 %: repair the dataset; the last is {}: {}", last.path.shown(), last.problem)]
    TooManyCorrupt {
        /// The number of corrupt files so far.
        count: usize,
        /// The number of images.
        of: usize,
        /// The last corrupt file.
        last: SkippedFile,
    },
    /// An error of the core.
    #[error(transparent)]
    Core(#[from] alrao_core::Error),
}

/// A corrupt file, which was skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedFile {
    /// The file; in JSON, bytes that are no UTF-8 are escaped.
    #[serde(serialize_with = "shown")]
    pub path: PathBuf,
    /// The problem.
    pub problem: String,
}

fn shown<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.shown())
}

impl Error {
    /// Creates the error of a folder with unexpected content, which it lists.
    pub(crate) fn folder(path: &Path, expected: impl Into<String>) -> Self {
        const TOLD: usize = 4;
        let found = match std::fs::read_dir(path) {
            Err(error) => format!("can't be read: {error}"),
            Ok(entries) => {
                let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().shown()).collect();
                names.sort();
                let more = names.len().saturating_sub(TOLD);
                names.truncate(TOLD);
                match (names.is_empty(), more) {
                    (true, _) => "is empty".into(),
                    (false, 0) => format!("contains {}", names.join(", ")),
                    (false, more) => format!("contains {} and {more} more", names.join(", ")),
                }
            }
        };
        Error::Folder { path: path.into(), expected: expected.into(), found }
    }

    pub(crate) fn setting(field: &'static str, value: impl ToString, problem: impl Into<String>) -> Self {
        Error::Setting { field, value: value.to_string(), problem: problem.into() }
    }

    /// Creates the error of a file with a problem.
    pub(crate) fn file(path: &Path, problem: impl Into<String>) -> Self {
        Error::File { path: path.into(), problem: problem.into() }
    }
}
