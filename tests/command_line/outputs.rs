//! Outputs that are closed, full or gone: commands that print end, trainings and sweeps go on.

use std::fs::File;
use std::io::pipe;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::sweeps::SMALL_SWEEP;
use crate::{SMALL, alrao, assert_same, outcome, succeed};

/// An output whose reader is gone.
fn closed() -> Stdio {
    pipe().unwrap().1.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

/// A finished run and a finished sweep of one run.
fn made(root: &Path) -> (String, String) {
    let (run, sweep) = (root.join("run"), root.join("sweep"));
    std::fs::write(root.join("small.toml"), SMALL_SWEEP).unwrap();
    succeed(alrao(&format!("{SMALL} --set schedule.steps=500 --out {}", run.display())));
    let words = format!("sweep {}/small.toml --seeds 0 --set schedule.steps=300 --out", root.display());
    succeed(alrao(&format!("{words} {}", sweep.display())));
    (run.display().to_string(), sweep.display().to_string())
}

/// Every command, most with short work.
fn commands(root: &Path) -> Vec<String> {
    let (run, sweep) = made(root);
    let root = root.display();
    [
        "--help".into(),
        "train --help".into(),
        "--version".into(),
        "doctor".into(),
        "env list".into(),
        "env check pendulum".into(),
        "env bench pendulum --seconds 1".into(),
        "env trace pendulum --seed 1 --policy random --steps 3".into(),
        format!("eval {run}"),
        format!("plot {run}"),
        format!("report {run}"),
        format!("watch {run} --gif {root}/episode.gif"),
        format!("table {sweep}"),
        format!("train --resume {run}"),
        format!("sweep --resume {sweep}"),
    ]
    .into()
}

#[test]
fn commands_whose_reader_closed_their_output_end_quietly() {
    let root = tempfile::tempdir().unwrap();
    for words in commands(root.path()) {
        let mut command = alrao(&words);
        command.stdout(closed()).stderr(Stdio::piped());
        let (code, said) = outcome_of(command);
        let quiet = said.lines().all(|line| line.contains("already finished") || line.contains("runs to go"));
        assert!(code == 0 && quiet, "{words}: {code} {said}");
    }
}

#[test]
fn commands_whose_output_is_full_say_so_in_a_line() {
    let root = tempfile::tempdir().unwrap();
    for words in commands(root.path()) {
        let mut command = alrao(&words);
        command.stdout(full()).stderr(Stdio::piped());
        let (code, said) = outcome_of(command);
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("error")).collect();
        assert!(code == 1 && lines.len() == 1 && !said.contains("panicked"), "{words}: {code} {said}");
        assert!(lines[0].starts_with("error: standard output can't be written: No space left"), "{words}: {said}");
    }
}

#[test]
fn a_training_and_a_sweep_go_on_without_their_outputs() {
    let root = tempfile::tempdir().unwrap();
    let whole = root.path().join("whole");
    succeed(alrao(&format!("{SMALL} --out {}", whole.display())));
    for (name, out, code) in [("closed", closed as fn() -> Stdio, 0), ("full", full, 1)] {
        let run = root.path().join(name);
        let mut command = alrao(&format!("{SMALL} --out {}", run.display()));
        command.stdout(out()).stderr(out());
        assert_eq!(command.status().unwrap().code(), Some(code), "{name}");
        assert_same(&whole, &run);
        assert!(run.join("plots/returns.svg").exists());
    }
    std::fs::write(root.path().join("small.toml"), SMALL_SWEEP).unwrap();
    let words = format!("sweep {}/small.toml --seeds 0 --set schedule.steps=300", root.path().display());
    let sweep = root.path().join("sweep");
    let mut command = alrao(&format!("{words} --out {}", sweep.display()));
    command.stdout(closed()).stderr(closed());
    assert_eq!(command.status().unwrap().code(), Some(0));
    assert!(succeed(alrao(&format!("sweep --resume {}", sweep.display()))).contains("0 of 2 runs to go"));
}

fn outcome_of(mut command: Command) -> (i32, String) {
    crate::code_and_text(command.spawn().unwrap().wait_with_output().unwrap())
}

#[test]
fn usage_errors_without_a_reader_keep_their_exit_code() {
    let mut command = alrao("train nothing");
    command.stderr(closed());
    assert_eq!(command.status().unwrap().code(), Some(2));
    assert_eq!(outcome(alrao("train")).0, 2);
}
