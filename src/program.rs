//! The name of the running program, for hints that are meant to be copied: programs with environments of their own have
//! the same commands.

use std::path::Path;

/// Returns the name that the program was started by, without its folder.
pub fn name() -> String {
    let program = std::env::args_os().next().unwrap_or_default();
    Path::new(&program).file_name().map_or("alrao".into(), |name| name.to_string_lossy().into_owned())
}
