//! `cargo xtask bench networks`: a step of Alrao, with its 10 heads, beside one of plain SGD in PyTorch, which has the
//! same networks with one output layer, on one thread.

use anyhow::Result;

use super::contest::{Claim, Length, Side, contest, on_cores};
use super::python;
use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

/// A step may take 1.05 times as long, and 1.35 times where there is a prediction at each time step.
const CLAIMS: [Claim; 4] = [
    Claim("alrao, MobileNet", "PyTorch, MobileNet", 0.953),
    Claim("alrao, GoogLeNet", "PyTorch, GoogLeNet", 0.953),
    Claim("alrao, VGG19", "PyTorch, VGG19", 0.953),
    Claim("alrao, LSTM", "PyTorch, LSTM", 0.741),
];

/// Builds, downloads the other, and measures.
pub fn run(checkout: &Checkout, length: Length) -> Result<()> {
    setup::run(checkout, false)?;
    let bench = ["bench", "--quiet", "--package", "alrao-tasks", "--bench", "networks"];
    run_command("the build", cargo(checkout).args(bench).arg("--no-run"))?;
    let python = python::peers()?;

    let seconds = length.seconds.to_string();
    let mut sides = Vec::new();
    for (Claim(ours, theirs, _), network) in CLAIMS.iter().zip(["mobilenet", "googlenet", "vgg19", "lstm"]) {
        let mut command = on_cores(1, cargo(checkout).get_program())?;
        command.current_dir(&checkout.root).args(bench).args(["--", network, &seconds]);
        sides.push(Side { name: ours, command });
        let mut command = on_cores(1, &python)?;
        command.current_dir(&checkout.root).args(["-B", "xtask/benches/networks.py", network, &seconds]);
        sides.push(Side { name: theirs, command });
    }
    contest("networks", "samples/s", sides, &CLAIMS, length.rounds, &[])
}
