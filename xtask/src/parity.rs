//! `cargo xtask parity`: compares new episodes of Gymnasium's environments with ours, step by step.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::checkout::Checkout;
use crate::gymnasium;

/// Compares `episodes` episodes of every environment, or of the one named, with seeds drawn from `seed`.
pub fn run(checkout: &Checkout, episodes: u32, env: Option<&str>, seed: u64) -> Result<()> {
    let mut arguments = vec![format!("--episodes={episodes}"), format!("--seed={seed}")];
    arguments.extend(env.map(|name| format!("--env={name}")));
    gymnasium::run(checkout, "parity.py", &arguments)
}

/// Returns a new seed: the time in seconds.
pub fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
