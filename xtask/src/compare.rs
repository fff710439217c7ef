//! `cargo xtask compare BEFORE [AFTER]`: whether two builds of `alrao` learn the same to the bit.
//!
//! Both train the same short runs, one after the other, and every number in their `metrics.jsonl` must be the same, in
//! the same order, but for what depends on the clock. Names may differ, so that it serves where they are changed: `--renamed
//! OLD=NEW` says what the first build calls a field.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::cargo::{cargo, failed, run as run_command};
use crate::checkout::Checkout;
use crate::failure::refused;
use crate::setup;

/// Fields that depend on the clock.
const CLOCKS: [&str; 3] = ["seconds", "steps_per_second", "samples_per_second"];
const METHODS: [(&str, &str); 3] =
    [("alrao", ""), ("sgd", "optimizer.kind=sgd optimizer.lr=0.1"), ("adam", "optimizer.kind=adam")];
const AGENTS: [&str; 3] = ["pendulum", "lunar-lander", "cartpole"];
const OF_AGENTS: &str = "schedule.steps=5000 schedule.validation_episodes=5 schedule.test_episodes=5";
/// 300 updates of a text, and an epoch of the small network on some of CIFAR-10's images.
const OF_TEXT: &str = "training.max_epochs=1 training.log_every=20";
const OF_IMAGES: &str = "model.architecture=small-cnn data.batch_size=32 data.max_train_images=4000 training.max_epochs=1 training.log_every=20";

/// Which builds.
#[derive(Args)]
pub struct Compare {
    /// The program before a change.
    before: PathBuf,
    /// And after; this checkout's release build if not given.
    after: Option<PathBuf>,
    /// Penn Treebank's files, of which the first 420,000 characters are learnt from; without them a text is made up.
    #[arg(long, value_name = "DIR")]
    text: Option<PathBuf>,
    /// CIFAR-10's binary files; without them images are made up.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// What the program before calls the field that the one after calls NEW; may be repeated.
    #[arg(long, value_name = "OLD=NEW")]
    renamed: Vec<String>,
}

/// Runs both, and fails at the first number that differs.
pub fn run(checkout: &Checkout, request: &Compare) -> Result<()> {
    let renamed: Vec<(&str, &str)> = request
        .renamed
        .iter()
        .map(|pair| pair.split_once('=').with_context(|| format!("--renamed {pair}: say OLD=NEW")))
        .collect::<Result<_>>()
        .map_err(|error| refused(error.to_string()))?;
    check_program(&request.before)?;
    request.after.iter().try_for_each(|after| check_program(after))?;
    let after = match &request.after {
        Some(after) => after.clone(),
        None => {
            setup::run(checkout, false)?;
            run_command("the build", cargo(checkout).args(["build", "--release"]))?;
            checkout.root.join("target/release/alrao")
        }
    };
    let scratch = tempfile::tempdir()?;
    let text = scratch.path().join("text");
    write_text(request.text.as_deref(), &text)?;
    let images = match &request.images {
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
        let (before, after) = (of(&request.before, "before", &renamed)?, of(&after, "after", &[])?);
        numbers += same(name, &before, &after)?;
        println!("{name}: the same");
    }
    println!("{} runs, {numbers} numbers: the same to the bit", runs.len());
    Ok(())
}

fn check_program(path: &Path) -> Result<()> {
    match path.is_file() {
        true => Ok(()),
        false => Err(refused(format!("{}: there is no such program", path.display()))),
    }
}

/// The numbers of each record that a training leaves, in order.
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

/// All numbers of a record, in order, but for those that depend on the clock.
fn numbers(record: &Value) -> Vec<f64> {
    match record {
        Value::Number(number) => number.as_f64().into_iter().collect(),
        Value::Bool(flag) => vec![f64::from(*flag)],
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(name, _)| !CLOCKS.contains(&name.as_str()));
            let mut numbers: Vec<f64> = fields.flat_map(|(_, value)| numbers(value)).collect();
            numbers.sort_by(f64::total_cmp); // by whatever names
            numbers
        }
        Value::Null | Value::String(_) => Vec::new(),
    }
}

/// How many numbers there are, all of them the same.
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

/// A text of three files, the beginning of this one's or made up, of 300 batches.
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
        .map_err(|error| refused(format!("{}: {error}: --text is a folder with it", path.display())))
}

/// CIFAR-10's files with made up images.
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

/// Bytes that look random.
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
    fn names_and_clocks_dont_matter_and_every_bit_does() {
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
