//! A run that is killed at any moment goes on to the same end as one that was left alone.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::RngExt;

use crate::{SMALL, alrao, assert_same, succeed};

const KILLS: usize = 5;

#[test]
fn killed_five_times_and_resumed_it_ends_the_same() {
    let root = tempfile::tempdir().unwrap();
    let (left_alone, killed) = (root.path().join("left alone"), root.path().join("killed"));
    let started = Instant::now();
    succeed(with_path(&format!("{SMALL} --out"), &left_alone));
    let duration = started.elapsed();

    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("moments drawn from seed {seed}");
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
    assert_same(&left_alone, &killed);
}

#[test]
fn a_finished_run_is_left_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    succeed(with_path(&format!("{SMALL} --set schedule.steps=300 --out"), &run));
    let before = std::fs::metadata(run.join("metrics.jsonl")).unwrap().modified().unwrap();
    let said = succeed(with_path("train --resume", &run));
    assert!(said.contains("already finished") && said.contains("test return"), "{said}");
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
