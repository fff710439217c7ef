//! `cargo xtask demo`: from a bare checkout to a trained agent, and its figures beside those of others.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

/// Sets up, builds, trains Pendulum with `seed`, and prints how the agent did.
pub fn run(checkout: &Checkout, seed: u64) -> Result<()> {
    setup::run(checkout, false)?;
    run_command("the build", cargo(checkout).args(["build", "--release"]))?;
    let folder = fresh_folder(&checkout.root.join("runs"), &format!("demo-seed{seed}"));
    let alrao = ["run", "--quiet", "--release", "--bin", "alrao", "--"];
    let train = ["train", "pendulum", "--seed", &seed.to_string(), "--out"];
    run_command("training", cargo(checkout).args(alrao).args(train).arg(&folder))?;

    let summary = folder.join("summary.json");
    let text = fs::read_to_string(&summary).with_context(|| format!("can't read {}", summary.display()))?;
    let table = table(&text).with_context(|| format!("{} is not what a run leaves", summary.display()))?;
    println!("\n{table}");
    println!("run:    {}", folder.display());
    println!("figure: {}", folder.join("plots/returns.svg").display());
    Ok(())
}

/// `<runs>/<name>`, or the first of `<name>-2`, `<name>-3`, ... that isn't there yet.
fn fresh_folder(runs: &Path, name: &str) -> PathBuf {
    let more = (2..).map(|n| format!("{name}-{n}"));
    let mut folders = std::iter::once(name.to_owned()).chain(more).map(|name| runs.join(name));
    folders.find(|folder| !folder.exists()).expect("the numbers don't run out")
}

/// The test return in the text of a `summary.json`, beside a random policy's and the paper's.
fn table(summary: &str) -> Result<String> {
    let summary: Value = serde_json::from_str(summary)?;
    let episodes = summary["test"]["episodes"].as_u64().context("no number `test.episodes` in it")?;
    let seconds = summary["seconds"].as_f64().context("no number `seconds` in it")?;
    let title = format!("Return on Pendulum, {episodes} fresh episodes");
    let lines = [
        format!("{title:<42} {:>15} {:>9} {:>9}", "mean ± std", "worst", "best"),
        row("Alrao, no learning rate", &summary, "test")?,
        row("random policy", &summary, "random_policy")?,
        format!("{:<42} {:>15}", "Alrao in the paper (Table 1, 10 runs)", "-371 ± 36"),
        format!("\nTook {seconds:.0} s. The paper's spread is between runs, the others' between episodes."),
    ];
    Ok(lines.join("\n"))
}

/// One line of the table, from the returns under `key`.
fn row(name: &str, summary: &Value, key: &str) -> Result<String> {
    let figure = |name: &str| {
        summary[key]["return"][name].as_f64().with_context(|| format!("no number `{key}.return.{name}` in it"))
    };
    let spread = format!("{:.0} ± {:.0}", figure("mean")?, figure("std")?);
    Ok(format!("{name:<42} {spread:>15} {:>9.0} {:>9.0}", figure("min")?, figure("max")?))
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
    fn the_table_sets_the_agent_beside_random_play_and_the_paper() {
        let expected = "\
Return on Pendulum, 100 fresh episodes          mean ± std     worst      best
Alrao, no learning rate                          -151 ± 85      -382        -1
random policy                                  -1209 ± 290     -1810      -620
Alrao in the paper (Table 1, 10 runs)            -371 ± 36

Took 93 s. The paper's spread is between runs, the others' between episodes.";
        assert_eq!(table(SUMMARY).unwrap(), expected);
    }

    #[test]
    fn a_figure_that_is_missing_is_named() {
        let without = SUMMARY.replace("\"random_policy\"", "\"other\"");
        assert_eq!(table(&without).unwrap_err().to_string(), "no number `random_policy.return.mean` in it");
    }

    #[test]
    fn a_run_never_meets_an_earlier_one() {
        let runs = tempfile::tempdir().unwrap();
        for expected in ["demo", "demo-2", "demo-3"] {
            let folder = fresh_folder(runs.path(), "demo");
            assert_eq!(folder, runs.path().join(expected));
            fs::create_dir(folder).unwrap();
        }
    }
}
