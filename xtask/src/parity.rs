//! `cargo xtask parity`: fresh episodes of Gymnasium's from PyPI beside ours, step by step.

use std::process::Command;

use anyhow::Result;

use crate::cache::Cache;
use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::{pip, setup};

/// What the comparison needs of Python, as the goldens were written with it.
const REQUIREMENTS: [&str; 4] = ["gymnasium==1.4.0", "box2d==2.3.10", "pygame==2.6.1", "numpy==2.4.6"];

/// Compares `episodes` episodes of every environment, or of the one named, on seeds that follow from `seed`.
pub fn run(checkout: &Checkout, episodes: u32, env: Option<&str>, seed: u64) -> Result<()> {
    setup::run(checkout, false)?;
    let replay = ["--release", "--package", "alrao-envs", "--example", "replay"];
    run_command("the build", cargo(checkout).arg("build").args(replay))?;
    let python = pip::environment(&Cache::of_user()?, "gymnasium-1.4.0", &REQUIREMENTS)?;
    let script = checkout.root.join("envs/tests/goldens/parity.py");
    let replay = checkout.target().join("release/examples/replay");
    let mut parity = Command::new(python);
    parity.arg("-B").arg(script).arg(replay).args([episodes.to_string(), seed.to_string()]).args(env);
    run_command("the comparison", &mut parity)
}
