//! `cargo xtask bench envs`: Pendulum and LunarLander beside Gymnasium's, one by one, and EnvPool's, 16 at once.
//!
//! All play random actions that were drawn beforehand and start the next episode where one ends. One Pendulum takes any
//! torque, as theirs do; 16 of ours choose among 5. A second is one of processor time, all threads together.

use anyhow::Result;

use super::comparison::{BenchArgs, Program, Target, compare, on_cores};
use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::{gymnasium, setup};
use alrao_setup::Cache;
use alrao_setup::pip;

/// EnvPool needs Gymnasium, and takes any numpy.
const ENVPOOL: [&str; 3] = ["envpool==1.2.5", "gymnasium==1.4.0", "numpy==2.4.6"];

const TARGETS: [Target; 5] = [
    Target("alrao, Pendulum", "Gymnasium, Pendulum", 20.0),
    Target("alrao, Pendulum", "EnvPool, 16 Pendulums", 20.0),
    Target("alrao, 16 Pendulums", "EnvPool, 16 Pendulums", 20.0),
    Target("alrao, LunarLander", "Gymnasium, LunarLander", 3.0),
    Target("alrao, 16 LunarLanders", "EnvPool, 16 LunarLanders", 3.0),
];

/// Builds, downloads the others, and measures.
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
