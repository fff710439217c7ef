//! A run from the first command to the last, and what it leaves behind.

use std::fs;

use crate::{SMALL, alrao, metrics, outcome, succeed};

#[test]
fn a_run_leaves_what_its_users_need() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let said = succeed(alrao(&format!("{SMALL} --seed 3 --out {}", run.display())));
    assert!(said.contains("test return") && said.contains("plots/returns.svg"), "{said}");

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
    let method = serde_json::json!({"name": "Alrao", "label": "Alrao", "rates": [1e-5, 10.0], "adaptive": false});
    let expected = serde_json::json!({"task": "pendulum", "seed": 3, "width": 1.0, "metric": metric, "method": method});
    assert_eq!(info, expected);

    assert_eq!(summary["lr_diagnostics"]["units"], 64);
    assert!(said.contains("suggested for SGD"), "{said}");

    let metrics = metrics(&run);
    let of = |kind: &str| metrics.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    assert_eq!(of("episode").len(), 20);
    assert_eq!(of("validation").len(), 6);
    let posterior: Vec<f64> = serde_json::from_value(of("update").last().unwrap()["posterior"].clone()).unwrap();
    assert_eq!(posterior.len(), 10);
    assert!((posterior.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(of("update")[0]["exploded_units"], 0);

    // The best network, played again, returns what the summary says.
    let said = succeed(alrao(&format!("eval {}", run.display())));
    let mean = summary["test"]["return"]["mean"].as_f64().unwrap();
    assert!(said.contains("3 episodes of pendulum, seed 3") && said.contains(&format!("mean {mean:.1} ")), "{said}");
    let other = succeed(alrao(&format!("eval {} --episodes 2 --seed 9", run.display())));
    assert!(other.contains("2 episodes") && !other.contains(&format!("mean {mean:.1} ")), "{other}");

    let png = root.path().join("figure.png");
    succeed(alrao(&format!("plot {} --out {}", run.display(), png.display())));
    assert!(fs::read(&png).unwrap().starts_with(b"\x89PNG"));
    let (code, said) = outcome(alrao(&format!("plot {} --out figure.bmp", run.display())));
    assert!(code == 2 && said.contains("bmp"), "{code} {said}");
}

#[test]
fn a_rate_that_is_far_too_large_ends_as_diverged() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let words = "--set optimizer.kind=sgd --set optimizer.lr=1e30 --out";
    let said = succeed(alrao(&format!("{SMALL} {words} {}", run.display())));
    assert!(said.contains("diverged"), "{said}");
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("summary.json")).unwrap()).unwrap();
    let null = &serde_json::Value::Null;
    assert_eq!((&summary["diverged"], &summary["test"], &summary["lr_diagnostics"]), (&true.into(), null, null));

    let run = root.path().join("alrao");
    let words = "--set optimizer.lr_min=1e29 --set optimizer.lr_max=1e30 --out";
    let said = succeed(alrao(&format!("{SMALL} {words} {}", run.display())));
    assert!(said.contains("became non-finite") && said.contains("diverged"), "{said}");
}

#[test]
fn the_doctor_says_what_there_is() {
    let said = succeed(alrao("doctor"));
    for word in ["libtorch   2.11.0", "libtorch_cpu.so", "CUDA", "threads", "datasets", "training on the CPU works"] {
        assert!(said.contains(word), "no `{word}` in {said}");
    }
}
