//! Figures and reports of runs and sweeps, and their errors.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::{alrao, edit_config, outcome, succeed};

/// Returns a sweep file: two tasks, two learning-rate ranges of Alrao, and SGD; a run takes one or two seconds.
fn sweep_file() -> String {
    let task = |config: &str| {
        format!(
            r#"
[[task]]
config = "{config}"
schedule.steps = 600
schedule.validate_every = 250
schedule.log_every = 50
schedule.validation_episodes = 2
schedule.test_episodes = 3
agent.learning_starts = 200
agent.batch_size = 32
agent.buffer_size = 600
agent.network.hidden_sizes = [[16, 16]]
"#
        )
    };
    let variants = r#"
[[variant]]
optimizer.lr_max = [0.1, 10.0]

[[variant]]
optimizer.kind = "sgd"
optimizer.lr = 0.1
"#;
    format!("seeds = \"0\"\n{}{}{variants}", task("pendulum"), task("cartpole"))
}

/// Returns the sweep directory, after running the sweep once.
fn sweep() -> PathBuf {
    static DONE: LazyLock<PathBuf> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("figures");
        let _ = fs::remove_dir_all(&root);
        fs::create_dir_all(&root).unwrap();
        let (file, out) = (root.join("sweep.toml"), root.join("done"));
        fs::write(&file, sweep_file()).unwrap();
        succeed(alrao(&format!("sweep {} --jobs 2 --out {}", file.display(), out.display())));
        out
    });
    DONE.clone()
}

fn alrao_run() -> PathBuf {
    sweep().join("pendulum-hidden_sizes=16x16-alrao-lr_max=10-seed0")
}

fn assert_usage_error(words: &str, expected: &[&str]) {
    let (code, text) = outcome(alrao(words));
    assert!(code == 2 && !text.contains("panicked"), "{words}: {code} {text}");
    assert!(expected.iter().all(|word| text.contains(word)), "{words}: {text}");
}

#[test]
fn every_figure_is_drawn() {
    let (sweep, run, root) = (sweep(), alrao_run(), tempfile::tempdir().unwrap());
    let out = root.path().join("figure.svg");
    let drawn = |words: &str| {
        succeed(alrao(&format!("plot {words} --out {}", out.display())));
        fs::read_to_string(&out).unwrap()
    };
    let twice = format!("{} {}/.", run.display(), run.display());
    assert_eq!(drawn(&twice), drawn(&run.display().to_string()), "a run that is given twice counts once");
    let task = format!("{} --task pendulum-hidden_sizes=16x16", sweep.display());
    assert!(drawn(&task).contains("\u{3b7} min"), "a sweep over intervals has a heat map");
    assert!(drawn(&format!("{task} --figure learning")).contains("training"));
    assert!(drawn(&format!("{task} --figure returns")).contains("3 runs"));
    let sgd = sweep.join("pendulum-hidden_sizes=16x16-sgd-seed0");
    assert!(drawn(&format!("{} {}", run.display(), sgd.display())).contains("2 runs"));
    assert!(drawn(&format!("{} --figure posterior", run.display())).contains("head weight"));
    assert!(drawn(&format!("{} --figure rates", run.display())).contains("layer 2 (16 units)"));
    let text = succeed(alrao(&format!("plot {}", run.display())));
    assert!(text.contains("plots/returns.svg") && run.join("plots/returns.svg").exists(), "{text}");
}

