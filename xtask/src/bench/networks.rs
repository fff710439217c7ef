//! `cargo xtask bench networks`: training throughput of Alrao with 10 heads, compared with plain SGD in PyTorch on the same
//! networks with one output layer, on one thread.

use anyhow::Result;

use super::comparison::{BenchArgs, Program, Target, compare, on_cores};
use super::python;
use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

/// The targets: a step takes at most 1.05 times as long as PyTorch's, 1.35 times with a prediction at each time step.
const TARGETS: [Target; 4] = [
    Target("alrao, MobileNet", "PyTorch, MobileNet", 0.953),
    Target("alrao, GoogLeNet", "PyTorch, GoogLeNet", 0.953),
    Target("alrao, VGG19", "PyTorch, VGG19", 0.953),
    Target("alrao, LSTM", "PyTorch, LSTM", 0.741),
];

/// Builds the programs, downloads PyTorch, and measures.
pub fn run(checkout: &Checkout, args: BenchArgs) -> Result<()> {
    setup::run(checkout, false)?;
    let bench = ["bench", "--quiet", "--package", "alrao-tasks", "--bench", "networks"];
    run_command("the build", cargo(checkout).args(bench).arg("--no-run"))?;
    let python = python::peers()?;

    let seconds = args.seconds.to_string();
    let mut programs = Vec::new();
    for (Target(ours, theirs, _), network) in TARGETS.iter().zip(["mobilenet", "googlenet", "vgg19", "lstm"]) {
        let mut command = on_cores(1, cargo(checkout).get_program())?;
        command.current_dir(&checkout.root).args(bench).args(["--", network, &seconds]);
        programs.push(Program { name: ours, command });
        let mut command = on_cores(1, &python)?;
        command.current_dir(&checkout.root).args(["-B", "xtask/benches/networks.py", network, &seconds]);
        programs.push(Program { name: theirs, command });
    }
    compare("networks", "samples/s", programs, &TARGETS, args.rounds, &[])
}
