//! A run that was killed resumes to the same result as an uninterrupted run.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::RngExt;

use crate::supervised::alphabet;
use crate::{SMALL, alrao, assert_same, code_and_text, killed_when, metrics, outcome, succeed};

const KILLS: usize = 5;

#[test]
fn a_run_killed_five_times_has_the_same_result() {
    killed_five_times(SMALL);
}

#[test]
fn a_run_of_eight_environments_killed_five_times_has_the_same_result() {
    killed_five_times(&format!("{SMALL} --set agent.num_envs=8 --set agent.frame_stack=2"));
}

/// The run is stopped by its callbacks before 4000 steps.
#[test]
fn a_run_with_patience_killed_five_times_has_the_same_result() {
    killed_five_times(&format!("{SMALL} --set schedule.validate_every=150 --set schedule.patience=8"));
}

fn killed_five_times(train: &str) {
    let root = tempfile::tempdir().unwrap();
    let (uninterrupted, killed) = (root.path().join("not interrupted"), root.path().join("killed"));
    let started = Instant::now();
    succeed(with_path(&format!("{train} --out"), &uninterrupted));
    let duration = started.elapsed();

    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("kill times drawn from seed {seed}");
    let mut moments = alrao::core::streams::stream(seed, "moments");
    for kill in 0..KILLS {
        let words = if killed.exists() { "train --resume" } else { &format!("{train} --out") };
        let mut child = with_path(words, &killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(duration.mul_f64(moments.random_range(0.02..0.17)));
        assert!(still_runs(&mut child), "run {kill} ended before its kill");
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
    }
    if !killed.exists() {
        succeed(with_path(&format!("{train} --out"), &killed)); // every kill came before the directory
    } else {
        succeed(with_path("train --resume", &killed));
    }
    assert_same(&uninterrupted, &killed);
}

/// Runs until a signal arrives after `pause`; returns the exit code and what was said.
fn signalled(mut command: Command, signals: &[&str], pause: Duration) -> (i32, String) {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    for name in signals {
        std::thread::sleep(pause);
        let _ = Command::new("kill").args(["-s", name, &child.id().to_string()]).output().unwrap();
    }
    code_and_text(child.wait_with_output().unwrap())
}

#[test]
fn stopped_twenty_times_by_signals_a_run_loses_no_step() {
    let root = tempfile::tempdir().unwrap();
    let (left_alone, stopped) = (root.path().join("left alone"), root.path().join("it's stopped"));
    let started = Instant::now();
    succeed(with_path(&format!("{SMALL} --out"), &left_alone));
    let duration = started.elapsed();
    let (started, brief) = (Instant::now(), root.path().join("brief"));
    killed_when(with_path(&format!("{SMALL} --out"), &brief), || brief.join("metrics.jsonl").exists());
    let mut startup = started.elapsed();

    let mut moments = alrao::core::streams::stream(started.elapsed().as_nanos() as u64, "moments");
    let mut steps = 0;
    for stop in 0..20 {
        let words = if stopped.exists() { "train --resume" } else { &format!("{SMALL} --out") };
        let (name, exit_code) = [("TERM", 143), ("INT", 130), ("HUP", 129)][stop % 3];
        let pause = startup.mul_f64(0.9) + duration.mul_f64(moments.random_range(0.0..0.06));
        let (code, said) = signalled(with_path(words, &stopped), &[name], pause);
        if code == 0 && steps > 100 {
            break;
        } else if code == 0 {
            std::fs::remove_dir_all(&stopped).unwrap(); // it finished before the signal: the machine got faster
            startup /= 2;
            continue;
        }
        assert_eq!(code, exit_code, "{said}");
        let Ok(state) = std::fs::read_to_string(stopped.join("checkpoints/last/state.json")) else {
            startup = startup.mul_f64(1.3); // the signal came before the training: the machine got slower
            continue;
        };
        let state: serde_json::Value = serde_json::from_str(&state).unwrap();
        let step = state["training"]["progress"]["step"].as_u64().unwrap();
        if said.contains("stopping; once more") {
            let hint = format!("after {step} of 4000 env steps; resume with `alrao train --resume '");
            assert!(said.contains(&hint), "step {step}: {said}");
            assert!(step >= steps, "step {step} after {steps}: {said}");
        }
        steps = step;
    }
    assert!(steps > 100, "no signal came while training");
    succeed(with_path("train --resume", &stopped));
    assert_same(&left_alone, &stopped);
}

/// Starts a run, sends it SIGINT so many times after its first checkpoint, and checks that it ends within two seconds.
fn interrupted(words: &str, run: &std::path::Path, signals: usize) -> String {
    let started = Instant::now();
    let mut command = with_path(&format!("{SMALL} {words} --out"), run);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while !run.join("checkpoints/last").exists() {
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    for _ in 0..signals {
        std::thread::sleep(Duration::from_millis(200));
        Command::new("kill").args(["-s", "INT", &child.id().to_string()]).output().unwrap();
    }
    let stopped = Instant::now();
    let (code, said) = code_and_text(child.wait_with_output().unwrap());
    assert!(code == 130 && said.contains("once more"), "{code} {said}");
    assert!(stopped.elapsed() < Duration::from_secs(2), "{:?}", stopped.elapsed());
    said
}

/// The step after the checkpoint makes many updates.
#[test]
fn a_second_signal_ends_a_run_at_once() {
    let root = tempfile::tempdir().unwrap();
    let long = "--set schedule.checkpoint_every=200 --set agent.gradient_steps=1000 --set agent.batch_size=1500";
    let said = interrupted(long, &root.path().join("run"), 2);
    assert!(said.contains("stopped by SIGINT; resume"), "{said}");
}

/// The step after the checkpoint has a validation of tens of seconds, so that the signal comes before its end on a fast or a
/// busy machine, too.
#[test]
fn a_signal_does_not_wait_for_the_end_of_a_validation() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let long = "--set schedule.checkpoint_every=250 --set schedule.validate_every=251 \
                --set schedule.validation_episodes=10000 --set agent.network.hidden_sizes=[512,512]";
    let said = interrupted(long, &run, 1);
    assert!(said.contains("after 251 of 4000 env steps; resume with"), "{said}");
    let state = std::fs::read_to_string(run.join("checkpoints/last/state.json")).unwrap();
    assert!(state.contains("\"validation_due\":true"), "{state}");
}

/// Each update is logged, so that the last line of the log tells what was done.
#[test]
fn stopped_twenty_times_by_sigterm_a_supervised_run_loses_no_update() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    let (left_alone, stopped) = (root.path().join("left alone"), root.path().join("stopped"));
    let words = "train ptb-char --set data.batch_size=4 --set data.bptt=10 --set training.max_epochs=12 \
                 --set training.patience=60 --set training.log_every=1 --set model.width_factor=0.5 --device cpu --data";
    let words = format!("{words} {} --out", data.path().display());
    let started = Instant::now();
    succeed(with_path(&words, &left_alone));
    let duration = started.elapsed();
    let (started, brief) = (Instant::now(), root.path().join("brief"));
    killed_when(with_path(&words, &brief), || brief.join("metrics.jsonl").exists());
    let mut startup = started.elapsed();

    let mut moments = alrao::core::streams::stream(started.elapsed().as_nanos() as u64, "moments");
    let (mut updates, mut stops) = (0, 0);
    for _ in 0..20 {
        let words = if stopped.exists() { "train --resume" } else { &words };
        let pause = startup.mul_f64(0.9) + duration.mul_f64(moments.random_range(0.0..0.06));
        let (code, said) = signalled(with_path(words, &stopped), &["TERM"], pause);
        if code == 0 && stops > 3 {
            break;
        } else if code == 0 {
            std::fs::remove_dir_all(&stopped).unwrap(); // it finished before the signals: the machine got faster
            (updates, stops, startup) = (0, 0, startup / 2);
            continue;
        }
        assert_eq!(code, 143, "{said}");
        if !said.contains("epochs; resume with `alrao train --resume") {
            startup = startup.mul_f64(1.3); // the signal came before the training: the machine got slower
            continue;
        }
        stops += 1;
        let log = metrics(&stopped);
        let last = log.iter().rfind(|line| line["kind"] == "update").map_or(0, |line| line["step"].as_u64().unwrap());
        let state = std::fs::read_to_string(stopped.join("checkpoints/last/state.json")).unwrap();
        let state: serde_json::Value = serde_json::from_str(&state).unwrap();
        let progress = &state["training"]["progress"];
        let batches = |key: &str| progress[key].as_u64().unwrap();
        let saved = batches("epochs") * updates_of_an_epoch(&left_alone) + batches("batches");
        assert!(saved == last && saved >= updates, "{saved} updates saved, {last} logged, {updates} before: {said}");
        updates = saved;
    }
    assert!(stops > 3, "{stops} signals came while training");
    succeed(with_path("train --resume", &stopped));
    assert_same(&left_alone, &stopped);
}

fn updates_of_an_epoch(run: &std::path::Path) -> u64 {
    metrics(run).iter().find(|line| line["kind"] == "epoch").unwrap()["step"].as_u64().unwrap()
}

/// A checkpoint by minutes doesn't wait for one by steps.
#[test]
fn checkpoints_are_saved_by_minutes_too() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let words = "--set schedule.checkpoint_every=4000 --set schedule.checkpoint_minutes=0.001 --out";
    killed_when(with_path(&format!("{SMALL} {words}"), &run), || run.join("checkpoints/previous").exists());
    let (code, said) = outcome(alrao("train pendulum --set schedule.checkpoint_minutes=0"));
    assert!(code == 2 && said.contains("schedule.checkpoint_minutes = 0: must be above 0"), "{code} {said}");
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
