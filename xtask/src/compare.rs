//! `cargo xtask compare BEFORE [AFTER]`: checks that two builds of `alrao` train bit-identically.
//!
//! Both train the same short runs, and all numbers in their `metrics.jsonl` must be equal and in the same order, except
//! those that depend on the clock. Names may differ: `--renamed OLD=NEW` names a configuration field in the first build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::cargo::{cargo, failed, run as run_command};
use crate::checkout::Checkout;
use crate::setup;
use alrao_setup::usage_error;

/// Fields that depend on the clock.
const CLOCKS: [&str; 3] = ["seconds", "steps_per_second", "samples_per_second"];
const METHODS: [(&str, &str); 3] =
    [("alrao", ""), ("sgd", "optimizer.kind=sgd optimizer.lr=0.1"), ("adam", "optimizer.kind=adam")];
const AGENTS: [&str; 3] = ["pendulum", "lunar-lander", "cartpole"];
const OF_AGENTS: &str = "schedule.steps=5000 schedule.validation_episodes=5 schedule.test_episodes=5";
/// Settings for an epoch on a text.
const OF_TEXT: &str = "training.max_epochs=1 training.log_every=20";
/// Settings for an epoch of the small network on part of CIFAR-10.
const OF_IMAGES: &str = "model.architecture=small-cnn data.batch_size=32 data.max_train_images=4000 training.max_epochs=1 training.log_every=20";

/// The arguments of `cargo xtask compare`.
#[derive(Args)]
pub struct CompareArgs {
    /// Program before a change.
    before: PathBuf,
    /// Program after the change [default: this checkout's release build].
    after: Option<PathBuf>,
    /// Directory of Penn Treebank, whose first 420,000 characters are used [default: a synthetic text].
    #[arg(long, value_name = "DIR")]
    text: Option<PathBuf>,
    /// Directory of CIFAR-10's binary files [default: synthetic images].
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Name of a field before and after the change; may be repeated.
    #[arg(long, value_name = "OLD=NEW")]
    renamed: Vec<String>,
}

/// Runs both programs and fails at the first difference.
pub fn run(checkout: &Checkout, args: &CompareArgs) -> Result<()> {
    let renamed: Vec<(&str, &str)> = args
        .renamed
        .iter()
        .map(|pair| pair.split_once('=').with_context(|| format!("--renamed {pair}: must be OLD=NEW")))
        .collect::<Result<_>>()
        .map_err(|error| usage_error(error.to_string()))?;
    check_program(&args.before)?;
    args.after.iter().try_for_each(|after| check_program(after))?;
    let after = match &args.after {
        Some(after) => after.clone(),
        None => {
            setup::run(checkout, false)?;
            run_command("the build", cargo(checkout).args(["build", "--release"]))?;
            checkout.root.join("target/release/alrao")
        }
    };
    let scratch = tempfile::tempdir()?;
    let text = scratch.path().join("text");
    write_text(args.text.as_deref(), &text)?;
    let images = match &args.images {
        Some(folder) => folder.clone(),
        None => write_images(&scratch.path().join("images"))?,
    };

    let mut runs: Vec<(String, String)> = Vec::new();
    for (method, of_method) in METHODS {
        for agent in AGENTS {
            runs.push((format!("{agent}, {method}"), format!("{agent} {OF_AGENTS} {of_method}")));
        }
        runs.push((format!("text, {method}"), format!("ptb-char {OF_TEXT} {of_method}")));
        runs.push((format!("images, {method}"), format!("cifar10-vgg19 {OF_IMAGES} {of_method}")));
    }
    let mut numbers = 0;
    for (name, words) in &runs {
        let data = match words.split(' ').next() {
            Some("ptb-char") => Some(&text),
            Some("cifar10-vgg19") => Some(&images),
            _ => None,
        };
        let of = |program: &Path, side: &str, renamed: &[(&str, &str)]| {
            let out = scratch.path().join(format!("{side}-{name}"));
            train(program, words, renamed, data.map(PathBuf::as_path), &out)
        };
        let (before, after) = (of(&args.before, "before", &renamed)?, of(&after, "after", &[])?);
        numbers += same(name, &before, &after)?;
        println!("{name}: identical");
    }
    println!("{} runs, {numbers} numbers: bit-identical", runs.len());
    Ok(())
}

/// Refuses a path that is no file.
fn check_program(path: &Path) -> Result<()> {
    match path.is_file() {
        true => Ok(()),
        false => Err(usage_error(format!("{}: no such program; build it first", path.display()))),
    }
}

