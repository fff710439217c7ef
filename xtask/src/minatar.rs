//! MinAtar's package from PyPI, to be compared with.

use std::path::PathBuf;

use alrao_setup::{Cache, pip};
use anyhow::Result;

/// What is needed of Python, as the games' goldens were written with it.
const REQUIREMENTS: [&str; 3] = ["MinAtar==1.0.15", "gymnasium==1.4.0", "numpy==2.4.6"];

/// A Python that has it, downloaded into the cache if it isn't there yet.
pub fn python() -> Result<PathBuf> {
    let folder = Cache::of_user()?.entry("minatar-1.0.15", |scratch, entry| {
        println!("downloading MinAtar from PyPI");
        pip::virtual_environment(&REQUIREMENTS, entry, scratch)
    })?;
    Ok(folder.join("bin/python"))
}