/// A unit's learning rate limits its change.
#[test]
fn a_run_writes_the_final_state_of_its_units() {
    let text = fs::read_to_string(alrao_run().join("units.json")).unwrap();
    let units: serde_json::Value = serde_json::from_str(&text).unwrap();
    let layers = units["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 2);
    let numbers = |layer: &serde_json::Value, field: &str| -> Vec<f64> {
        layer[field].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    };
    for layer in layers {
        let (rate, size, change) = (numbers(layer, "lr"), numbers(layer, "initial_rms"), numbers(layer, "change_rms"));
        assert_eq!([rate.len(), size.len(), change.len()], [16; 3]);
        assert!(rate.iter().all(|rate| (1e-5..=10.0).contains(rate)), "{rate:?}");
        let moved = |slow: bool| {
            let units = (0..16).filter(|&unit| (rate[unit] < 1e-4) == slow);
            units.map(|unit| change[unit] / size[unit]).fold(0.0, f64::max)
        };
        assert!(moved(true) < 0.05 && moved(false) > 0.05, "{} {}", moved(true), moved(false));
    }
    assert!(!sweep().join("pendulum-hidden_sizes=16x16-sgd-seed0/units.json").exists());
}

#[test]
fn figures_that_cannot_be_drawn_are_usage_errors() {
    let (sweep, run, root) = (sweep(), alrao_run(), tempfile::tempdir().unwrap());
    let (sweep, run, empty) = (sweep.display(), run.display(), root.path().display());
    assert_usage_error(&format!("plot {empty}"), &["neither a run directory", "nor a sweep directory"]);
    assert_usage_error(
        &format!("plot {sweep}"),
        &["several tasks", "--task", "cartpole-hidden_sizes=16x16, pendulum-hidden_sizes=16x16"],
    );
    assert_usage_error(&format!("plot {sweep} --task pendulom"), &["--task pendulom", "pendulum-hidden_sizes=16x16"]);
    assert_usage_error(&format!("plot {run} --task pendulum"), &["of sweeps only"]);
    assert_usage_error(
        &format!("plot {run} {sweep}/cartpole-hidden_sizes=16x16-sgd-seed0"),
        &["pendulum", "cartpole", "one task"],
    );
    assert_usage_error(&format!("plot {run} --figure heatmap"), &["optimizer.lr_min", "number here is 1"]);
    assert_usage_error(
        &format!("plot {run} {sweep}/pendulum-hidden_sizes=16x16-sgd-seed0 --figure rates"),
        &["one run", "2"],
    );
    assert_usage_error(
        &format!("plot {sweep}/pendulum-hidden_sizes=16x16-sgd-seed0 --figure rates"),
        &["units.json", "learning rate for each unit"],
    );
    assert_usage_error(
        &format!("plot {sweep}/pendulum-hidden_sizes=16x16-sgd-seed0 --figure posterior"),
        &["one head"],
    );
    assert_usage_error(&format!("plot {run} --figure pie"), &["returns", "heatmap"]);
    assert_usage_error(&format!("plot {run} --out {empty}/figure.pdf"), &["figure.pdf", ".svg", ".png"]);
    assert_usage_error(&format!("plot {run} --out /proc/figure.svg"), &["/proc/figure.svg: can't be written"]);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    unfinished(root.path());
    assert_usage_error(&format!("plot {empty}"), &["none of its 6 runs has finished"]);
}

/// Returns the report of a directory, after checking that it is self-contained.
fn report(directory: &Path) -> String {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("report.html");
    succeed(alrao(&format!("report {} --out {}", directory.display(), out.display())));
    let page = fs::read_to_string(&out).unwrap();
    let addresses: Vec<&str> = page.split("http").skip(1).filter(|rest| rest.starts_with("://")).collect();
    assert!(addresses.iter().all(|rest| rest.starts_with("://www.w3.org/2000/svg")), "only the name of SVG");
    assert!(!page.contains("<link") && !page.contains("url(") && !page.contains("src=\"h"));
    page
}

#[test]
fn the_report_of_a_run_has_all_sections() {
    let page = report(&alrao_run());
    for expected in [
        "<h1>pendulum, Alrao, seed 0</h1>",
        "head weight",
        "heads effective",
        "layer 2 (16 units)",
        "src=\"data:image/gif;base64,R0lGOD",
        "prefers-color-scheme: dark",
        "[optimizer]",
        "libtorch 2.11",
    ] {
        assert!(page.contains(expected), "{expected} is missing");
    }
}

#[test]
fn the_report_of_a_sweep_has_all_sections() {
    let page = report(&sweep());
    for expected in
        ["6 of 6 runs finished", "<h3>cartpole-hidden_sizes=16x16: test return", "\u{3b7} min", "training", "sgd-seed0"]
    {
        assert!(page.contains(expected), "{expected} is missing");
    }
}

#[test]
fn reports_escape_the_text_of_files() {
    let root = tempfile::tempdir().unwrap();
    let (run, out) = (root.path().join("run"), root.path().join("report.html"));
    fs::create_dir(&run).unwrap();
    let evil = "<img src=x onerror=alert(1)>";
    for file in ["config.toml", "run.json"] {
        let text = fs::read_to_string(alrao_run().join(file)).unwrap();
        fs::write(run.join(file), text.replace("\"pendulum\"", &format!("\"{evil}\""))).unwrap();
    }
    edit_config(&run, "", "");
    fs::copy(alrao_run().join("metrics.jsonl"), run.join("metrics.jsonl")).unwrap();
    fs::copy(alrao_run().join("units.json"), run.join("units.json")).unwrap();
    succeed(alrao(&format!("report {} --out {}", run.display(), out.display())));
    let page = fs::read_to_string(&out).unwrap();
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;") && !page.contains("<img src=x"), "{page}");
    assert!(page.contains("Unfinished.") && page.contains("No episode to show"));
}

#[test]
fn reports_that_cannot_be_written_are_usage_errors() {
    let (run, root) = (alrao_run(), tempfile::tempdir().unwrap());
    let (run, empty) = (run.display(), root.path().display());
    assert_usage_error(&format!("report {empty}"), &["neither a run directory", "nor a sweep directory"]);
    assert_usage_error(
        &format!("report {run} --out {empty}/no/such/folder.html"),
        &["folder.html", "can't be written"],
    );
    let config = alrao_run().join("config.toml");
    let before = fs::read(&config).unwrap();
    assert_usage_error(&format!("report {run} --out {}", config.display()), &["must end with .html"]);
    assert!(fs::read(&config).unwrap() == before, "the run's configuration was replaced");
    assert_usage_error(&format!("report {run} --out {empty}"), &["can't be written"]);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    unfinished(root.path());
    assert_usage_error(&format!("report {empty}"), &["none of its 6 runs has finished"]);
    assert!(!root.path().join("report.html").exists());
}

#[test]
fn damaged_runs_of_a_sweep_are_named() {
    let root = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(sweep()).arg(root.path().join("sweep")).status().unwrap();
    assert!(copied.success());
    let sweep = root.path().join("sweep");
    let runs: Vec<PathBuf> =
        fs::read_dir(&sweep).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    let damage = |run: &Path| fs::write(run.join("summary.json"), "").unwrap();
    damage(&runs[0]);
    for words in ["plot --task pendulum-hidden_sizes=16x16", "report"] {
        let said = succeed(alrao(&format!("{words} {}", sweep.display())));
        let name = runs[0].file_name().unwrap().to_str().unwrap();
        assert!(said.contains("5 of 6 runs finished, 1 failed") && said.contains(name), "{words}: {said}");
    }
    runs.iter().for_each(|run| damage(run));
    for words in ["plot", "report"] {
        let expected = ["none of its 6 runs has finished, 6 failed", "summary.json"];
        assert_usage_error(&format!("{words} {}", sweep.display()), &expected);
    }
}

/// Renamed settings and the missing `run.json` are not reported as corruption.
#[test]
fn runs_of_earlier_versions_are_usage_errors_that_name_the_version() {
    let root = tempfile::tempdir().unwrap();
    let copy = Command::new("cp").arg("-r").arg(sweep()).arg(root.path().join("sweep")).status().unwrap();
    assert!(copy.success());
    let (sweep, root) = (root.path().join("sweep"), root.path().display());
    let run = sweep.join("pendulum-hidden_sizes=16x16-alrao-lr_max=10-seed0");
    fs::remove_file(run.join("run.json")).unwrap();
    let sentence = [run.to_str().unwrap(), "written by an earlier alrao (0.0.7", "run.json", "train the run again"];
    let list = fs::read_to_string(sweep.join("sweep.jsonl")).unwrap();
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    let config = config.replace(concat!("alrao = \"", env!("CARGO_PKG_VERSION")), "alrao = \"0.0.7");
    for setting in ["optimizer", "optimiser"] {
        fs::write(sweep.join("sweep.jsonl"), list.replace("optimizer", setting)).unwrap();
        fs::write(run.join("config.toml"), config.replace("optimizer", setting)).unwrap();
        let (sweep, run) = (sweep.display(), run.display());
        if setting == "optimizer" {
            let table = succeed(alrao(&format!("table {sweep}"))); // one run spoils no other
            assert!(sentence.iter().all(|part| table.contains(part)), "{table}");
        }
        for words in [
            format!("plot {run}"),
            format!("report {run}"),
            format!("eval {run}"),
            format!("watch {run} --gif {root}/a.gif"),
            format!("train --resume {run}"),
            format!("table {sweep}"),
            format!("report {sweep}"),
        ] {
            if setting == "optimizer" && words.ends_with("sweep") {
                continue;
            }
            let (code, text) = outcome(alrao(&words));
            assert!(code == 2 && text.trim_end().lines().count() == 1, "{words}: {code} {text}");
            assert!(sentence.iter().all(|part| text.contains(part)), "{words}: {text}");
        }
    }
}

/// Creates a sweep directory without finished runs.
fn unfinished(dir: &Path) {
    fs::copy(sweep().join("sweep.jsonl"), dir.join("sweep.jsonl")).unwrap();
}
