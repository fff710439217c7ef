//! `cargo xtask parity`: compares new episodes of Gymnasium's and MinAtar's environments with ours, step by step.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::checkout::Checkout;
use crate::{gymnasium, minatar};

/// Compares `episodes` episodes of every environment, or of the one named, with seeds drawn from `seed`.
pub fn run(checkout: &Checkout, episodes: u32, env: Option<&str>, seed: u64) -> Result<()> {
    let mut arguments = vec![format!("--episodes={episodes}"), format!("--seed={seed}")];
    arguments.extend(env.map(|name| format!("--env={name}")));
    let compare = |module, python: &Path| {
        let arguments = [&[format!("--module={module}")], &arguments[..]].concat();
        gymnasium::run(checkout, python, "parity.py", &arguments)
    };
    let is_minatar = env.map(|name| name.starts_with("minatar-"));
    if is_minatar != Some(true) {
        compare("play", &gymnasium::python()?)?;
    }
    if is_minatar != Some(false) {
        compare("play_minatar", &minatar::python()?)?;
    }
    Ok(())
}

/// Returns a new seed: the time in seconds.
pub fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
