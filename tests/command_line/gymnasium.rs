//! Environments of Gymnasium in Python processes. `cargo xtask gymnasium` runs these tests with a Python that has it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{alrao, assert_same, code_and_text, killed_when, metrics, outcome, succeed};

/// A run of a few seconds in the environment of `faulty.py`.
const SMALL: &str = "--set environment.import=[\"faulty\"] --set schedule.steps=1500 --set schedule.validate_every=500 \
    --set schedule.checkpoint_every=200 --set schedule.log_every=150 --set schedule.validation_episodes=5 \
    --set schedule.test_episodes=3 --set agent.learning_starts=200 --set agent.batch_size=32 \
    --set agent.network.hidden_sizes=[32,32] --device cpu";

/// Returns a command with this crate's tests on Python's path.
fn command(words: &str) -> Command {
    let mut command = alrao(words);
    command.env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command_line"));
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Returns a small run in the faulty environment.
fn faulty(words: &str, out: &Path) -> Command {
    let mut command = command(&format!("train gymnasium:Faulty-v0 {SMALL} {words} --out"));
    command.arg(out);
    command
}

fn with_path(words: &str, path: &Path) -> Command {
    let mut command = command(words);
    command.arg(path);
    command
}

/// Returns the processes whose parent is this one: their ids.
fn children(parent: u32) -> Vec<u32> {
    let of = |entry: fs::DirEntry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut fields = fields.split(' ');
        (fields.next()? != "Z" && fields.next()?.parse() == Ok(parent)).then_some(id)
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(of).collect()
}

/// Waits until processes have ended.
fn assert_gone(ids: &[u32]) {
    let running = |id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
    };
    let since = Instant::now();
    while ids.iter().any(running) {
        assert!(since.elapsed() < Duration::from_secs(5), "left over: {ids:?}");
        sleep(Duration::from_millis(5));
    }
}

/// Gymnasium's environments are equal to the built-in ones, so the trainings must be.
#[test]
#[ignore = "needs Gymnasium"]
fn trainings_are_those_of_built_in_environments() {
    let root = tempfile::tempdir().unwrap();
    // A sticky step of the package can repeat the last action of the episode before.
    const MINATAR: [&str; 2] = [
        "minatar-breakout --set environment.sticky_action_prob=0",
        "gymnasium:MinAtar/Breakout-v1 --set environment.kwargs.sticky_action_prob=0.0 \
         --set environment.import=[\"minatar.gym:register_envs\"]",
    ];
    for (index, [built_in, id]) in [
        ["cartpole", "gymnasium:CartPole-v1"],
        ["lunar-lander", "gymnasium:LunarLander-v3"],
        ["acrobot", "gymnasium:Acrobot-v1"],
        ["pendulum --set agent.num_envs=3", "gymnasium:Pendulum-v1 --set agent.num_envs=3"],
        MINATAR,
    ]
    .into_iter()
    .enumerate()
    {
        let schedule = "--set schedule.steps=5000 --set schedule.validation_episodes=5 --set schedule.test_episodes=5 \
            --set schedule.validate_every=1000 --set agent.network.hidden_sizes=[64,64] --seed 3 --device cpu --out";
        let [ours, theirs] = ["ours", "theirs"].map(|name| root.path().join(format!("{name}{index}")));
        succeed(with_path(&format!("train {built_in} {schedule}"), &ours));
        succeed(with_path(&format!("train {id} {schedule}"), &theirs));
        let (ours, theirs) = (metrics(&ours), metrics(&theirs));
        let kinds = |lines: &[serde_json::Value]| lines.iter().filter(|line| line["kind"] == "validation").count();
        assert!(kinds(&ours) >= 4 && ours.len() > 20, "{id}: {}", ours.len());
        assert!(ours == theirs, "{id}");
    }
}

#[test]
#[ignore = "needs Gymnasium"]
fn results_do_not_depend_on_the_number_of_workers() {
    let root = tempfile::tempdir().unwrap();
    let runs = [1, 3].map(|workers| {
        let run = root.path().join(workers.to_string());
        succeed(faulty(&format!("--set environment.workers={workers}"), &run));
        run
    });
    assert_eq!(metrics(&runs[0]), metrics(&runs[1]));
}

