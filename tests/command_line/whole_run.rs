//! A run from training to plots, and its files.

use std::fs;

use crate::{SMALL, alrao, metrics, outcome, succeed};

#[test]
fn a_run_that_reaches_its_goal_is_stopped_and_done() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let text = succeed(alrao(&format!("{SMALL} --set schedule.stop_at=-1e5 --out {}", run.display())));
    assert!(
        text.contains("stopped        at step 700: the validation return reached schedule.stop_at = -100000"),
        "{text}"
    );
    let summary: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(run.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["steps"], 700);
    assert_eq!(summary["stopped"], "the validation return reached schedule.stop_at = -100000");
    let again = succeed(alrao(&format!("train --resume {}", run.display())));
    assert!(again.contains("already finished") && again.contains("at step 700"), "{again}");
    assert!(succeed(alrao(&format!("report {}", run.display()))).contains("report"));
}

#[test]
fn a_run_writes_summary_description_metrics_and_figures() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let text = succeed(alrao(&format!("{SMALL} --seed 3 --out {}", run.display())));
    assert!(text.contains("test return") && text.contains("plots/returns.svg"), "{text}");

    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["task"], "pendulum");
    assert_eq!(summary["seed"], 3);
    assert_eq!(summary["optimizer"], "alrao");
    assert_eq!(summary["steps"], 4000);
    assert_eq!(summary["diverged"], false);
    assert_eq!(summary["test"]["episodes"], 3);
    let random = summary["random_policy"]["return"]["mean"].as_f64().unwrap();
    assert!((-1900.0..-500.0).contains(&random), "{random}");

    let info: serde_json::Value = serde_json::from_str(&fs::read_to_string(run.join("run.json")).unwrap()).unwrap();
    let metric = serde_json::json!({"name": "return", "unit": null, "larger_is_better": true, "measure": "return"});
    let method = serde_json::json!({"name": "Alrao", "label": "Alrao", "rates": [1e-5, 10.0], "adaptive": true});
    let expected = serde_json::json!({"task": "pendulum", "seed": 3, "width": 1.0, "metric": metric, "method": method});
    assert_eq!(info, expected);

    assert_eq!(summary["lr_diagnostics"]["units"], 64);
    assert!(text.contains("suggested as single rate"), "{text}");

    let metrics = metrics(&run);
    let of = |kind: &str| metrics.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of("episode").len(), 20);
    assert_eq!(of("validation").len(), 6);
    let posterior: Vec<f64> = serde_json::from_value(of("update").last().unwrap()["posterior"].clone()).unwrap();
    assert_eq!(posterior.len(), 10);
    assert!((posterior.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(of("update")[0]["exploded_units"], 0);

    // evaluating the best checkpoint repeats the test
    let text = succeed(alrao(&format!("eval {}", run.display())));
    let mean = summary["test"]["return"]["mean"].as_f64().unwrap();
    assert!(text.contains("3 episodes of pendulum, seed 3") && text.contains(&format!("mean {mean:.1} ")), "{text}");
    let other = succeed(alrao(&format!("eval {} --episodes 2 --seed 9", run.display())));
    assert!(other.contains("2 episodes") && !other.contains(&format!("mean {mean:.1} ")), "{other}");

    let png = root.path().join("figure.png");
    succeed(alrao(&format!("plot {} --out {}", run.display(), png.display())));
    assert!(fs::read(&png).unwrap().starts_with(b"\x89PNG"));
    let (code, text) = outcome(alrao(&format!("plot {} --out figure.bmp", run.display())));
    assert!(code == 2 && text.contains("bmp"), "{code} {text}");
}

#[test]
fn a_far_too_large_learning_rate_diverges() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let words = "--set optimizer.kind=sgd --set optimizer.lr=1e30 --out";
    let text = succeed(alrao(&format!("{SMALL} {words} {}", run.display())));
    assert!(text.contains("diverged"), "{text}");
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("summary.json")).unwrap()).unwrap();
    let null = &serde_json::Value::Null;
    assert_eq!((&summary["diverged"], &summary["test"], &summary["lr_diagnostics"]), (&true.into(), null, null));

    let run = root.path().join("alrao");
    let words = "--set optimizer.lr_min=1e29 --set optimizer.lr_max=1e30 --set agent.max_relative_update=0 --out";
    let text = succeed(alrao(&format!("{SMALL} {words} {}", run.display())));
    assert!(text.contains("became non-finite") && text.contains("diverged"), "{text}");
}

#[test]
fn doctor_prints_versions_and_checks_training() {
    let text = succeed(alrao("doctor"));
    for word in ["libtorch   2.11.0", "libtorch_cpu.so", "CUDA", "threads", "training on the CPU works"] {
        assert!(text.contains(word), "no `{word}` in {text}");
    }
}
