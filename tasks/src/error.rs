//! What can go wrong with a supervised task, in words that say what to do.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// An error of a supervised task.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder that doesn't hold the data set.
    #[error("{}: must hold {expected}; it {found}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the data set is laid out as.
        expected: String,
        /// What there is instead.
        found: String,
    },
    /// A file of a data set that can't be used.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// A file that can't be read any more.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A setting that no training can work with.
    #[error("{field} = {value}: {problem}")]
    Setting {
        /// The setting's name.
        field: &'static str,
        /// The value given.
        value: String,
        /// Why it can't be.
        problem: String,
    },
    /// More files are damaged than the data can do without.
    #[error("{count} of {of} images are damaged, which is more than 1 %; {}: {}", last.path.display(), last.problem)]
    Damaged {
        /// How many were found so far.
        count: usize,
        /// How many images there are.
        of: usize,
        /// The last of them.
        last: SkippedFile,
    },
    /// The network can't learn from this.
    #[error(transparent)]
    Core(#[from] alrao_core::Error),
}

/// A file that is damaged, so that its image is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedFile {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

impl Error {
    /// A folder that must hold something else than it does; says what is in it.
    pub(crate) fn folder(path: &Path, expected: impl Into<String>) -> Self {
        const TOLD: usize = 4;
        let found = match std::fs::read_dir(path) {
            Err(error) => format!("can't be read: {error}"),
            Ok(entries) => {
                let mut names: Vec<String> =
                    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
                names.sort();
                let more = names.len().saturating_sub(TOLD);
                names.truncate(TOLD);
                match (names.is_empty(), more) {
                    (true, _) => "is empty".into(),
                    (false, 0) => format!("holds {}", names.join(", ")),
                    (false, more) => format!("holds {} and {more} more", names.join(", ")),
                }
            }
        };
        Error::Folder { path: path.into(), expected: expected.into(), found }
    }

    pub(crate) fn setting(field: &'static str, value: impl ToString, problem: impl Into<String>) -> Self {
        Error::Setting { field, value: value.to_string(), problem: problem.into() }
    }

    /// A file with a problem.
    pub(crate) fn file(path: &Path, problem: impl Into<String>) -> Self {
        Error::File { path: path.into(), problem: problem.into() }
    }
}