#[test]
#[ignore = "needs Gymnasium"]
fn a_worker_that_is_killed_ends_the_run_which_resumes() {
    let root = tempfile::tempdir().unwrap();
    let [whole, killed] = ["whole", "killed"].map(|name| root.path().join(name));
    let slow = "--set environment.kwargs.fault=slow --set environment.kwargs.at=20 --set environment.workers=2";
    succeed(faulty(slow, &whole));

    let mut child = faulty(slow, &killed).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !killed.join("checkpoints/last").exists() {
        assert!(child.try_wait().unwrap().is_none(), "ended before its kill");
        sleep(Duration::from_millis(5));
    }
    let workers = children(child.id());
    assert_eq!(workers.len(), 2);
    Command::new("kill").args(["-9", &workers[0].to_string()]).status().unwrap();
    let (code, text) = code_and_text(child.wait_with_output().unwrap());
    let killer = format!("the Python process {} was killed by signal 9", workers[0]);
    assert!(code == 1 && text.contains(&killer) && text.contains("gymnasium:Faulty-v0"), "{code} {text}");
    assert!(
        ["step", "reset"].iter().any(|what| text.contains("copy ") && text.contains(&format!(", {what} "))),
        "{text}"
    );
    assert_gone(&workers);
    succeed(with_path("train --resume", &killed));
    assert_same(&whole, &killed);
}

#[test]
#[ignore = "needs Gymnasium"]
fn no_worker_outlives_the_program() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let hanging = "--set environment.kwargs.fault=hang --set environment.kwargs.at=20";
    let mut child = faulty(hanging, &run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sleep(Duration::from_secs(6)); // it hangs
    let workers = children(child.id());
    assert!(!workers.is_empty() && child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_gone(&workers);
}

/// A process that an environment started ends with its worker, even if nothing in the worker or the program can see to it.
#[test]
#[ignore = "needs Gymnasium"]
fn no_process_of_an_environment_is_left_over() {
    let root = tempfile::tempdir().unwrap();
    for killed in ["program", "worker", "nothing"] {
        let run = root.path().join(killed);
        let mut child = faulty("--set environment.kwargs.fault=child --set environment.workers=1", &run);
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while !run.join("checkpoints/last").exists() {
            assert!(child.try_wait().unwrap().is_none(), "{killed}: ended before its kill");
            sleep(Duration::from_millis(5));
        }
        let worker = children(child.id())[0];
        let started = children(worker);
        assert!(started.iter().any(|id| fs::read_to_string(format!("/proc/{id}/comm")).unwrap() == "sleep\n"));
        match killed {
            "program" => child.kill().unwrap(),
            "worker" => assert!(Command::new("kill").args(["-9", &worker.to_string()]).status().unwrap().success()),
            _ => {}
        }
        let status = child.wait().unwrap();
        assert_eq!(
            status.code(),
            [("worker", 1), ("nothing", 0)].into_iter().find(|end| end.0 == killed).map(|end| end.1)
        );
        assert_gone(&[&started[..], &[worker]].concat());
    }
}

#[test]
#[ignore = "needs Gymnasium"]
fn a_killed_run_has_the_same_result_when_it_is_resumed() {
    let root = tempfile::tempdir().unwrap();
    let [whole, killed] = ["whole", "killed"].map(|name| root.path().join(name));
    succeed(faulty("", &whole));
    killed_when(faulty("", &killed), || killed.join("checkpoints/last").exists());
    succeed(with_path("train --resume", &killed));
    assert_same(&whole, &killed);
}

#[test]
#[ignore = "needs Gymnasium"]
fn an_environment_that_does_not_repeat_its_episode_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let unseeded = faulty("--set environment.kwargs.fault=unseeded --set environment.kwargs.length=70", &run);
    killed_when(unseeded, || run.join("checkpoints/last").exists());
    let (code, text) = outcome(with_path("train --resume", &run));
    assert!(code == 1 && text.contains("had another observation"), "{code} {text}");
}