/// Trains a run and returns the numbers of each record, in order.
fn train(
    program: &Path,
    words: &str,
    renamed: &[(&str, &str)],
    data: Option<&Path>,
    out: &Path,
) -> Result<Vec<Vec<f64>>> {
    let mut command = Command::new(std::path::absolute(program)?);
    let mut words = words.split_whitespace();
    command.args(["train", words.next().expect("a configuration"), "--device", "cpu", "--threads", "1", "--seed", "3"]);
    for set in words {
        let (field, value) = set.split_once('=').expect("KEY=VALUE");
        let field = renamed.iter().find(|(_, new)| *new == field).map_or(field, |(old, _)| old);
        command.args(["--set", &format!("{field}={value}")]);
    }
    if let Some(data) = data {
        command.arg("--data").arg(data);
    }
    let output = command.arg("--out").arg(out).stdin(Stdio::null()).output().context("can't run the program")?;
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        return Err(failed(&format!("{}", program.display()), output.status));
    }
    let path = out.join("metrics.jsonl");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    text.lines().map(|line| Ok(numbers(&serde_json::from_str(line)?))).collect()
}

/// Returns all numbers of a record, in order, except those that depend on the clock.
fn numbers(record: &Value) -> Vec<f64> {
    match record {
        Value::Number(number) => number.as_f64().into_iter().collect(),
        Value::Bool(flag) => vec![f64::from(*flag)],
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(name, _)| !CLOCKS.contains(&name.as_str()));
            let mut numbers: Vec<f64> = fields.flat_map(|(_, value)| numbers(value)).collect();
            numbers.sort_by(f64::total_cmp); // independent of names
            numbers
        }
        Value::Null | Value::String(_) => Vec::new(),
    }
}

/// Compares the records and returns the count of their numbers.
fn same(name: &str, before: &[Vec<f64>], after: &[Vec<f64>]) -> Result<usize> {
    let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    if let Some(at) = (0..before.len().min(after.len())).find(|&at| bits(&before[at]) != bits(&after[at])) {
        bail!("{name}: record {} differs:\n{:?}\n{:?}", at + 1, before[at], after[at]);
    }
    if before.len() != after.len() {
        bail!("{name}: {} records before, {} after", before.len(), after.len());
    }
    Ok(before.iter().map(Vec::len).sum())
}

/// Writes a text dataset of 300 batches: the beginning of a given one, or synthetic.
fn write_text(from: Option<&Path>, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for (part, characters) in [("train", 420_000), ("valid", 28_000), ("test", 28_000)] {
        let name = format!("ptb.{part}.txt");
        let text = match from {
            Some(folder) => read(&folder.join(&name))?.chars().take(characters).collect(),
            None => noise(characters).map(|byte| char::from(b'a' + byte % 5 * (byte / 128))).collect::<String>(),
        };
        fs::write(to.join(name), text)?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path)
        .map_err(|error| usage_error(format!("{}: {error}; give its directory with --text", path.display())))
}

/// Writes CIFAR-10's files with synthetic images.
fn write_images(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let mut bytes: Vec<u8> = noise(10_000 * 3073).collect();
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"] {
        bytes.chunks_exact_mut(3073).for_each(|image| image[0] %= 10);
        fs::write(folder.join(format!("{name}.bin")), &bytes)?;
        bytes.rotate_left(3073 + 1);
    }
    Ok(folder.into())
}

/// Returns pseudo-random bytes.
fn noise(count: usize) -> impl Iterator<Item = u8> {
    let mut state = 1u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Vec<f64> {
        numbers(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn comparison_ignores_names_and_times_but_no_other_bit() {
        let before = [record(r#"{"kind":"update","loss":0.1,"posterior":[0.25,0.75],"seconds":3.5,"best":true}"#)];
        let after =
            [record(r#"{"best":true,"head_weights":[0.25,0.75],"kind":"train","seconds":4.0,"train_loss":0.1}"#)];
        assert_eq!(same("renamed", &before, &after).unwrap(), 4);
        let other = [record(r#"{"loss":0.10000000000000002,"posterior":[0.25,0.75],"best":true}"#)];
        let told = same("other", &before, &other).unwrap_err().to_string();
        assert!(told.contains("other: record 1 differs") && told.contains("0.10000000000000002"), "{told}");
        let told = same("fewer", &[before.clone(), before.clone()].concat(), &before).unwrap_err().to_string();
        assert!(told.contains("2 records before, 1 after"), "{told}");
    }
}
