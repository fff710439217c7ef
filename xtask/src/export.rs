//! `cargo xtask export`: plays exported policies in Gymnasium with onnxruntime, and with a Rust program without libtorch, and
//! compares values, actions and returns with the runs.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use alrao_setup::{Cache, pip};
use anyhow::{Context, Result};

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

/// The Python packages; those of the environments are the goldens' versions.
const REQUIREMENTS: [&str; 6] =
    ["onnxruntime==1.32.0", "gymnasium==1.4.0", "box2d==2.3.10", "pygame==2.6.1", "MinAtar==1.0.15", "numpy==2.4.6"];

/// Short trainings: policies need not be good to be exported.
const SHORT: [&str; 6] = [
    "schedule.steps=3000",
    "schedule.validate_every=3000",
    "schedule.validation_episodes=5",
    "schedule.test_episodes=100",
    "agent.batch_size=32",
    "device=cpu",
];

/// Environments and settings: all kinds of observations and heads, with and without layer normalization. LunarLander isn't
/// among them: its values are sums of terms so large that single precision is off by about 1e-5, the most that may differ.
const POLICIES: [(&str, &[&str]); 4] = [
    ("pendulum", &[]),
    ("pendulum", &["agent.network.dueling=true", "agent.network.layer_norm=false"]),
    ("minatar-breakout", &[]),
    ("minatar-asterix", &["agent.frame_stack=2"]),
];

/// Trains, exports and compares.
///
/// # Errors
/// A command fails, or values differ.
pub fn run(checkout: &Checkout) -> Result<()> {
    setup::run(checkout, false)?;
    let python = python()?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or(checkout.root.join("target"), PathBuf::from);
    let build = ["build", "--quiet", "--bin", "alrao", "--example", "q_values"];
    run_command("the build", cargo(checkout).args(build))?;
    let without_libtorch = checkout.root.join("examples/onnx-policy");
    let its_target = target.join("onnx-policy");
    let mut build = cargo(checkout);
    build.args(["build", "--quiet", "--release", "--locked"]).current_dir(&without_libtorch);
    run_command("the build without libtorch", build.env("CARGO_TARGET_DIR", &its_target))?;
    let programs = Programs {
        python,
        check: checkout.root.join("xtask/export/check.py"),
        play: checkout.root.join("examples/play_onnx.py"),
        alrao: target.join("debug/alrao"),
        q_values: target.join("debug/examples/q_values"),
        onnx_policy: its_target.join("release/onnx-policy"),
    };
    let scratch = tempfile::tempdir()?;
    POLICIES.iter().try_for_each(|(environment, sets)| programs.compare(environment, sets, scratch.path()))
}

/// The programs that take part.
struct Programs {
    python: PathBuf,
    check: PathBuf,
    play: PathBuf,
    alrao: PathBuf,
    q_values: PathBuf,
    onnx_policy: PathBuf,
}

impl Programs {
    fn compare(&self, environment: &str, sets: &[&str], scratch: &Path) -> Result<()> {
        println!("{environment} {}", sets.join(" "));
        let [run, policy, evaluation] = ["run", "policy.onnx", "eval.json"].map(|name| scratch.join(name));
        let mut train = Command::new(&self.alrao);
        train.args(["train", environment]).args(SHORT.iter().chain(sets).flat_map(|set| ["--set", set]));
        quietly("training", train.arg("--out").arg(&run), &scratch.join("train.log"))?;
        quietly("eval", Command::new(&self.alrao).arg("eval").arg(&run).arg("--json"), &evaluation)?;
        let mut export = Command::new(&self.alrao);
        quietly("export", export.arg("export").arg(&run).arg("--out").arg(&policy), &scratch.join("export.log"))?;
        let mut check = Command::new(&self.python);
        check.arg("-B").arg(&self.check).args([&policy, &evaluation, &run, &self.q_values, &self.onnx_policy]);
        run_command("the comparison", check.env("SDL_VIDEODRIVER", "dummy"))?;
        let mut play = Command::new(&self.python);
        play.arg("-B").arg(&self.play).arg(&policy).args(["--episodes", "2", "--command"]);
        play.arg(&self.onnx_policy).arg(&policy).env("SDL_VIDEODRIVER", "dummy");
        quietly("the example", &mut play, &scratch.join("play.log"))?;
        Ok(fs::remove_dir_all(&run)?)
    }
}

/// Runs a command with its standard output in a file, and shows its standard error only if it fails.
fn quietly(what: &str, command: &mut Command, out: &Path) -> Result<()> {
    let log = out.with_extension("err");
    command.stdout(File::create(out)?).stderr(File::create(&log)?);
    run_command(what, command).with_context(|| fs::read_to_string(&log).unwrap_or_default())
}

/// Returns a Python with onnxruntime and the environments, downloaded to the cache if missing.
fn python() -> Result<PathBuf> {
    let folder = Cache::of_user()?.entry("onnxruntime-1.32.0", |scratch, entry| {
        println!("downloading onnxruntime, Gymnasium and MinAtar from PyPI");
        pip::virtual_environment(&REQUIREMENTS, entry, scratch)
    })?;
    Ok(folder.join("bin/python"))
}
