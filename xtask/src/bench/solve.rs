//! `cargo xtask bench solve`: seconds until an agent solves an environment, on one core, compared with Stable-Baselines3's
//! DQN with rl-zoo3's tuned settings; on Pendulum, for which it has none, with LunarLander's.
//!
//! The clock stands still while the agents are evaluated. A run that never solves its environment counts as infinite.

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Map, json};

use super::comparison::{last_line, median, on_cores, spread};
use super::python;
use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

/// The seeds and environments of the comparison.
#[derive(Args)]
pub struct SolveArgs {
    /// Number of seeds.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub seeds: u32,
    /// First seed.
    #[arg(long, value_name = "SEED", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub first_seed: u32,
    /// Only this environment; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub only: Vec<Solvable>,
}

/// An environment of the comparison.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Solvable {
    Cartpole,
    MountainCar,
    Acrobot,
    Pendulum,
    LunarLander,
}

impl Solvable {
    /// Returns the budget in environment steps, the mean return that solves the environment, and the fraction of the other
    /// library's time that is the target.
    fn task(self) -> (u64, f64, f64) {
        match self {
            Solvable::Cartpole => (50_000, 475.0, 1.0 / 4.0),
            Solvable::MountainCar => (120_000, -110.0, 1.0 / 4.0),
            Solvable::Acrobot => (100_000, -100.0, 1.0 / 3.0),
            Solvable::Pendulum => (50_000, -160.0, 1.0 / 4.0),
            Solvable::LunarLander => (100_000, 200.0, 1.0 / 3.0),
        }
    }

    fn name(self) -> String {
        self.to_possible_value().expect("no variant is skipped").get_name().into()
    }
}

/// Builds the program, downloads Stable-Baselines3, and measures.
pub fn run(checkout: &Checkout, args: &SolveArgs) -> Result<()> {
    setup::run(checkout, false)?;
    let bench = ["bench", "--quiet", "--bench", "solve"];
    run_command("the build", cargo(checkout).args(bench).arg("--no-run"))?;
    let python = python::peers()?;
    let mut figures = Map::new();
    println!("{:<14} {:>30} {:>30} {:>8} {:>8}", "seconds", "alrao", "SB3", "ratio", "target");
    for &environment in Solvable::value_variants() {
        if !(args.only.is_empty() || args.only.contains(&environment)) {
            continue;
        }
        let (name, (steps, threshold, target)) = (environment.name(), environment.task());
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for seed in args.first_seed..args.first_seed + args.seeds {
            let task = [name.clone(), steps.to_string(), threshold.to_string(), seed.to_string()];
            let mut command = on_cores(1, cargo(checkout).get_program())?;
            command.current_dir(&checkout.root).args(bench).arg("--").args(&task);
            ours.push(seconds(&last_line("alrao", &mut command)?)?);
            let mut command = on_cores(1, &python)?;
            command.current_dir(&checkout.root).args(["-B", "-W", "ignore", "xtask/benches/solve.py"]).args(&task);
            theirs.push(seconds(&last_line("Stable-Baselines3", &mut command)?)?);
            eprintln!("{name}, seed {seed}: {:.1} s, SB3 {:.1} s", ours[ours.len() - 1], theirs[theirs.len() - 1]);
        }
        let ratio = ratio(&ours, &theirs);
        println!("{name:<14} {:>30} {:>30} {ratio:>8.2} {target:>8.2}", described(&ours), described(&theirs));
        figures.insert(name, json!({"alrao": ours, "sb3": theirs, "ratio": ratio}));
    }
    println!("{}", json!({"bench": "solve", "unit": "s", "figures": figures}));
    Ok(())
}

/// Parses a line like `12.50 s` or `inf s`.
fn seconds(line: &str) -> Result<f64> {
    let Some(seconds) = line.strip_suffix(" s") else { bail!("a program must print its time, but printed `{line}`") };
    seconds.parse().with_context(|| format!("`{line}` is not a time"))
}

/// Divides the median of our times by the median of theirs: 0 if only theirs is infinite.
fn ratio(ours: &[f64], theirs: &[f64]) -> f64 {
    median(ours) / median(theirs)
}

/// Formats median, minimum and maximum.
fn described(times: &[f64]) -> String {
    let [median, shortest, longest] = spread(times);
    format!("{median:.1} ({shortest:.1} to {longest:.1})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_never_solve_are_infinite() {
        let times = ["12.50 s", "inf s", "3.00 s"].map(|line| seconds(line).unwrap());
        assert_eq!(described(&times), "12.5 (3.0 to inf)");
        assert_eq!(described(&[f64::INFINITY; 2]), "inf (inf to inf)");
        assert_eq!(json!(times), json!([12.5, null, 3.0]));
        assert_eq!(ratio(&times, &[25.0, 50.0, f64::INFINITY]), 0.25);
        assert_eq!(ratio(&times, &[f64::INFINITY; 3]), 0.0);
        for line in ["12.5", "fast s", ""] {
            assert!(seconds(line).is_err(), "{line}");
        }
    }
}
