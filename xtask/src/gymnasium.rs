//! Scripts that compare with Gymnasium from PyPI.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;
use alrao_setup::Cache;
use alrao_setup::pip;

/// The Python packages, with the versions that wrote the environments' goldens.
const REQUIREMENTS: [&str; 4] = ["gymnasium==1.4.0", "box2d==2.3.10", "pygame==2.6.1", "numpy==2.4.6"];

/// Renders the frames in `docs` again, next to Gymnasium's.
pub fn frames(checkout: &Checkout) -> Result<()> {
    run(checkout, &python()?, "frames.py", &["docs/figures".into()])
}

/// Runs a script in `envs/tests/goldens` with this Python, and with `examples/replay.rs` for our environments.
pub fn run(checkout: &Checkout, python: &Path, script: &str, arguments: &[String]) -> Result<()> {
    setup::run(checkout, false)?;
    let replay = ["--quiet", "--release", "--package", "alrao-envs", "--example", "replay"];
    run_command("the build", cargo(checkout).arg("build").args(replay))?;
    let mut command = Command::new(python);
    command.current_dir(&checkout.root).arg("-B").arg(format!("envs/tests/goldens/{script}")).args(arguments);
    command.arg("--").arg(cargo(checkout).get_program()).arg("run").args(replay);
    command.env("SDL_VIDEODRIVER", "dummy"); // pygame draws without a display
    run_command(script, &mut command)
}

/// Returns a Python with Gymnasium, downloaded to the cache if missing.
pub fn python() -> Result<PathBuf> {
    let folder = Cache::of_user()?.entry("gymnasium-1.4.0", |scratch, entry| {
        println!("downloading Gymnasium from PyPI");
        pip::virtual_environment(&REQUIREMENTS, entry, scratch)
    })?;
    Ok(folder.join("bin/python"))
}
