//! Sweeps: many runs, killed and gone on with, failed and tried again, and their table.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::RngExt;

use crate::{alrao, outcome, said, succeed};

/// Four runs of a second or two.
pub const SMALL_SWEEP: &str = r#"
seeds = "0-1"

[[task]]
config = "pendulum"
schedule.steps = 1000
schedule.validate_every = 250
schedule.checkpoint_every = 200
schedule.log_every = 100
schedule.validation_episodes = 2
schedule.test_episodes = 3
agent.learning_starts = 200
agent.batch_size = 32
agent.buffer_size = 1000
agent.network.width_factor = 0.125

[[variant]]
optimizer.kind = "sgd"
optimizer.lr = 0.1

[[variant]]
optimizer.kind = "alrao"
"#;

#[test]
fn a_sweep_killed_at_random_ends_with_the_same_table() {
    killed_at_random(4, "--seeds 0-1");
}

#[test]
#[ignore = "takes minutes: cargo xtask stress"]
fn a_sweep_killed_twenty_times_at_random_ends_with_the_same_table() {
    killed_at_random(20, "--seeds 0-5 --set schedule.steps=3000");
}

/// Kills the sweep so many times, each second time a run of it before.
fn killed_at_random(kills: usize, words: &str) {
    let root = tempfile::tempdir().unwrap();
    let (left_alone, killed) = (root.path().join("left-alone"), root.path().join("killed"));
    let new = |out: &Path| {
        let mut command = sweep(root.path(), out);
        command.args(words.split(' '));
        command
    };
    let started = Instant::now();
    let said = succeed(new(&left_alone));
    let duration = started.elapsed();
    assert!(said.contains("| sgd | ") && said.contains("| alrao | "), "{said}");

    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("moments drawn from seed {seed}");
    let mut moments = alrao::core::streams::stream(seed, "moments");
    let usual = duration.div_f64(kills as f64);
    for kill in 0..kills {
        let mut process = quiet(if killed.exists() { resume(&killed) } else { new(&killed) });
        std::thread::sleep(usual.mul_f64(moments.random_range(0.2..1.2)));
        let runs = children(&process);
        if kill % 2 == 0 && !runs.is_empty() {
            signal("KILL", runs[moments.random_range(0..runs.len())]);
            std::thread::sleep(usual.mul_f64(moments.random_range(0.0..0.4)));
        }
        assert!(process.try_wait().unwrap().is_none(), "the sweep ended before kill {kill}");
        process.kill().unwrap(); // SIGKILL
        process.wait().unwrap();
    }
    let said = succeed(if killed.exists() { resume(&killed) } else { new(&killed) });
    let to_go = said.lines().find(|line| line.contains("runs to go")).unwrap();
    println!("killed {kills} times; left alone it took {} s; then {to_go}", duration.as_secs());
    assert_eq!(table(&left_alone), table(&killed));
}

#[test]
fn a_run_does_not_outlive_its_killed_sweep() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let mut long = sweep(root.path(), &out);
    long.args(["--set", "schedule.steps=100000"]); // minutes
    let mut process = quiet(long);
    wait_until("two runs train", || locked(&out).len() == 2);
    let error = outcome(resume(&out));
    assert!(error.0 == 2 && error.1.contains("in use by another process"), "{error:?}");
    process.kill().unwrap();
    process.wait().unwrap();
    wait_until("no run trains", || locked(&out).is_empty());
}

#[test]
fn a_sweep_that_is_told_to_stop_leaves_all_to_go_on_with() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let mut process = sweep(root.path(), &out).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("two runs train", || locked(&out).len() == 2);
    signal("INT", process.id());
    wait_until("the sweep ends", || process.try_wait().unwrap().is_some());
    assert!(locked(&out).is_empty());
    let (code, said) = said(process.wait_with_output().unwrap());
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("stopped with 4 runs to go") && said.contains("alrao sweep --resume"), "{said}");
    assert!(said.contains("0 of 2 runs failed, 2 unfinished"), "{said}");
    fs::remove_dir_all(locked_or_not(&out).remove(0)).unwrap(); // a run that is missing is run, too
    assert!(succeed(resume(&out)).contains("4 of 4 runs to go"));
}

