//! Gymnasium from PyPI, to be compared with: [`python`].

use std::path::PathBuf;

use anyhow::Result;

use crate::cache::Cache;
use crate::pip;

/// What is needed of Python, as the environments' goldens were written with it.
const REQUIREMENTS: [&str; 4] = ["gymnasium==1.4.0", "box2d==2.3.10", "pygame==2.6.1", "numpy==2.4.6"];

/// A Python that has it, downloaded into the cache if it isn't there yet.
pub fn python() -> Result<PathBuf> {
    let folder = Cache::of_user()?.entry("gymnasium-1.4.0", |scratch, entry| {
        println!("downloading Gymnasium from PyPI");
        pip::virtual_environment(&REQUIREMENTS, entry, scratch)
    })?;
    Ok(folder.join("bin/python"))
}
