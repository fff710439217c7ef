//! A run that was killed resumes to the same result as an uninterrupted run.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::RngExt;

use crate::{SMALL, alrao, assert_same, succeed};

const KILLS: usize = 5;

#[test]
fn a_run_killed_five_times_has_the_same_result() {
    let root = tempfile::tempdir().unwrap();
    let (uninterrupted, killed) = (root.path().join("not interrupted"), root.path().join("killed"));
    let started = Instant::now();
    succeed(with_path(&format!("{SMALL} --out"), &uninterrupted));
    let duration = started.elapsed();

    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("kill times drawn from seed {seed}");
    let mut moments = alrao::core::streams::stream(seed, "moments");
    for kill in 0..KILLS {
        let words = if killed.exists() { "train --resume" } else { &format!("{SMALL} --out") };
        let mut child = with_path(words, &killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(duration.mul_f64(moments.random_range(0.02..0.17)));
        assert!(still_runs(&mut child), "run {kill} ended before its kill");
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
    }
    if !killed.exists() {
        succeed(with_path(&format!("{SMALL} --out"), &killed)); // every kill came before the directory
    } else {
        succeed(with_path("train --resume", &killed));
    }
    assert_same(&uninterrupted, &killed);
}

#[test]
fn resuming_a_finished_run_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    succeed(with_path(&format!("{SMALL} --set schedule.steps=300 --out"), &run));
    let before = std::fs::metadata(run.join("metrics.jsonl")).unwrap().modified().unwrap();
    let text = succeed(with_path("train --resume", &run));
    assert!(text.contains("already finished") && text.contains("test return"), "{text}");
    assert_eq!(std::fs::metadata(run.join("metrics.jsonl")).unwrap().modified().unwrap(), before);
}

fn with_path(words: &str, path: &std::path::Path) -> std::process::Command {
    let mut command = alrao(words);
    command.arg(path);
    command
}

fn still_runs(child: &mut Child) -> bool {
    std::thread::sleep(Duration::from_millis(1));
    child.try_wait().unwrap().is_none()
}