#[test]
fn a_run_that_fails_stops_no_other_and_is_tried_again_on_request() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    succeed(sweep(root.path(), &out));
    let before = table(&out);
    let run = out.join("pendulum-alrao-seed1");
    let state = run.join("checkpoints/last/state.json");
    let good = fs::read_to_string(&state).unwrap();
    fs::write(&state, "damaged").unwrap();
    fs::remove_file(run.join("summary.json")).unwrap();
    fs::remove_dir_all(out.join("pendulum-sgd-seed0")).unwrap();

    let (code, said) = outcome(resume(&out));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("alrao-seed1: failed: exit status: 1") && said.contains("state.json"), "{said}");
    assert!(said.contains("sgd-seed0: test return") && said.contains("1 runs failed"), "{said}");
    let (code, said) = outcome(resume(&out));
    assert!(code == 1 && said.contains("0 of 4 runs to go") && said.contains("--retry-failed"), "{code} {said}");
    fs::write(&state, good).unwrap();
    let mut retry = resume(&out);
    succeed({
        retry.arg("--retry-failed");
        retry
    });
    assert_eq!(table(&out), before);
}

#[test]
fn what_is_no_sweep_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let refused = |words: &str, expected: &str| {
        let (code, said) = outcome(alrao(words));
        assert!(code == 2 && said.contains(expected) && !said.contains("panicked"), "{words}: {code} {said}");
    };
    let at = root.path().display();
    refused(&format!("table {at}"), "not a sweep directory");
    refused(&format!("sweep --resume {at}"), "not a sweep directory");
    refused("sweep table1-lr", "built in: ablation-fast-units, ablation-heads");
    refused(&format!("sweep table1-rl --data {at}"), "--data: pendulum needs no dataset");
    refused("sweep table1-ptb", "--data");
    refused(&format!("sweep table1-ptb --data {at}/no --out {at}/sweep"), "ptb.train.txt");
    refused(&format!("sweep {at}"), "directory");
    refused("sweep table1-rl --seeds 4-0", "4-0");
    refused("sweep table1-rl --jobs 0", "--jobs");
    refused("sweep table1-rl --retry-failed", "--retry-failed");
    refused("table x --format excel", "markdown, csv, json");
    fs::write(root.path().join("precious"), "data").unwrap();
    refused(&format!("sweep table1-rl --out {at}"), "exists");
    fs::write(root.path().join("sweep.jsonl"), "{}\n").unwrap();
    refused(&format!("table {at}"), "line 1");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
}

/// A small sweep, two runs at a time.
fn sweep(root: &Path, out: &Path) -> Command {
    let file = root.join("small.toml");
    fs::write(&file, SMALL_SWEEP).unwrap();
    alrao(&format!("sweep {} --jobs 2 --out {}", file.display(), out.display()))
}

fn resume(out: &Path) -> Command {
    alrao(&format!("sweep --jobs 2 --resume {}", out.display()))
}

fn quiet(mut command: Command) -> Child {
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

pub fn table(out: &Path) -> String {
    let mut command = alrao("table --format json");
    command.arg(out);
    succeed(command)
}

/// The processes of its runs.
fn children(sweep: &Child) -> Vec<u32> {
    let pid = sweep.id();
    let pids = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

pub fn signal(name: &str, pid: u32) {
    // The process may have ended by itself just now.
    Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).stderr(Stdio::null()).status().unwrap();
}

/// The run directories that a process trains in.
pub fn locked(out: &Path) -> Vec<PathBuf> {
    let trained = |run: &PathBuf| File::open(run.join("lock")).is_ok_and(|file| file.try_lock().is_err());
    locked_or_not(out).into_iter().filter(trained).collect()
}

fn locked_or_not(out: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(out) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("config.toml").exists()).collect()
}

pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(300), "not yet: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
