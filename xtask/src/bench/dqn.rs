//! `cargo xtask bench dqn`: deep Q-learning on LunarLander, compared with Stable-Baselines3 on one thread.
//!
//! Both train ReLU networks of two hidden layers with Adam and batches of 128, without Double DQN and layer normalization.
//! Alrao with 10 heads is measured, too, and an agent with default settings.

use anyhow::{Context, Result};
use serde_json::json;

use super::comparison::{BenchArgs, Program, Target, compare, last_line, on_cores};
use super::python;
use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

const TARGETS: [Target; 4] = [
    Target("alrao, updates, 2x64, Adam", "SB3, updates, 2x64", 6.0),
    Target("alrao, updates, 2x256, Adam", "SB3, updates, 2x256", 3.0),
    Target("alrao, training, 2x64, Adam", "SB3, training, 2x64", 6.0),
    Target("alrao, training, 2x256, Adam", "SB3, training, 2x256", 3.5),
];

/// The number of transitions in the measured replay buffer.
const TRANSITIONS: u64 = 1_000_000;

/// Builds the programs, downloads Stable-Baselines3, and measures.
pub fn run(checkout: &Checkout, args: BenchArgs) -> Result<()> {
    setup::run(checkout, false)?;
    let bench = ["bench", "--quiet", "--bench", "dqn"];
    run_command("the build", cargo(checkout).args(bench).arg("--no-run"))?;
    let python = python::peers()?;

    let mut memory = cargo(checkout);
    memory.args(bench).args(["--", "memory", &TRANSITIONS.to_string()]);
    let memory = last_line("the memory benchmark", &mut memory)?;
    println!("{TRANSITIONS} transitions of LunarLander take {memory}; target: at most 48 MB");
    let megabytes: f64 = memory.split(' ').next().and_then(|word| word.parse().ok()).context("a size in MB")?;

    let seconds = args.seconds.to_string();
    let ours = |name, [what, method, width]: [&str; 3]| {
        let mut command = on_cores(1, cargo(checkout).get_program())?;
        command.current_dir(&checkout.root).args(bench).args(["--", what, method, width, &seconds]);
        anyhow::Ok(Program { name, command })
    };
    let theirs = |name, [what, width]: [&str; 2]| {
        let mut command = on_cores(1, &python)?;
        let script = ["-B", "-W", "ignore", "xtask/benches/dqn.py"];
        command.current_dir(&checkout.root).args(script).args([what, width, &seconds]);
        anyhow::Ok(Program { name, command })
    };
    let programs = vec![
        ours("alrao, updates, 2x64, Adam", ["updates", "adam", "64"])?,
        theirs("SB3, updates, 2x64", ["updates", "64"])?,
        ours("alrao, updates, 2x64, 10 heads", ["updates", "alrao", "64"])?,
        ours("alrao, updates, 2x256, Adam", ["updates", "adam", "256"])?,
        theirs("SB3, updates, 2x256", ["updates", "256"])?,
        ours("alrao, updates, 2x256, 10 heads", ["updates", "alrao", "256"])?,
        ours("alrao, updates, 2x256, defaults", ["updates", "defaults", "256"])?,
        ours("alrao, training, 2x64, Adam", ["training", "adam", "64"])?,
        theirs("SB3, training, 2x64", ["training", "64"])?,
        ours("alrao, training, 2x64, 10 heads", ["training", "alrao", "64"])?,
        ours("alrao, training, 2x256, Adam", ["training", "adam", "256"])?,
        theirs("SB3, training, 2x256", ["training", "256"])?,
        ours("alrao, training, 2x256, 10 heads", ["training", "alrao", "256"])?,
        ours("alrao, training, 2x256, defaults", ["training", "defaults", "256"])?,
    ];
    let memory = ("memory", json!({"transitions": TRANSITIONS, "megabytes": megabytes}));
    compare("dqn", "steps/s", programs, &TARGETS, args.rounds, &[memory])
}