#[test]
#[ignore = "needs Gymnasium"]
fn faults_are_told_with_copy_step_and_traceback() {
    let root = tempfile::tempdir().unwrap();
    for (fault, words) in [
        ("raise", &[", step 5 with action", "RuntimeError: the wheel came off", "faulty.py", "in step"][..]),
        ("die", &[", step 5 with action", "was killed by signal 9"]),
        ("exit", &[", step 5 with action", "exited with code 7"]),
        ("shape", &[", step 5", "shape [1], but the observation space [2]"]),
        ("dtype", &[", step 5", "observation is of <U5, but the observation space of float32"]),
        ("no-number", &["after step 5 the observation's value 1 is NaN"]),
        ("nan-reward", &["the reward of step 5 is NaN"]),
        ("lost-mask", &[", step 5 with action", "info has no \"action_mask\", but had one before"]),
        ("late-mask", &[", step 5 with action", "info has an \"action_mask\", but had none before"]),
        ("short-mask", &[", step 5 with action", "array of int8 and shape [2]", "Discrete(3, start=4)", "shape [3]"]),
        ("float-mask", &[", step 5 with action", "array of float64 and shape [3], but", "needs int8"]),
        ("large-mask", &[", step 5 with action", "has values other than 0 and 1, ["]),
        ("empty-mask", &[", step 5 with action", "has no legal action: make one legal, or terminate"]),
        ("masked-box", &["reset with seed", "has an \"action_mask\", but the action space is Box", "wrapper"]),
        ("hang", &[", step 5 with action", "no answer", "for 2 s", "environment.timeout", "in step"]),
        ("graph", &["observation space Graph", "gymnasium.wrappers.FilterObservation"]),
        ("unbounded-action", &["action space Box", "no bounds", "gymnasium.wrappers.TransformAction"]),
        ("many-actions", &["244140625 combinations", "environment.bins"]),
        ("text-action", &["action space Text", "gymnasium.ActionWrapper"]),
    ] {
        let timeout = if fault == "hang" { "--set environment.timeout=2" } else { "" };
        let run = root.path().join(fault);
        let (code, text) = outcome(faulty(&format!("--set environment.kwargs.fault={fault} {timeout}"), &run));
        assert!(code == 1 || code == 2, "{fault}: {code} {text}");
        for word in words.iter().chain(&["gymnasium:Faulty-v0"]) {
            assert!(text.contains(word), "{fault}, {word}: {text}");
        }
        if fault != "hang" {
            assert!(!text.contains("<string>"), "{fault}: the worker's own frames are left out: {text}");
        }
    }
}

/// The environment fails at an illegal action, in training, validations and the test.
#[test]
#[ignore = "needs Gymnasium"]
fn action_masks_are_honored_also_after_a_kill() {
    let root = tempfile::tempdir().unwrap();
    for fault in ["masked", "masked-numbers"] {
        let [whole, killed] = ["whole", "killed"].map(|name| root.path().join(format!("{fault}-{name}")));
        let masked = format!("--set environment.kwargs.fault={fault}");
        succeed(faulty(&masked, &whole));
        killed_when(faulty(&masked, &killed), || killed.join("checkpoints/last").exists());
        succeed(with_path("train --resume", &killed));
        assert_same(&whole, &killed);
    }
}

#[test]
#[ignore = "needs Gymnasium"]
fn environments_that_cannot_be_made_say_why() {
    for (words, expected) in [
        ("gymnasium:CartPol-v1", "Environment `CartPol` doesn't exist. Did you mean: `CartPole`?"),
        ("gymnasium:CartPole-v1 --set environment.import=[\"no_module\"]", "No module named 'no_module'"),
        ("gymnasium:CartPole-v1 --set environment.kwargs.colour=3", "unexpected keyword argument 'colour'"),
        ("gymnasium:CartPole-v1 --set environment.python=no-python", "environment.python = \"no-python\""),
        ("gymnasium:CartPole-v1 --set environment.wrappers=[\"gymnasium.wrappers.Nothing\"]", "has no `Nothing`"),
        ("gymnasium:CartPole-v1 --set environment.bins=1", "bins = 1: must be at least 2"),
        ("gymnasium:CartPole-v1 --set environment.timeout=0", "timeout = 0: must be above 0"),
        ("gymnasium:CartPole-v1 --set environment.gravity=3", "`gravity` is not a setting of `gymnasium:CartPole-v1`"),
    ] {
        let (code, text) = outcome(command(&format!("train {words} --out /nonexistent/run")));
        assert!(code == 2 && text.contains(expected), "{words}: {code} {text}");
    }
}

