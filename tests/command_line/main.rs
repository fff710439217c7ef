//! Tests of the program as a process: exit codes, output and files.

mod checkpoints;
mod datasets;
mod environments;
mod export;
mod figures;
mod gymnasium;
mod interruption;
mod mishaps;
mod mistakes;
mod outputs;
mod reproducibility;
mod slurm;
mod supervised;
mod sweeps;
mod whole_run;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// A run of a few seconds: a small network, a checkpoint every 400 steps.
const SMALL: &str = "train pendulum --set schedule.steps=4000 --set schedule.validate_every=700 \
    --set schedule.checkpoint_every=400 --set schedule.log_every=150 --set schedule.validation_episodes=2 \
    --set schedule.test_episodes=3 --set agent.learning_starts=200 --set agent.batch_size=32 --set agent.buffer_size=1500 \
    --set agent.network.hidden_sizes=[32,32] --device cpu";

/// Returns a command of the program with these arguments, separated by spaces. It handles signals even if the tests run in
/// the background of a shell or by `nohup`, which ignore some.
fn alrao(words: &str) -> Command {
    let mut command = Command::new("/usr/bin/env"); // by its path: some tests have another PATH
    command.args(["--default-signal=INT,HUP", env!("CARGO_BIN_EXE_alrao")]).args(words.split_whitespace());
    command
}

/// Runs a command, and returns the exit code and the text of both output streams.
fn outcome(mut command: Command) -> (i32, String) {
    code_and_text(command.output().unwrap())
}

fn code_and_text(Output { status, stdout, stderr }: Output) -> (i32, String) {
    let text = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
    // as a shell tells it of a process that a signal ended
    (status.code().or(status.signal().map(|signal| 128 + signal)).expect("an end"), text)
}

/// Runs a command that must succeed, and returns its output.
fn succeed(command: Command) -> String {
    let (code, text) = outcome(command);
    assert_eq!(code, 0, "{text}");
    text
}

/// Starts a command and kills it as soon as `due`.
fn killed_when(mut command: Command, due: impl Fn() -> bool) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !due() {
        assert!(child.try_wait().unwrap().is_none(), "ended before its kill");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
}

/// Changes a run's configuration as the program would have written it, with its checksum.
fn edit_config(run: &Path, from: &str, to: &str) {
    let file = run.join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace(from, to);
    let (settings, _) = text.rsplit_once("# CRC").unwrap();
    let checksum = crc32c::crc32c(settings.as_bytes());
    std::fs::write(file, format!("{settings}# CRC-32C of the lines above: {checksum:08x}\n")).unwrap();
}

/// Reads `metrics.jsonl` without wall-clock fields.
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

/// Asserts that two runs are bit-identical: metrics, and everything in checkpoints.
fn assert_same(left: &Path, right: &Path) {
    assert_eq!(metrics(left), metrics(right));
    for file in ["best/network.safetensors", "last/learner.safetensors", "last/replay.safetensors"] {
        let bytes = |run: &Path| std::fs::read(run.join("checkpoints").join(file)).ok(); // supervised runs have no replay
        assert!(bytes(left) == bytes(right), "{file} differs");
    }
}
