//! `cargo xtask demo`: from a new checkout to a trained agent, whose return is compared with the paper's.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

/// Sets up, builds, trains an agent on Pendulum with `seed`, and prints its test return.
pub fn run(checkout: &Checkout, seed: u64) -> Result<()> {
    setup::run(checkout, false)?;
    run_command("the build", cargo(checkout).args(["build", "--release"]))?;
    let folder = unused_folder(&checkout.root.join("runs"), &format!("demo-seed{seed}"));
    let alrao = ["run", "--quiet", "--release", "--bin", "alrao", "--"];
    let train = ["train", "pendulum", "--seed", &seed.to_string(), "--out"];
    run_command("training", cargo(checkout).args(alrao).args(train).arg(&folder))?;

    let summary = folder.join("summary.json");
    let text = fs::read_to_string(&summary).with_context(|| format!("can't read {}", summary.display()))?;
    let table = table(&text).with_context(|| format!("{} is not a run's summary", summary.display()))?;
    println!("\n{table}");
    println!("run:    {}", folder.display());
    println!("figure: {}", folder.join("plots/returns.svg").display());
    Ok(())
}

/// Returns `<runs>/<name>`, or the first unused of `<name>-2`, `<name>-3`, ...
fn unused_folder(runs: &Path, name: &str) -> PathBuf {
    let more = (2..).map(|n| format!("{name}-{n}"));
    let mut folders = std::iter::once(name.to_owned()).chain(more).map(|name| runs.join(name));
    folders.find(|folder| !folder.exists()).expect("endless")
}

/// Formats the test return in a `summary.json` with a random policy's and the paper's.
fn table(summary: &str) -> Result<String> {
    let summary: Value = serde_json::from_str(summary)?;
    let episodes = summary["test"]["episodes"].as_u64().context("no number `test.episodes`")?;
    let seconds = summary["seconds"].as_f64().context("no number `seconds`")?;
    let title = format!("Return on Pendulum, {episodes} test episodes");
    let lines = [
        format!("{title:<42} {:>15} {:>9} {:>9}", "mean ± std", "worst", "best"),
        row("Alrao, no learning rate", &summary, "test")?,
        row("random policy", &summary, "random_policy")?,
        format!("{:<42} {:>15}", "Alrao in the paper (Table 1, 10 runs)", "-371 ± 36"),
        format!("\nTraining took {seconds:.0} s. The paper's std is over runs, the others' over episodes."),
    ];
    Ok(lines.join("\n"))
}

/// Formats a line of the table from the returns under `key`.
fn row(name: &str, summary: &Value, key: &str) -> Result<String> {
    let value =
        |name: &str| summary[key]["return"][name].as_f64().with_context(|| format!("no number `{key}.return.{name}`"));
    let spread = format!("{:.0} ± {:.0}", value("mean")?, value("std")?);
    Ok(format!("{name:<42} {spread:>15} {:>9.0} {:>9.0}", value("min")?, value("max")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = r#"{
        "task": "pendulum", "seconds": 93.4,
        "test": {"episodes": 100, "return": {"mean": -151.26, "std": 84.9, "min": -382.1, "max": -0.7}},
        "random_policy": {"episodes": 100, "return": {"mean": -1209.4, "std": 290.2, "min": -1810.0, "max": -620.0}}
    }"#;

    #[test]
    fn the_table_has_the_agent_the_random_policy_and_the_paper() {
        let expected = "\
Return on Pendulum, 100 test episodes           mean ± std     worst      best
Alrao, no learning rate                          -151 ± 85      -382        -1
random policy                                  -1209 ± 290     -1810      -620
Alrao in the paper (Table 1, 10 runs)            -371 ± 36

Training took 93 s. The paper's std is over runs, the others' over episodes.";
        assert_eq!(table(SUMMARY).unwrap(), expected);
    }

    #[test]
    fn a_missing_value_is_an_error_with_its_name() {
        let without = SUMMARY.replace("\"random_policy\"", "\"other\"");
        assert_eq!(table(&without).unwrap_err().to_string(), "no number `random_policy.return.mean`");
    }

    #[test]
    fn the_run_directory_is_unused() {
        let runs = tempfile::tempdir().unwrap();
        for expected in ["demo", "demo-2", "demo-3"] {
            let folder = unused_folder(runs.path(), "demo");
            assert_eq!(folder, runs.path().join(expected));
            fs::create_dir(folder).unwrap();
        }
    }
}
