//! Sweeps: killed and resumed, failed and retried, and their tables.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::RngExt;

use crate::{alrao, code_and_text, outcome, succeed};

/// A sweep of four runs of one or two seconds.
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
fn a_sweep_killed_at_random_has_the_same_table() {
    killed_at_random(4, "--seeds 0-1");
}

#[test]
#[ignore = "takes minutes: cargo xtask stress"]
fn a_sweep_killed_twenty_times_at_random_has_the_same_table() {
    killed_at_random(20, "--seeds 0-5 --set schedule.steps=3000");
}

/// Kills the sweep this number of times, every second time after killing one of its runs.
fn killed_at_random(kills: usize, words: &str) {
    let root = tempfile::tempdir().unwrap();
    let (uninterrupted, killed) = (root.path().join("uninterrupted"), root.path().join("killed"));
    let new = |out: &Path| {
        let mut command = sweep(root.path(), out);
        command.args(words.split(' '));
        command
    };
    let started = Instant::now();
    let text = succeed(new(&uninterrupted));
    let duration = started.elapsed();
    assert!(text.contains("| sgd | ") && text.contains("| alrao | "), "{text}");

    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("kill times drawn from seed {seed}");
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
    let text = succeed(if killed.exists() { resume(&killed) } else { new(&killed) });
    let to_go = text.lines().find(|line| line.contains("runs to go")).unwrap();
    println!("killed {kills} times; uninterrupted it took {} s; then {to_go}", duration.as_secs());
    assert_eq!(table(&uninterrupted), table(&killed));
}

#[test]
fn runs_end_when_their_sweep_is_killed() {
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
fn a_stopped_sweep_can_be_resumed() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let mut process = sweep(root.path(), &out).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("two runs train", || locked(&out).len() == 2);
    signal("INT", process.id());
    wait_until("the sweep ends", || process.try_wait().unwrap().is_some());
    assert!(locked(&out).is_empty());
    let (code, text) = code_and_text(process.wait_with_output().unwrap());
    assert_eq!(code, 130, "{text}");
    assert!(text.contains("stopped with 4 of 4 runs to go") && text.contains("alrao sweep --resume"), "{text}");
    assert!(text.contains("0 of 2 runs failed, 2 unfinished"), "{text}");
    fs::remove_dir_all(locked_or_not(&out).remove(0)).unwrap(); // missing runs are trained, too
    assert!(succeed(resume(&out)).contains("4 of 4 runs to go"));
}

#[test]
fn runs_that_stopped_early_are_counted() {
    let root = tempfile::tempdir().unwrap();
    let mut early = sweep(root.path(), &root.path().join("out"));
    early.args(["--seeds", "0", "--set", "schedule.stop_at=-1e5"]);
    let text = succeed(early);
    assert!(text.contains("pendulum, alrao: 1 of 1 runs stopped early"), "{text}");
}

#[test]
fn a_failed_run_does_not_stop_others_and_is_retried_on_request() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    succeed(sweep(root.path(), &out));
    let before = table(&out);
    let run = out.join("pendulum-alrao-seed1");
    let states = ["last", "previous"].map(|name| run.join("checkpoints").join(name).join("state.json"));
    let good = states.each_ref().map(|state| fs::read_to_string(state).unwrap());
    states.iter().for_each(|state| fs::write(state, "corrupt").unwrap());
    fs::remove_file(run.join("summary.json")).unwrap();
    fs::remove_dir_all(out.join("pendulum-sgd-seed0")).unwrap();

    let (code, text) = outcome(resume(&out));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("alrao-seed1: failed: exit status: 1") && text.contains("state.json"), "{text}");
    assert!(text.contains("sgd-seed0: test return") && text.contains("1 of 4 runs failed, see above"), "{text}");
    let (code, text) = outcome(resume(&out));
    assert!(code == 1 && text.contains("0 of 4 runs to go") && text.contains("--retry-failed"), "{code} {text}");
    states.iter().zip(good).for_each(|(state, good)| fs::write(state, good).unwrap());
    let mut retry = resume(&out);
    succeed({
        retry.arg("--retry-failed");
        retry
    });
    assert_eq!(table(&out), before);
}

#[test]
fn invalid_sweeps_are_usage_errors() {
    let root = tempfile::tempdir().unwrap();
    let assert_usage_error = |words: &str, expected: &str| {
        let (code, text) = outcome(alrao(words));
        assert!(code == 2 && text.contains(expected) && !text.contains("panicked"), "{words}: {code} {text}");
    };
    let at = root.path().display();
    assert_usage_error(&format!("table {at}"), "not a sweep directory");
    assert_usage_error(&format!("sweep --resume {at}"), "not a sweep directory");
    assert_usage_error("sweep table1-lr", "built in: ablation-fast-units, ablation-heads");
    assert_usage_error(&format!("sweep table1-rl --data {at}"), "--data: pendulum needs no dataset");
    assert_usage_error("sweep table1-ptb", "--data");
    assert_usage_error(&format!("sweep table1-ptb --data {at}/no --out {at}/sweep"), "ptb.train.txt");
    assert_usage_error(&format!("sweep {at}"), "directory");
    assert_usage_error("sweep table1-rl --seeds 4-0", "4-0");
    assert_usage_error("sweep table1-rl --jobs 0", "--jobs");
    assert_usage_error("sweep table1-rl --retry-failed", "--retry-failed");
    assert_usage_error("table x --format excel", "markdown, csv, json");
    fs::write(root.path().join("precious"), "data").unwrap();
    assert_usage_error(&format!("sweep table1-rl --out {at}"), "exists");
    fs::write(root.path().join("sweep.jsonl"), "{}\n").unwrap();
    assert_usage_error(&format!("table {at}"), "line 1");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
}

/// Returns the command of a small sweep, with two parallel runs.
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

/// Returns the processes of a sweep's runs.
fn children(sweep: &Child) -> Vec<u32> {
    let pid = sweep.id();
    let pids = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

pub fn signal(name: &str, pid: u32) {
    // the process may have ended meanwhile
    Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).stderr(Stdio::null()).status().unwrap();
}

/// Returns the run directories in which a process trains.
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
