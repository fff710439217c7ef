//! The Python environment of the compared libraries.

use std::path::PathBuf;

use anyhow::Result;

use alrao_setup::Cache;
use alrao_setup::pip;

/// Stable-Baselines3 with LunarLander, PyTorch, torchvision with Pillow, and MinAtar.
const REQUIREMENTS: [&str; 9] = [
    "stable-baselines3==2.9.2",
    "torch==2.11.0",
    "torchvision==0.26.0",
    "pillow==13.0.0",
    "MinAtar==1.0.15",
    "gymnasium==1.4.0",
    "box2d==2.3.10",
    "pygame==2.6.1",
    "numpy==2.4.6",
];

/// A Python that has all of them, downloaded into the cache if it isn't there yet.
pub fn peers() -> Result<PathBuf> {
    let folder =
        Cache::of_user()?.entry("stable-baselines3-2.9.2-torchvision-0.26.0-minatar-1.0.15", |scratch, entry| {
            println!("downloading Stable-Baselines3, PyTorch, torchvision and MinAtar from PyPI (some 3 GB)");
            pip::virtual_environment(&REQUIREMENTS, entry, scratch)
        })?;
    Ok(folder.join("bin/python"))
}
