//! Tests and scripts that need Gymnasium from PyPI.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;
use alrao_setup::Cache;
use alrao_setup::pip;

/// The Python packages: Gymnasium with the versions that wrote the environments' goldens, then environments for it.
const REQUIREMENTS: [&str; 8] = [
    "gymnasium==1.4.0",
    "box2d==2.3.10",
    "pygame==2.6.1",
    "numpy==2.4.6",
    "ale-py==0.12.1",
    "opencv-python-headless==5.0.0.93", // for Gymnasium's wrapper of Atari games
    "minigrid==3.2.0",
    "MinAtar==1.0.15",
];

/// Tests environments of Gymnasium in Python processes.
pub fn test(checkout: &Checkout) -> Result<()> {
    setup::run(checkout, false)?;
    let python = python()?;
    let folder = python.parent().expect("a program is in a folder");
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([folder.into()].into_iter().chain(env::split_paths(&path)))?;
    let test = ["test", "--workspace", "--test", "command_line", "--", "--ignored", "gymnasium::"];
    run_command("the tests with Gymnasium", cargo(checkout).args(test).env("PATH", path))
}

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
    let folder = Cache::of_user()?.entry("gymnasium-1.4.0-environments", |scratch, entry| {
        println!("downloading Gymnasium and environments for it from PyPI");
        pip::virtual_environment(&REQUIREMENTS, entry, scratch)
    })?;
    Ok(folder.join("bin/python"))
}
