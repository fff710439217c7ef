//! Wrong requests: a clear sentence, exit code 2, nothing made and nothing overwritten.

use std::fs;
use std::path::Path;

use crate::{SMALL, alrao, outcome};

/// Asserts that a request is refused with these words, and that nothing panicked.
fn refused(words: &str, expected: &[&str]) {
    let (code, said) = outcome(alrao(words));
    assert_eq!(code, 2, "{words}: {said}");
    assert!(!said.contains("panicked"), "{words}: {said}");
    for word in expected {
        assert!(said.contains(word), "{words}: no `{word}` in: {said}");
    }
}

#[test]
fn a_request_that_makes_no_sense_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let train = |words: &str| format!("train {words} --out {}", out.display());
    refused(&train("pendulm"), &["pendulm", "nearest", "pendulum"]);
    refused(&train("pendulum --set schedule.stepz=1"), &["stepz", "steps"]);
    refused(&train("pendulum --set agent.batch_size=many"), &["agent.batch_size=many", "string \"many\""]);
    refused(&train("pendulum --set environment.torques=1"), &["torques"]);
    refused(&train("pendulum --set agent.buffer_size=10"), &["agent.buffer_size", "batch"]);
    let continuous = ["environment.name = pendulum-continuous", "discrete action space"];
    refused("train continuous.toml", &["continuous.toml"]);
    let file = root.path().join("continuous.toml");
    fs::write(&file, "[environment]\nname = \"pendulum-continuous\"\n[schedule]\nsteps = 5000\n").unwrap();
    refused(&train(&file.display().to_string()), &continuous);
    refused(&train("pendulum --device cuda"), &["CUDA", "libtorch_cuda.so"]);
    refused(&train("pendulum --device tpu"), &["tpu", "cuda:N"]);
    refused(&train("pendulum --threads 0"), &["threads"]);
    refused(&train("pendulum --threads 4000000000"), &["threads", "1024"]);
    refused(
        &train("pendulum --set agent.network.hidden_sizes=[64,100000000]"),
        &["agent.network.hidden_sizes", "16384"],
    );
    refused(&train("pendulum --set agent.gamma=nan"), &["agent.gamma = NaN", "at most 1"]);
    refused(&train("pendulum --seed minus"), &["minus"]);
    refused("train", &["CONFIG"]);
    refused("train pendulum --resume x", &["--resume"]);
    assert!(!out.exists());
}

#[test]
fn a_mistake_in_a_file_is_named_with_its_line() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("mine.toml");
    let config = include_str!("../../configs/pendulum.toml");
    fs::write(&file, config.replace("torques = 5", "torques = 5\ncolour = \"red\"")).unwrap();
    refused(&format!("train {}", file.display()), &["mine.toml", "line 6", "colour"]);
    fs::write(&file, config.replace("50_000", "\"50\"")).unwrap();
    refused(&format!("train {}", file.display()), &["mine.toml", "line 8", "steps"]);
    fs::write(&file, "not toml").unwrap();
    refused(&format!("train {}", file.display()), &["mine.toml", "line 1"]);
}

#[test]
fn what_exists_is_never_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let taken = root.path().join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("precious"), "data").unwrap();
    refused(&format!("{SMALL} --out {}", taken.display()), &["taken", "exists", "--resume"]);
    assert_eq!(fs::read_to_string(taken.join("precious")).unwrap(), "data");
    assert_eq!(fs::read_dir(&taken).unwrap().count(), 1);
    refused(&format!("{SMALL} --out {}/precious/run", taken.display()), &["precious/run", "can't be created"]);
    refused(&format!("{SMALL} --out /proc/run"), &["/proc/run", "can't be created"]);
}

#[test]
fn what_is_no_run_directory_is_said_to_be_none() {
    let root = tempfile::tempdir().unwrap();
    let empty = root.path().display().to_string();
    for words in ["train --resume", "eval"] {
        refused(&format!("{words} {empty}"), &[&empty, "not a run directory"]);
    }
    refused(&format!("plot {empty}"), &[&empty, "neither a run directory", "nor a sweep directory"]);
    fs::write(Path::new(&empty).join("config.toml"), "seed = true\n").unwrap();
    refused(&format!("eval {empty}"), &["earlier alrao (of an unknown version)", "run.json"]);
    let info = r#"{"task":"","seed":0,"width":1,
        "metric":{"name":"return","unit":null,"larger_is_better":true,"measure":"return"},
        "method":{"name":"","label":"","rates":[1,1],"adaptive":false}}"#;
    fs::write(Path::new(&empty).join("run.json"), info).unwrap();
    refused(&format!("eval {empty}"), &["config.toml", "line 1"]);
}
