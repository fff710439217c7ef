//! `cargo xtask parity`: fresh episodes of Gymnasium's from PyPI beside ours, step by step.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::{gymnasium, setup};

/// Compares `episodes` episodes of every environment, or of the one named, on seeds that follow from `seed`.
pub fn run(checkout: &Checkout, episodes: u32, env: Option<&str>, seed: u64) -> Result<()> {
    setup::run(checkout, false)?;
    let replay = ["--quiet", "--release", "--package", "alrao-envs", "--example", "replay"];
    run_command("the build", cargo(checkout).arg("build").args(replay))?;
    let mut parity = Command::new(gymnasium::python()?);
    parity.current_dir(&checkout.root).args(["-B", "envs/tests/goldens/parity.py"]);
    parity.args(["--episodes", &episodes.to_string(), "--seed", &seed.to_string()]);
    parity.args(env.map(|name| format!("--env={name}")));
    parity.arg("--").arg(cargo(checkout).get_program()).arg("run").args(replay);
    run_command("the comparison", &mut parity)
}

/// A seed that no earlier comparison had: the time in seconds.
pub fn fresh_seed() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
