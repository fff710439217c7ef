//! `cargo xtask bench input`: throughput of the input pipeline (decoding, augmentation, normalization), compared with
//! torchvision's on two cores; and the differences of test images from Pillow's.

use std::path::{Path, absolute};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::comparison::{BenchArgs, Program, Target, compare, last_line, on_cores};
use super::python;
use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

const TARGETS: [Target; 1] = [Target("alrao, input", "torchvision, input", 2.5)];
/// The number of images that are compared with Pillow's.
const COMPARED: u32 = 500;
/// The target for the mean difference, in gray levels.
const GRAY_LEVELS: f64 = 1.0;

/// Builds the programs, downloads torchvision, compares images, and measures.
pub fn run(checkout: &Checkout, data: &Path, args: BenchArgs) -> Result<()> {
    setup::run(checkout, false)?;
    let bench = ["bench", "--quiet", "--package", "alrao-tasks", "--bench", "input"];
    run_command("the build", cargo(checkout).args(bench).arg("--no-run"))?;
    let python = python::peers()?;
    let data = absolute(data)?;

    let scratch = tempfile::tempdir()?;
    let pixels = scratch.path().join("pixels");
    let mut ours = cargo(checkout);
    ours.args(bench).args(["--", "pixels", &COMPARED.to_string()]).args([&data, &pixels]);
    run_command("our images", &mut ours)?;
    let mut theirs = std::process::Command::new(&python);
    theirs.current_dir(&checkout.root).args(["-B", "xtask/benches/input.py", "compare", &COMPARED.to_string()]);
    let line = last_line("Pillow's images", theirs.args([&data, &pixels]))?;
    let differences: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>().context(line.clone())?;
    let [decoded, resized] = differences[..] else {
        bail!("xtask/benches/input.py must print two differences, but printed `{line}`")
    };
    println!(
        "mean difference from Pillow's images: {decoded:.3} gray levels decoded, {resized:.3} resized; target: at most \
         {GRAY_LEVELS}"
    );

    let seconds = args.seconds.to_string();
    let mut ours = on_cores(2, cargo(checkout).get_program())?;
    ours.current_dir(&checkout.root).args(bench).args(["--", "rate", &seconds]).arg(&data);
    let mut theirs = on_cores(2, &python)?;
    theirs.current_dir(&checkout.root).args(["-B", "xtask/benches/input.py", "rate", &seconds]).arg(&data);
    let programs = vec![Program { name: TARGETS[0].0, command: ours }, Program { name: TARGETS[0].1, command: theirs }];
    let differences = ("gray levels", json!({"decoded": decoded, "resized": resized}));
    compare("input", "images/s", programs, &TARGETS, args.rounds, &[differences])
}
