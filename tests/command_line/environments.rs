//! `alrao env` and `alrao watch`.

use crate::{SMALL, alrao, outcome, succeed};

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
    assert!(std::fs::read(&gif).unwrap().starts_with(b"GIF89a"));
}