#[test]
#[ignore = "needs Gymnasium"]
fn large_seeds_are_folded_and_prints_go_to_standard_error() {
    let root = tempfile::tempdir().unwrap();
    let runs = ["none", "small-seeds", "print"].map(|fault| {
        let run = root.path().join(fault);
        let text = succeed(faulty(&format!("--set environment.kwargs.fault={fault}"), &run));
        assert_eq!(text.contains("a new episode") && text.contains("from a child"), fault == "print", "{text}");
        metrics(&run)
    });
    assert!(runs[0] == runs[2], "printing changes nothing");
    assert_eq!(runs[0].len(), runs[1].len());
}

#[test]
#[ignore = "needs Gymnasium"]
fn every_command_works_with_an_environment_of_gymnasium() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let small = SMALL.replace("--set environment.import=[\"faulty\"]", "");
    succeed(with_path(
        &format!("train gymnasium:MountainCar-v0 {small} --set schedule.max_evaluation_steps=50 --out"),
        &run,
    ));
    let eval = succeed(with_path("eval --episodes 2", &run));
    assert!(eval.contains("2 episodes"), "{eval}");
    succeed(with_path("report", &run));
    let page = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("data:image/gif"), "an episode");
    let checked = succeed(command("env check gymnasium:faulty:Faulty-v0"));
    assert!(checked.contains("observations of 2 values, 3 actions"), "{checked}");
    let trace = |name: &str| succeed(command(&format!("env trace {name} --seed 5 --policy random --steps 9")));
    assert_eq!(trace("gymnasium:CartPole-v1"), trace("cartpole"));
    assert!(succeed(command("env bench gymnasium:CartPole-v1 --num-envs 4 --seconds 1")).contains("steps per second"));
}

/// Each configuration of the chapter trains, for a while, goes on after a kill as if there had been none, and is exported
/// with observations as Gymnasium gives them.
#[test]
#[ignore = "needs Gymnasium"]
fn the_chapters_examples_train_resume_and_are_exported() {
    let root = tempfile::tempdir().unwrap();
    let chapter = include_str!("../../docs/gymnasium.md");
    let examples: Vec<&str> =
        chapter.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 2, "Atari and MiniGrid");
    let inputs = ["[batch, 4, 84, 84] of u8", "[batch, 147] of u8"];
    for (index, (example, inputs)) in examples.into_iter().zip(inputs).enumerate() {
        let [file, whole, killed] =
            ["example.toml", "whole", "killed"].map(|name| root.path().join(format!("{index}-{name}")));
        fs::write(&file, example).unwrap();
        let train = |out: &Path| {
            let mut train = with_path("train", &file);
            for set in ["steps=400", "validation_episodes=1", "test_episodes=1", "max_evaluation_steps=30"] {
                train.args(["--set", &format!("schedule.{set}")]);
            }
            train.args(
                "--set schedule.checkpoint_every=100 --set agent.learning_starts=150 --device cpu --out".split(' '),
            );
            train.arg(out);
            train
        };
        succeed(train(&whole));
        let out = root.path().join("policy.onnx");
        let exported = succeed(with_path(&format!("export {} --out", whole.display()), &out));
        assert!(exported.contains(&format!("observation {inputs}")), "{exported}");
        killed_when(train(&killed), || killed.join("checkpoints/last").exists());
        succeed(with_path("train --resume", &killed));
        assert_same(&whole, &killed);
    }
}
