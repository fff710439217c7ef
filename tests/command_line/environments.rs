//! The environments by themselves: named, checked, traced; and an agent watched in one.

use crate::{SMALL, alrao, outcome, succeed};

#[test]
fn environments_are_named_and_checked() {
    let names = succeed(alrao("env list"));
    assert!(["pendulum", "lunar-lander", "cartpole"].iter().all(|name| names.lines().any(|line| line == *name)));
    let said = succeed(alrao("env check pendulum"));
    assert!(said.contains("observations of 3 values, 5 actions"), "{said}");
    let (code, said) = outcome(alrao("env check pendulm"));
    assert!(code == 2 && said.contains("pendulum"), "{code} {said}");
}

/// The numbers are Gymnasium 1.4.0's, which the goldens of the environments are compared with step by step.
#[test]
fn a_trace_has_a_line_for_each_step_to_the_end_of_the_episode() {
    let said = succeed(alrao("env trace pendulum --seed 1 --policy random --steps 1000"));
    let lines: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 200);
    assert_eq!((&lines[199]["t"], &lines[199]["truncated"]), (&199.into(), &true.into()));
    assert!(lines.iter().all(|line| line["obs"].as_array().unwrap().len() == 3 && line["terminated"] == false));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "4\n4\n0\n").unwrap();
    let said = succeed(alrao(&format!("env trace pendulum --seed 1 --actions {} --steps 10", file.path().display())));
    assert_eq!(said.lines().count(), 3);
    std::fs::write(file.path(), "4\nup\n").unwrap();
    let (code, said) =
        outcome(alrao(&format!("env trace pendulum --seed 1 --actions {} --steps 9", file.path().display())));
    assert!(code == 2 && said.contains("line 2") && said.contains("`up`"), "{code} {said}");
    let (code, said) = outcome(alrao("env trace pendulum --seed 1 --policy heuristic --steps 9"));
    assert!(code == 2 && said.contains("pendulum has no heuristic policy"), "{code} {said}");
}

#[test]
fn steps_are_counted_of_one_environment_and_of_copies() {
    for request in ["pendulum-continuous", "cartpole --num-envs 3"] {
        let said = succeed(alrao(&format!("env bench {request} --seconds 1")));
        let (rate, unit) = said.split_once(' ').unwrap();
        assert!(rate.parse::<f64>().unwrap() > 0.0 && unit.starts_with("steps per CPU second ("), "{said}");
    }
    let (code, said) = outcome(alrao("env bench pendulum-continuous --num-envs 3"));
    assert!(code == 2 && said.contains("--num-envs") && said.contains("continuous"), "{code} {said}");
}

#[test]
fn an_episode_becomes_an_animation() {
    let root = tempfile::tempdir().unwrap();
    let (run, gif) = (root.path().join("run"), root.path().join("out.gif"));
    succeed(alrao(&format!("{SMALL} --set schedule.steps=300 --out {}", run.display())));
    let said = succeed(alrao(&format!("watch {} --gif {}", run.display(), gif.display())));
    assert!(said.contains(", length 200"), "{said}");
    assert!(std::fs::read(&gif).unwrap().starts_with(b"GIF89a"));
}
