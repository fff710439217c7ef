//! `cargo xtask bench environments`: environment steps per second of training in several environments at once
//! (`agent.num_envs`), compared with training in one, on one thread.

use anyhow::Result;

use super::comparison::{BenchArgs, Program, Target, compare, on_cores};
use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

/// Name, environment, `agent.num_envs` and `agent.train_freq`.
const PROGRAMS: [(&str, [&str; 3]); 5] = [
    ("lunar-lander, 1 environment", ["lunar-lander", "1", "1"]),
    ("lunar-lander, 8 environments", ["lunar-lander", "8", "1"]),
    ("pendulum, 1 environment", ["pendulum", "1", "1"]),
    ("pendulum, 8 environments", ["pendulum", "8", "1"]),
    ("pendulum, 8 environments, an update every 8 steps", ["pendulum", "8", "8"]),
];

const TARGETS: [Target; 2] = [
    Target("lunar-lander, 8 environments", "lunar-lander, 1 environment", 0.98),
    Target("pendulum, 8 environments, an update every 8 steps", "pendulum, 1 environment", 3.0),
];

/// Builds the program and measures.
pub fn run(checkout: &Checkout, args: BenchArgs) -> Result<()> {
    setup::run(checkout, false)?;
    let bench = ["bench", "--quiet", "--bench", "dqn"];
    run_command("the build", cargo(checkout).args(bench).arg("--no-run"))?;
    let seconds = args.seconds.to_string();
    let program = |(name, words)| {
        let mut command = on_cores(1, cargo(checkout).get_program())?;
        command.current_dir(&checkout.root).args(bench).args(["--", "environments"]).args::<[&str; 3], _>(words);
        command.arg(&seconds);
        anyhow::Ok(Program { name, command })
    };
    let programs = PROGRAMS.into_iter().map(program).collect::<Result<_>>()?;
    compare("environments", "steps/s", programs, &TARGETS, args.rounds, &[])
}
