//! `cargo xtask bench envs`: Pendulum and LunarLander, compared with Gymnasium's single and EnvPool's 16 environments.
//!
//! All take random actions that are drawn in advance, and reset at the end of an episode. The single Pendulum has
//! continuous actions, as the others'; our 16 Pendulums have 5 discrete actions. Throughput is per second of CPU time, of
//! all threads together.

use anyhow::Result;

use super::comparison::{BenchArgs, Program, Target, compare, on_cores};
use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::{gymnasium, setup};
use alrao_setup::Cache;
use alrao_setup::pip;

/// EnvPool and its requirements, of which it pins no versions.
const ENVPOOL: [&str; 3] = ["envpool==1.2.5", "gymnasium==1.4.0", "numpy==2.4.6"];

const TARGETS: [Target; 5] = [
    Target("alrao, Pendulum", "Gymnasium, Pendulum", 20.0),
    Target("alrao, Pendulum", "EnvPool, 16 Pendulums", 20.0),
    Target("alrao, 16 Pendulums", "EnvPool, 16 Pendulums", 20.0),
    Target("alrao, LunarLander", "Gymnasium, LunarLander", 3.0),
    Target("alrao, 16 LunarLanders", "EnvPool, 16 LunarLanders", 3.0),
];

/// Builds the program, downloads Gymnasium and EnvPool, and measures.
pub fn run(checkout: &Checkout, args: BenchArgs) -> Result<()> {
    setup::run(checkout, false)?;
    let alrao = ["--quiet", "--release", "--bin", "alrao"];
    run_command("the build", cargo(checkout).arg("build").args(alrao))?;
    let gymnasium = gymnasium::python()?;
    let envpool = Cache::of_user()?.entry("envpool-1.2.5", |scratch, entry| {
        println!("downloading EnvPool from PyPI");
        pip::virtual_environment(&ENVPOOL, entry, scratch)
    })?;
    let envpool = envpool.join("bin/python");

    let seconds = args.seconds.to_string();
    let ours = |name, request: &[&str]| {
        let mut command = on_cores(1, cargo(checkout).get_program())?;
        command.current_dir(&checkout.root).arg("run").args(alrao).args(["--", "env", "bench"]).args(request);
        command.args(["--seconds", &seconds]);
        anyhow::Ok(Program { name, command })
    };
    let theirs = |name, python, request: [&str; 2]| {
        let mut command = on_cores(1, python)?;
        command
            .current_dir(&checkout.root)
            .args(["-B", "-W", "ignore", "xtask/benches/envs.py"])
            .args(request)
            .arg(&seconds);
        anyhow::Ok(Program { name, command })
    };
    let programs = vec![
        ours("alrao, Pendulum", &["pendulum-continuous"])?,
        theirs("Gymnasium, Pendulum", &gymnasium, ["gymnasium", "Pendulum-v1"])?,
        ours("alrao, 16 Pendulums", &["pendulum", "--num-envs", "16"])?,
        theirs("EnvPool, 16 Pendulums", &envpool, ["envpool", "Pendulum-v1"])?,
        ours("alrao, LunarLander", &["lunar-lander"])?,
        theirs("Gymnasium, LunarLander", &gymnasium, ["gymnasium", "LunarLander-v3"])?,
        ours("alrao, 16 LunarLanders", &["lunar-lander", "--num-envs", "16"])?,
        theirs("EnvPool, 16 LunarLanders", &envpool, ["envpool", "LunarLander-v3"])?,
    ];
    compare("envs", "steps/s", programs, &TARGETS, args.rounds, &[])
}
