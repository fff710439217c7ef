//! The program as its users meet it: run as a process, judged by its exit code, its words and its files.

mod environments;
mod figures;
mod interruption;
mod mistakes;
mod reproducibility;
mod slurm;
mod supervised;
mod sweeps;
mod whole_run;

use std::path::Path;
use std::process::{Command, Output};

/// A run of a few seconds: a small network, a checkpoint every 400 steps.
const SMALL: &str = "train pendulum --set schedule.steps=4000 --set schedule.validate_every=700 \
    --set schedule.checkpoint_every=400 --set schedule.log_every=150 --set schedule.validation_episodes=2 \
    --set schedule.test_episodes=3 --set agent.learning_starts=200 --set agent.batch_size=32 --set agent.buffer_size=1500 \
    --set agent.network.hidden_sizes=[32,32] --device cpu";

/// The program with these words; paths with spaces don't occur.
fn alrao(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alrao"));
    command.args(words.split_whitespace());
    command
}

/// Runs to the end; exit code and what was said on both streams.
fn outcome(mut command: Command) -> (i32, String) {
    said(command.output().unwrap())
}

fn said(Output { status, stdout, stderr }: Output) -> (i32, String) {
    let said = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    (status.code().expect("an exit code"), said)
}

/// Runs to the end, which must be a good one.
fn succeed(command: Command) -> String {
    let (code, said) = outcome(command);
    assert_eq!(code, 0, "{said}");
    said
}

/// `metrics.jsonl` without its wall-clock fields.
fn metrics(run: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        let fields = line.as_object_mut().unwrap();
        fields.remove("seconds");
        fields.remove("steps_per_second");
        fields.remove("samples_per_second");
        line
    };
    text.lines().map(line).collect()
}

/// Asserts that two runs ended with the same bytes: metrics, weights, everything else that a run goes on from.
fn assert_same(left: &Path, right: &Path) {
    assert_eq!(metrics(left), metrics(right));
    for file in ["best/network.safetensors", "last/learner.safetensors", "last/replay.safetensors"] {
        let bytes = |run: &Path| std::fs::read(run.join("checkpoints").join(file)).unwrap();
        assert!(bytes(left) == bytes(right), "{file} differs");
    }
}
