//! Usage errors: a clear message, exit code 2, and no files written or overwritten.

use std::fs;
use std::path::Path;

use crate::{SMALL, alrao, outcome};

/// Asserts that a command fails with a usage error that contains these words.
fn assert_usage_error(words: &str, expected: &[&str]) {
    let (code, text) = outcome(alrao(words));
    assert_eq!(code, 2, "{words}: {text}");
    assert!(!text.contains("panicked"), "{words}: {text}");
    for word in expected {
        assert!(text.contains(word), "{words}: no `{word}` in: {text}");
    }
}

#[test]
fn invalid_arguments_are_usage_errors() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("out");
    let train = |words: &str| format!("train {words} --out {}", out.display());
    assert_usage_error(&train("pendulm"), &["pendulm", "nearest", "pendulum"]);
    assert_usage_error(&train("pendulum --set schedule.stepz=1"), &["stepz", "steps"]);
    assert_usage_error(&train("pendulum --set agent.batch_size=many"), &["agent.batch_size=many", "string \"many\""]);
    assert_usage_error(&train("pendulum --set environment.torques=1"), &["torques"]);
    assert_usage_error(&train("pendulum --set agent.buffer_size=10"), &["agent.buffer_size", "batch"]);
    assert_usage_error(&train("pendulum --set agent.num_envs=0"), &["agent.num_envs = 0", "at least 1"]);
    assert_usage_error(
        &train("pendulum --set agent.num_envs=300 --set agent.buffer_size=200"),
        &["agent.num_envs = 300", "holds 200 transitions"],
    );
    assert_usage_error(&train("pendulum --set schedule.patience=0"), &["schedule.patience = 0", "at least 1"]);
    assert_usage_error(&train("pendulum --set schedule.stop_at=nan"), &["schedule.stop_at = NaN"]);
    let continuous = ["environment.name = pendulum-continuous", "discrete action space"];
    assert_usage_error("train continuous.toml", &["continuous.toml"]);
    let file = root.path().join("continuous.toml");
    fs::write(&file, "[environment]\nname = \"pendulum-continuous\"\n[schedule]\nsteps = 5000\n").unwrap();
    assert_usage_error(&train(&file.display().to_string()), &continuous);
    assert_usage_error(&train("pendulum --device cuda"), &["CUDA", "libtorch_cuda.so"]);
    assert_usage_error(&train("pendulum --device tpu"), &["tpu", "cuda:N"]);
    assert_usage_error(&train("pendulum --threads 0"), &["threads"]);
    assert_usage_error(&train("pendulum --threads 4000000000"), &["threads", "1024"]);
    assert_usage_error(
        &train("pendulum --set agent.network.hidden_sizes=[64,100000000]"),
        &["agent.network.hidden_sizes", "16384"],
    );
    assert_usage_error(&train("pendulum --set agent.gamma=nan"), &["agent.gamma = NaN", "at most 1"]);
    assert_usage_error(&train("pendulum --seed minus"), &["minus"]);
    assert_usage_error("train", &["train CONFIG", "\n  lunar-lander            LunarLander-v3 with", "\n  ptb-word"]);
    assert_usage_error("train lunar", &["the nearest built-in ones: lunar-lander, lunar-lander-continuous\n"]);
    assert_usage_error("man trian", &["`trian`", "new, train, eval"]);
    assert_usage_error("man env trace on", &["`trace` has no commands", "`on`"]);
    assert_usage_error("train pendulum --resume x", &["--resume"]);
    assert!(!out.exists());
}

#[test]
fn errors_in_a_file_name_the_line() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("mine.toml");
    let config = include_str!("../../configs/pendulum.toml");
    fs::write(&file, config.replace("torques = 5", "torques = 5\ncolour = \"red\"")).unwrap();
    assert_usage_error(&format!("train {}", file.display()), &["mine.toml", "line 6", "colour"]);
    fs::write(&file, config.replace("50_000", "\"50\"")).unwrap();
    assert_usage_error(&format!("train {}", file.display()), &["mine.toml", "line 8", "steps"]);
    fs::write(&file, "not toml").unwrap();
    assert_usage_error(&format!("train {}", file.display()), &["mine.toml", "line 1"]);
}

#[test]
fn existing_files_are_never_overwritten() {
    let root = tempfile::tempdir().unwrap();
    let taken = root.path().join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("precious"), "data").unwrap();
    assert_usage_error(&format!("{SMALL} --out {}", taken.display()), &["taken", "exists", "--resume"]);
    assert_eq!(fs::read_to_string(taken.join("precious")).unwrap(), "data");
    assert_eq!(fs::read_dir(&taken).unwrap().count(), 1);
    assert_usage_error(
        &format!("{SMALL} --out {}/precious/run", taken.display()),
        &["precious/run", "can't be created"],
    );
    assert_usage_error(&format!("{SMALL} --out /proc/run"), &["/proc/run", "can't be created"]);
}

#[test]
fn other_directories_are_not_run_directories() {
    let root = tempfile::tempdir().unwrap();
    let empty = root.path().display().to_string();
    for words in ["train --resume", "eval"] {
        assert_usage_error(&format!("{words} {empty}"), &[&empty, "not a run directory"]);
    }
    assert_usage_error(&format!("plot {empty}"), &[&empty, "neither a run directory", "nor a sweep directory"]);
    assert_usage_error(&format!("train {empty}"), &[&empty, "is a directory, neither a run's nor a configuration"]);
    fs::write(Path::new(&empty).join("config.toml"), "seed = true\n").unwrap();
    assert_usage_error(&format!("eval {empty}"), &["earlier alrao (of an unknown version)", "run.json"]);
    assert_usage_error(&format!("eval {empty}/config.toml"), &["config.toml: is a file, not a run directory"]);
    assert_usage_error(&format!("train {empty}"), &["is a run directory", &format!("train --resume {empty}`")]);
    let info = r#"{"task":"","seed":0,"width":1,
        "metric":{"name":"return","unit":null,"larger_is_better":true,"measure":"return"},
        "method":{"name":"","label":"","rates":[1,1],"adaptive":false}}"#;
    fs::write(Path::new(&empty).join("run.json"), info).unwrap();
    assert_usage_error(&format!("eval {empty}"), &["config.toml", "line 1"]);
}
