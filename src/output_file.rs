//! The files that `--out` and `--gif` name: they are checked before the work, so that a mistyped name costs no time, and no
//! file of another kind, such as one of a run's own, is replaced.

use std::ffi::OsStr;
use std::path::Path;

use alrao_core::path::Shown;

use crate::run_directory::without_path;
use crate::usage_error::UsageError;

/// Checks that a file's name ends with one of `endings`, in lower or upper case, and that its folder takes new files; returns
/// the ending.
///
/// # Errors
/// [`UsageError`] names the file, and the endings or what is wrong with the folder.
pub fn check<'a>(path: &Path, endings: &[&'a str]) -> Result<&'a str, UsageError> {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    let Some(ending) = endings.iter().find(|known| ending.eq_ignore_ascii_case(known)) else {
        let endings: Vec<String> = endings.iter().map(|ending| format!(".{ending}")).collect();
        return Err(UsageError(format!("{}: the file's name must end with {}", path.shown(), endings.join(" or "))));
    };
    if path.is_dir() {
        return Err(UsageError(format!("{}: is a directory; name a file", path.shown())));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match tempfile::tempfile_in(folder) {
        Ok(_) => Ok(ending),
        Err(error) => Err(UsageError(format!("{}: can't be written: {}", path.shown(), without_path(error)))),
    }
}
