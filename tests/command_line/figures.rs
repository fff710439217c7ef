//! Figures and reports of runs and of sweeps, and what can't be drawn.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::{alrao, outcome, succeed};

/// Two tasks, two intervals of Alrao and a rate of SGD, each a second or two.
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

/// The sweep, run once.
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

fn refused(words: &str, expected: &[&str]) {
    let (code, said) = outcome(alrao(words));
    assert!(code == 2 && !said.contains("panicked"), "{words}: {code} {said}");
    assert!(expected.iter().all(|word| said.contains(word)), "{words}: {said}");
}

#[test]
fn every_figure_is_drawn() {
    let (sweep, run, root) = (sweep(), alrao_run(), tempfile::tempdir().unwrap());
    let out = root.path().join("figure.svg");
    let drawn = |words: &str| {
        succeed(alrao(&format!("plot {words} --out {}", out.display())));
        fs::read_to_string(&out).unwrap()
    };
    let task = format!("{} --task pendulum-hidden_sizes=16x16", sweep.display());
    assert!(drawn(&task).contains("\u{3b7} min"), "a sweep over intervals has a heat map");
    assert!(drawn(&format!("{task} --figure learning")).contains("training"));
    assert!(drawn(&format!("{task} --figure returns")).contains("3 runs"));
    let sgd = sweep.join("pendulum-hidden_sizes=16x16-sgd-seed0");
    assert!(drawn(&format!("{} {}", run.display(), sgd.display())).contains("2 runs"));
    assert!(drawn(&format!("{} --figure posterior", run.display())).contains("head weight"));
    assert!(drawn(&format!("{} --figure rates", run.display())).contains("layer 2 (16 units)"));
    let said = succeed(alrao(&format!("plot {}", run.display())));
    assert!(said.contains("plots/returns.svg") && run.join("plots/returns.svg").exists(), "{said}");
}

/// The rate of a unit bounds how far it gets: the slowest have hardly moved.
#[test]
fn a_run_tells_what_became_of_its_units() {
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
            let units = (0..16).filter(|&unit| (rate[unit] < 1e-3) == slow);
            units.map(|unit| change[unit] / size[unit]).fold(0.0, f64::max)
        };
        assert!(moved(true) < 0.05 && moved(false) > 0.05, "{} {}", moved(true), moved(false));
    }
    assert!(!sweep().join("pendulum-hidden_sizes=16x16-sgd-seed0/units.json").exists());
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let (sweep, run, root) = (sweep(), alrao_run(), tempfile::tempdir().unwrap());
    let (sweep, run, empty) = (sweep.display(), run.display(), root.path().display());
    refused(&format!("plot {empty}"), &["neither a run directory", "nor a sweep directory"]);
    refused(
        &format!("plot {sweep}"),
        &["several tasks", "--task", "cartpole-hidden_sizes=16x16, pendulum-hidden_sizes=16x16"],
    );
    refused(&format!("plot {sweep} --task pendulom"), &["--task pendulom", "pendulum-hidden_sizes=16x16"]);
    refused(&format!("plot {run} --task pendulum"), &["of sweeps only"]);
    refused(
        &format!("plot {run} {sweep}/cartpole-hidden_sizes=16x16-sgd-seed0"),
        &["pendulum", "cartpole", "one task"],
    );
    refused(&format!("plot {run} --figure heatmap"), &["optimizer.lr_min", "number here is 1"]);
    refused(&format!("plot {run} {run} --figure rates"), &["one run", "2"]);
    refused(
        &format!("plot {sweep}/pendulum-hidden_sizes=16x16-sgd-seed0 --figure rates"),
        &["units.json", "single learning rate"],
    );
    refused(&format!("plot {sweep}/pendulum-hidden_sizes=16x16-sgd-seed0 --figure posterior"), &["one head"]);
    refused(&format!("plot {run} --figure pie"), &["returns", "heatmap"]);
    refused(&format!("plot {run} --out {empty}/figure.pdf"), &["figure.pdf", ".svg", ".png"]);
    refused(&format!("plot {run} --out /proc/figure.svg"), &["can't write /proc/figure.svg"]);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    unfinished(root.path());
    refused(&format!("plot {empty}"), &["none of its 6 runs has finished"]);
}

