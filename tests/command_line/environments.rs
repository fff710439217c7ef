//! `alrao env` and `alrao watch`.

use std::collections::HashSet;
use std::fs;

use alrao_agents::training::episode_seeds;

use crate::{SMALL, alrao, killed_when, outcome, succeed};

#[test]
fn env_list_and_env_check_work() {
    let names = succeed(alrao("env list"));
    assert!(["pendulum", "lunar-lander", "cartpole"].iter().all(|name| names.lines().any(|line| line == *name)));
    let text = succeed(alrao("env check pendulum"));
    assert!(text.contains("observations of 3 values, 5 actions"), "{text}");
    let (code, text) = outcome(alrao("env check pendulm"));
    assert!(code == 2 && text.contains("pendulum"), "{code} {text}");
}

#[test]
fn the_list_of_environments_as_json_says_what_each_is() {
    let listed: serde_json::Value = serde_json::from_str(&succeed(alrao("env list --json"))).unwrap();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|env| env["name"].as_str().unwrap()).collect();
    assert!(succeed(alrao("env list")).starts_with(&(names.join("\n") + "\n")));
    let expected = serde_json::json!({
        "name": "pendulum", "description": "`Pendulum-v1`, evenly spaced torques", "obs_dim": 3,
        "actions": { "discrete": 5 }, "time_limit": 200, "fps": 20, "settings": { "torques": 5 },
    });
    assert_eq!(listed.as_array().unwrap().iter().find(|env| env["name"] == "pendulum"), Some(&expected));
    let continuous = serde_json::json!({ "continuous": 1, "low": -2.0, "high": 2.0 });
    assert!(listed.as_array().unwrap().iter().any(|env| env["actions"] == continuous), "{listed}");
}

#[test]
fn a_trace_has_a_line_for_each_step_of_the_episode() {
    let text = succeed(alrao("env trace pendulum --seed 1 --policy random --steps 1000"));
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 200);
    assert_eq!((&lines[199]["t"], &lines[199]["truncated"]), (&199.into(), &true.into()));
    assert!(lines.iter().all(|line| line["obs"].as_array().unwrap().len() == 3 && line["terminated"] == false));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "4\n4\n0\n").unwrap();
    let text = succeed(alrao(&format!("env trace pendulum --seed 1 --actions {} --steps 10", file.path().display())));
    assert_eq!(text.lines().count(), 3);
    std::fs::write(file.path(), "4\nup\n").unwrap();
    let (code, text) =
        outcome(alrao(&format!("env trace pendulum --seed 1 --actions {} --steps 9", file.path().display())));
    assert!(code == 2 && text.contains("line 2") && text.contains("`up`"), "{code} {text}");
    let (code, text) = outcome(alrao("env trace pendulum --seed 1 --policy heuristic --steps 9"));
    assert!(code == 2 && text.contains("pendulum has no heuristic policy"), "{code} {text}");
}

#[test]
fn env_bench_measures_single_and_vector_environments() {
    for request in ["pendulum-continuous", "cartpole --num-envs 3"] {
        let text = succeed(alrao(&format!("env bench {request} --seconds 1")));
        let (rate, unit) = text.split_once(' ').unwrap();
        assert!(rate.parse::<f64>().unwrap() > 0.0 && unit.starts_with("steps per CPU second ("), "{text}");
    }
    let (code, text) = outcome(alrao("env bench pendulum-continuous --num-envs 3"));
    assert!(code == 2 && text.contains("--num-envs") && text.contains("continuous"), "{code} {text}");
}

#[test]
fn watch_writes_a_gif() {
    let root = tempfile::tempdir().unwrap();
    let (run, gif) = (root.path().join("run"), root.path().join("out.gif"));
    succeed(alrao(&format!("{SMALL} --set schedule.steps=300 --out {}", run.display())));
    let text = succeed(alrao(&format!("watch {} --gif {}", run.display(), gif.display())));
    assert!(text.contains(", length 200"), "{text}");
    assert!(fs::read(&gif).unwrap().starts_with(b"GIF89a"));

    let (code, text) = outcome(alrao(&format!("watch {}", run.display())));
    assert!(code == 2 && text.contains("--gif") && text.contains("--window"), "{code} {text}");

    fs::create_dir(root.path().join("folder.gif")).unwrap();
    let network = run.join("checkpoints/best/network.safetensors");
    let before = fs::read(&network).unwrap();
    for (file, problem) in [
        (network.as_path(), "network.safetensors: the file's name must end with .gif"),
        (&root.path().join("out"), "must end with .gif"),
        (&root.path().join("missing/out.gif"), "missing/out.gif: can't be written: No such file"),
        (&root.path().join("folder.gif"), "folder.gif: can't be written: Is a directory"),
    ] {
        let (code, text) = outcome(alrao(&format!("watch {} --gif {}", run.display(), file.display())));
        assert!(code == 2 && text.lines().count() == 1 && text.contains(problem), "{code} {text}");
    }
    assert!(fs::read(&network).unwrap() == before, "the best network was replaced");
}

/// Returns the names of a run's recordings, in the order of their steps.
fn recordings(run: &std::path::Path) -> Vec<String> {
    let names = fs::read_dir(run.join("recordings")).unwrap();
    let mut names: Vec<_> = names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_by_key(|name| (name.len(), name.clone()));
    names
}

#[test]
fn the_recording_of_a_validation_is_its_first_episode() {
    let root = tempfile::tempdir().unwrap();
    let (run, gif) = (root.path().join("run"), root.path().join("out.gif"));
    succeed(alrao(&format!("{SMALL} --set schedule.steps=3500 --set schedule.record=true --out {}", run.display())));
    let names = recordings(&run);
    assert_eq!(names, [700, 1400, 2100, 2800, 3500].map(|step| format!("step-{step}.gif")));
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("summary.json")).unwrap()).unwrap();
    let recording = run.join(format!("recordings/step-{}.gif", summary["best"]["step"]));
    let seed = episode_seeds(0, "validation", 1)[0];
    succeed(alrao(&format!("watch {} --seed {seed} --gif {}", run.display(), gif.display())));
    assert!(fs::read(&gif).unwrap() == fs::read(recording).unwrap(), "another episode");
    let contents: HashSet<Vec<u8>> =
        names.iter().map(|name| fs::read(run.join("recordings").join(name)).unwrap()).collect();
    assert!(contents.len() > 1, "every validation recorded the same episode");
}

#[test]
fn recordings_that_cannot_be_written_are_said_and_the_run_goes_on() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let last = run.join("checkpoints/last");
    killed_when(alrao(&format!("{SMALL} --set schedule.record=true --out {}", run.display())), || last.exists());
    let _ = fs::remove_dir_all(run.join("recordings"));
    fs::write(run.join("recordings"), "no folder").unwrap();
    let text = succeed(alrao(&format!("train --resume {}", run.display())));
    assert!(text.contains("no recording of this validation: ") && text.contains("run/recordings: "), "{text}");
    assert!(run.join("summary.json").exists());
}
