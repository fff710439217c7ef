//! The files that `--out` and `--gif` name: how they are checked and written. The check comes before the work, so that a
//! mistyped name costs no time, and no file of another kind, such as one of a run's own, is replaced.

use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use alrao_core::path::Shown;

use crate::checkpoint;
use crate::run_directory::{folder_of, without_path, write_atomic};
use crate::usage_error::UsageError;

/// Checks that a file's name ends with one of `endings`, in lower or upper case, and that its folder takes new files and is
/// no run's checkpoint; returns the ending.
///
/// # Errors
/// [`UsageError`] names the file, and the endings or what is wrong with the folder.
pub fn check<'a>(path: &Path, endings: &[&'a str]) -> Result<&'a str, UsageError> {
    if path.is_dir() {
        return Err(unwritable(path, "Is a directory"));
    }
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let Some(ending) = endings.iter().find(|known| ending.eq_ignore_ascii_case(known)) else {
        let endings: Vec<String> = endings.iter().map(|ending| format!(".{ending}")).collect();
        return Err(UsageError(format!("{}: the file's name must end with {}", path.shown(), endings.join(" or "))));
    };
    if checkpoint::is_at(folder_of(path)) {
        return Err(UsageError(format!("{}: is among a run's checkpoints; choose another file", path.shown())));
    }
    match tempfile::tempfile_in(folder_of(path)) {
        Ok(_) => Ok(ending),
        Err(error) => Err(unwritable(path, without_path(error))),
    }
}

/// Writes a file, whole or not at all; one that exists is replaced.
///
/// # Errors
/// [`UsageError`] if the file can't be written.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), UsageError> {
    write_atomic(path, content).map_err(|error| unwritable(path, error))
}

fn unwritable(path: &Path, problem: impl fmt::Display) -> UsageError {
    UsageError(format!("{}: can't be written: {problem}", path.shown()))
}