/// The page of a directory, which refers to nothing beside itself.
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
fn a_run_is_reported() {
    let page = report(&alrao_run());
    for expected in [
        "<h1>pendulum, Alrao, seed 0</h1>",
        "-371 ± 36",
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
fn a_sweep_is_reported() {
    let page = report(&sweep());
    for expected in
        ["6 of 6 runs finished", "<h3>cartpole-hidden_sizes=16x16: test return", "\u{3b7} min", "training", "sgd-seed0"]
    {
        assert!(page.contains(expected), "{expected} is missing");
    }
}

#[test]
fn what_files_say_is_no_part_of_a_reports_page() {
    let root = tempfile::tempdir().unwrap();
    let (run, out) = (root.path().join("run"), root.path().join("report.html"));
    fs::create_dir(&run).unwrap();
    let evil = "<img src=x onerror=alert(1)>";
    for file in ["config.toml", "run.json"] {
        let text = fs::read_to_string(alrao_run().join(file)).unwrap();
        fs::write(run.join(file), text.replace("\"pendulum\"", &format!("\"{evil}\""))).unwrap();
    }
    fs::copy(alrao_run().join("metrics.jsonl"), run.join("metrics.jsonl")).unwrap();
    fs::copy(alrao_run().join("units.json"), run.join("units.json")).unwrap();
    succeed(alrao(&format!("report {} --out {}", run.display(), out.display())));
    let page = fs::read_to_string(&out).unwrap();
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;") && !page.contains("<img src=x"), "{page}");
    assert!(page.contains("Unfinished.") && page.contains("No episode to show"));
}

#[test]
fn what_cannot_be_reported_is_refused() {
    let (run, root) = (alrao_run(), tempfile::tempdir().unwrap());
    let (run, empty) = (run.display(), root.path().display());
    refused(&format!("report {empty}"), &["neither a run directory", "nor a sweep directory"]);
    refused(&format!("report {run} --out {empty}/no/such/folder.html"), &["folder.html", "can't be written"]);
    refused(&format!("report {run} --out {empty}"), &["can't be written"]);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    unfinished(root.path());
    refused(&format!("report {empty}"), &["none of its 6 runs has finished"]);
    assert!(!root.path().join("report.html").exists());
}

/// Neither a setting that there is no more nor a file that there was none of is told of as damage.
#[test]
fn a_run_of_the_version_before_is_said_to_be_one() {
    let root = tempfile::tempdir().unwrap();
    let copy = Command::new("cp").arg("-r").arg(sweep()).arg(root.path().join("sweep")).status().unwrap();
    assert!(copy.success());
    let (sweep, root) = (root.path().join("sweep"), root.path().display());
    let run = sweep.join("pendulum-hidden_sizes=16x16-alrao-lr_max=10-seed0");
    fs::remove_file(run.join("run.json")).unwrap();
    let before = concat!("written by an earlier alrao (", env!("CARGO_PKG_VERSION"));
    let sentence = [run.to_str().unwrap(), before, "run.json", "train the run again"];
    let list = fs::read_to_string(sweep.join("sweep.jsonl")).unwrap();
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    for setting in ["optimizer", "optimiser"] {
        fs::write(sweep.join("sweep.jsonl"), list.replace("optimizer", setting)).unwrap();
        fs::write(run.join("config.toml"), config.replace("optimizer", setting)).unwrap();
        let (sweep, run) = (sweep.display(), run.display());
        for words in [
            format!("plot {run}"),
            format!("report {run}"),
            format!("eval {run}"),
            format!("watch {run} --gif {root}/a.gif"),
            format!("train --resume {run}"),
            format!("table {sweep}"),
            format!("report {sweep}"),
        ] {
            let (code, said) = outcome(alrao(&words));
            assert!(code == 2 && said.trim_end().lines().count() == 1, "{words}: {code} {said}");
            assert!(sentence.iter().all(|part| said.contains(part)), "{words}: {said}");
        }
    }
}

/// A sweep directory whose runs have not begun.
fn unfinished(dir: &Path) {
    fs::copy(sweep().join("sweep.jsonl"), dir.join("sweep.jsonl")).unwrap();
}
