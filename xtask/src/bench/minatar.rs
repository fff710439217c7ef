//! `cargo xtask bench minatar`: the five games beside the package's, made by `gymnasium.make`, then deep Q-learning on
//! Breakout beside PyTorch's.
//!
//! All games play random actions that were drawn beforehand, of the game's own, with sticky actions and difficulty ramping,
//! and start the next episode, with a seed of its own, where one ends. A second is one of processor time there.

use anyhow::Result;

use super::comparison::{BenchArgs, Program, Target, compare, on_cores};
use super::python;
use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::{minatar, setup};

/// A game's name here and in the package, the programs compared and the target.
const GAMES: [(&str, &str, Target); 5] = [
    ("minatar-asterix", "MinAtar/Asterix-v1", Target("alrao, Asterix", "MinAtar, Asterix", 60.0)),
    ("minatar-breakout", "MinAtar/Breakout-v1", Target("alrao, Breakout", "MinAtar, Breakout", 60.0)),
    ("minatar-freeway", "MinAtar/Freeway-v1", Target("alrao, Freeway", "MinAtar, Freeway", 60.0)),
    ("minatar-seaquest", "MinAtar/Seaquest-v1", Target("alrao, Seaquest", "MinAtar, Seaquest", 60.0)),
    (
        "minatar-space-invaders",
        "MinAtar/SpaceInvaders-v1",
        Target("alrao, Space Invaders", "MinAtar, Space Invaders", 60.0),
    ),
];

/// Targets of deep Q-learning on Breakout.
const TRAINING: Target = Target("alrao, training on Breakout, Adam", "PyTorch, training on Breakout", 3.0);

/// Builds, downloads the package and PyTorch, and measures.
pub fn run(checkout: &Checkout, args: BenchArgs) -> Result<()> {
    setup::run(checkout, false)?;
    let alrao = ["--quiet", "--release", "--bin", "alrao"];
    let bench = ["bench", "--quiet", "--bench", "dqn"];
    run_command("the build", cargo(checkout).arg("build").args(alrao))?;
    run_command("the build", cargo(checkout).args(bench).arg("--no-run"))?;
    let python = minatar::python()?;
    let with_torch = python::peers()?;

    let seconds = args.seconds.to_string();
    let mut programs = Vec::new();
    for (ours, theirs, Target(our_name, their_name, _)) in GAMES {
        let mut command = on_cores(1, cargo(checkout).get_program())?;
        command.current_dir(&checkout.root).arg("run").args(alrao).args(["--", "env", "bench", ours]);
        command.args(["--seconds", &seconds]);
        programs.push(Program { name: our_name, command });
        let mut command = on_cores(1, &python)?;
        let script = ["-B", "-W", "ignore", "xtask/benches/gymnasium_env.py"];
        command.current_dir(&checkout.root).args(script).args([theirs, &seconds, "processor"]);
        programs.push(Program { name: their_name, command });
    }
    let Target(our_name, their_name, _) = TRAINING;
    for (name, method) in [
        (our_name, "adam"),
        ("alrao, training on Breakout, 10 heads", "alrao"),
        ("alrao, training on Breakout, defaults", "defaults"),
    ] {
        let mut command = on_cores(1, cargo(checkout).get_program())?;
        command.current_dir(&checkout.root).args(bench).args(["--", "breakout", method, &seconds]);
        programs.push(Program { name, command });
    }
    let mut command = on_cores(1, &with_torch)?;
    let script = ["-B", "-W", "ignore", "xtask/benches/minatar_dqn.py"];
    command.current_dir(&checkout.root).args(script).arg(&seconds);
    programs.push(Program { name: their_name, command });
    let targets: Vec<Target> = GAMES.map(|(_, _, target)| target).into_iter().chain([TRAINING]).collect();
    compare("minatar", "steps/s", programs, &targets, args.rounds, &[])
}
