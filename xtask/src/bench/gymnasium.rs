//! `cargo xtask bench gymnasium`: what it costs that environments of Gymnasium are stepped in another process, compared
//! with a plain loop in Python, and what a second worker gains.
//!
//! A second is one of the clock, because several processes take part: run it on a quiet machine.

use std::process::Command;

use anyhow::Result;
use serde_json::json;

use super::comparison::{BenchArgs, Program, median, rate};
use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::{gymnasium, setup};

/// The most that the way to the worker and back may cost, in microseconds per step.
const MOST_MICROSECONDS: f64 = 30.0;
/// The least factor of the steps per second of 8 landers that a second worker gains.
const LEAST_GAIN: f64 = 1.5;

/// Builds, downloads Gymnasium, and measures.
pub fn run(checkout: &Checkout, args: BenchArgs) -> Result<()> {
    setup::run(checkout, false)?;
    let alrao = ["--quiet", "--release", "--bin", "alrao"];
    run_command("the build", cargo(checkout).arg("build").args(alrao))?;
    let python = gymnasium::python()?;

    let seconds = args.seconds.to_string();
    let mut loop_in_python = Command::new(&python);
    loop_in_python.current_dir(&checkout.root);
    let script = ["-B", "-W", "ignore", "xtask/benches/gymnasium_env.py"];
    loop_in_python.args(script).args(["CartPole-v1", &seconds, "clock"]);
    let ours = |name, id: &str, more: &[&str]| {
        let mut command = cargo(checkout);
        command.arg("run").args(alrao).args(["--", "env", "bench", id, "--seconds", &seconds]).args(more);
        command.args(["--set", &format!("environment.python={}", python.display())]);
        Program { name, command }
    };
    let lander = "gymnasium:LunarLander-v3";
    let mut programs = [
        Program { name: "CartPole in a plain loop in Python", command: loop_in_python },
        ours("CartPole in a worker", "gymnasium:CartPole-v1", &[]),
        ours("8 landers, 1 worker", lander, &["--num-envs", "8", "--set", "environment.workers=1"]),
        ours("8 landers, 2 workers", lander, &["--num-envs", "8", "--set", "environment.workers=2"]),
    ];
    let (mut costs, mut gains) = (Vec::new(), Vec::new());
    for round in 1..=args.rounds {
        let mut rates = [0.0; 4];
        for (program, rate_of) in programs.iter_mut().zip(&mut rates) {
            *rate_of = rate(program)?;
            eprintln!("round {round} of {}: {}, {rate_of:.0} steps/s", args.rounds, program.name);
        }
        let [plain, worker, one, two] = rates;
        costs.push(1e6 / worker - 1e6 / plain);
        gains.push(two / one);
    }
    let (cost, gain) = (median(&costs), median(&gains));
    println!("\nthere and back: {cost:.1} microseconds per step, target: at most {MOST_MICROSECONDS}");
    println!("2 workers / 1 worker: {gain:.2}, target: at least {LEAST_GAIN}");
    println!("{}", json!({"bench": "gymnasium", "rounds": args.rounds, "microseconds": cost, "gain": gain}));
    Ok(())
}
