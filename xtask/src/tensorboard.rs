//! `cargo xtask tensorboard`: compares event files, as read by TensorBoard, with `metrics.jsonl`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;
use alrao_setup::Cache;
use alrao_setup::pip;

/// The Python packages; TensorBoard needs a part of setuptools that later versions removed.
const REQUIREMENTS: [&str; 2] = ["tensorboard==2.20.0", "setuptools==80.9.0"];

/// Trains an agent and a supervised model briefly, and compares their event files.
pub fn run(checkout: &Checkout) -> Result<()> {
    setup::run(checkout, false)?;
    let python = python()?;
    let scratch = tempfile::tempdir()?;
    let (agent, network) = (scratch.path().join("agent"), scratch.path().join("network"));
    train(checkout, &["pendulum", "--set", "schedule.steps=2000"], &agent)?;
    for part in ["train", "valid", "test"] {
        fs::write(
            scratch.path().join(format!("ptb.{part}.txt")),
            "the quick brown fox jumps over a lazy dog \n".repeat(80),
        )?;
    }
    let data = scratch.path().display().to_string();
    train(
        checkout,
        &["ptb-char", "--data", &data, "--set", "training.max_epochs=2", "--set", "training.log_every=1"],
        &network,
    )?;
    let mut command = Command::new(python);
    run_command(
        "TensorBoard",
        command.current_dir(&checkout.root).args(["-B", "tests/event_files.py"]).args([agent, network]),
    )
}

fn train(checkout: &Checkout, what: &[&str], out: &Path) -> Result<()> {
    let alrao = ["run", "--quiet", "--bin", "alrao", "--", "train", "--out"];
    run_command("training", cargo(checkout).args(alrao).arg(out).args(what))
}

/// Returns a Python with TensorBoard, downloaded to the cache if missing.
fn python() -> Result<PathBuf> {
    let folder = Cache::of_user()?.entry("tensorboard-2.20.0", |scratch, entry| {
        println!("downloading TensorBoard from PyPI");
        pip::virtual_environment(&REQUIREMENTS, entry, scratch)
    })?;
    Ok(folder.join("bin/python"))
}
