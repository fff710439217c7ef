//! Mishaps of users: undefined numbers, budgets that are too short, numbers that are too large or negative.

use std::fs;
use std::path::{Path, PathBuf};

use crate::supervised::{alphabet, cats_and_dogs};
use crate::sweeps::SMALL_SWEEP;
use crate::{SMALL, alrao, edit_config, outcome, succeed};

fn refused(words: &str, expected: &[&str]) {
    let (code, said) = outcome(alrao(words));
    let lines = said.lines().count();
    assert!(code == 2 && lines < 8 && !said.contains("panicked"), "{words}: {code} {said}");
    assert!(expected.iter().all(|word| said.contains(word)), "{words}: {said}");
}

/// Trains a sweep of two short runs for each seed, and returns its directory.
fn small_sweep(root: &Path, seeds: &str) -> PathBuf {
    let (file, sweep) = (root.join("small.toml"), root.join("sweep"));
    fs::write(&file, SMALL_SWEEP).unwrap();
    let words = format!("sweep {} --seeds {seeds} --set schedule.steps=300 --out", file.display());
    succeed(alrao(&format!("{words} {}", sweep.display())));
    sweep
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn one_run_with_an_undefined_or_damaged_summary_spoils_no_other() {
    let root = tempfile::tempdir().unwrap();
    let sweep = small_sweep(root.path(), "0-1");
    let summary = |run: &str| sweep.join(run).join("summary.json");
    let text = fs::read_to_string(summary("pendulum-sgd-seed0")).unwrap();
    let mut values: serde_json::Value = serde_json::from_str(&text).unwrap();
    values["test"]["return"]["mean"] = serde_json::Value::Null; // as the program writes NaN
    fs::write(summary("pendulum-sgd-seed0"), values.to_string()).unwrap();
    fs::write(summary("pendulum-sgd-seed1"), "{").unwrap();
    let run = sweep.display();
    let table = succeed(alrao(&format!("table {run}")));
    assert!(table.contains("| sgd | - | 0 of 2 |") && table.contains("| 2 of 2 |"), "{table}");
    assert!(table.contains("pendulum, sgd: 1 of 2 runs failed"), "{table}");
    succeed(alrao(&format!("report {run}")));
    let (code, said) = outcome(alrao(&format!("sweep --resume {run}")));
    assert!(code == 1 && said.contains("1 of 4 runs failed"), "{code} {said}");
    let (code, said) = outcome(alrao(&format!("train --resume {run}/pendulum-sgd-seed1")));
    assert!(code == 1 && said.contains("summary.json is damaged: it is cut off; remove it, and have"), "{code} {said}");
}

#[test]
fn a_budget_shorter_than_an_episode_is_a_run_without_a_figure() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let words = "--set schedule.steps=150 --set agent.learning_starts=50 --set schedule.test_episodes=1";
    let said = succeed(alrao(&format!("{SMALL} {words} --out {}", run.display())));
    assert!(said.contains("no figure:") && said.contains("no finished episode"), "{said}");
    // One episode has no spread.
    assert!(said.contains(" ± - (1 episodes)"), "{said}");
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["test"]["return"]["std"], serde_json::Value::Null);
    assert!(succeed(alrao(&format!("eval {}", run.display()))).contains("std -"));
    assert!(succeed(alrao(&format!("train --resume {}", run.display()))).contains("already finished"));
}

#[test]
fn sizes_beyond_memory_are_refused_with_their_field() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let layers = format!("agent.network.hidden_sizes=[{}]", ["16384"; 400].join(","));
    for (set, field) in [
        ("optimizer.num_heads=1000000000", "num_heads"),
        ("environment.torques=1000000 --set optimizer.num_heads=10000", "outputs"),
        (&layers, "hidden_sizes"),
        ("agent.buffer_size=1000000000000000 --set agent.prioritized_replay.alpha=0.5", "agent.buffer_size"),
        ("agent.buffer_size=1000000000000000 --set schedule.steps=900000000000000", "agent.buffer_size"),
    ] {
        refused(&format!("train pendulum --set {set} --device cpu --out {}", out.display()), &[field, "GB"]);
    }
    assert!(!out.exists());
}

#[test]
fn torques_beyond_any_use_are_refused() {
    for torques in ["1000001", "100000000000", "9223372036854775807"] {
        for words in ["train pendulum --out never", "env check pendulum"] {
            refused(&format!("{words} --set environment.torques={torques}"), &["torques = ", "at most 1000000"]);
        }
    }
}

/// Also those that only one of several variants has.
#[test]
fn a_sweep_beyond_memory_is_refused_before_any_run() {
    let root = tempfile::tempdir().unwrap();
    let (file, out) = (root.path().join("huge.toml"), root.path().join("sweep"));
    let layers = format!("agent.network.hidden_sizes = [[{}]]", ["16384"; 400].join(", "));
    for (huge, words) in [
        ("optimizer.num_heads = 1_000_000_000", ["huge-seed0", "num_heads", "GB"]),
        (
            "agent.buffer_size = 1_000_000_000_000_000\nschedule.steps = 900_000_000_000_000",
            ["huge-seed0", "buffer_size", "GB"],
        ),
        ("environment.torques = 9_000_000_000", ["huge-seed0", "torques", "at most"]),
        (&layers, ["seed0", "hidden_sizes", "GB"]),
    ] {
        fs::write(&file, format!("{SMALL_SWEEP}\n[[variant]]\nname = \"huge\"\n{huge}")).unwrap();
        refused(&format!("sweep {} --out {}", file.display(), out.display()), &words);
        assert!(!out.exists());
    }
    let data = alphabet();
    fs::write(&file, "seeds = [0]\n[[task]]\nconfig = \"ptb-char\"\n[[variant]]\noptimizer.num_heads = 1_000_000_000")
        .unwrap();
    refused(
        &format!("sweep {} --data {} --out {}", file.display(), data.path().display(), out.display()),
        &["num_heads", "GB"],
    );
}

#[test]
fn a_damaged_list_of_runs_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let sweep = small_sweep(root.path(), "0");
    let list = sweep.join("sweep.jsonl");
    let good = fs::read_to_string(&list).unwrap();
    let twice = good.repeat(2);
    let elsewhere = good.replace("pendulum-sgd-seed0", "../../elsewhere");
    let no_config = r#"{"name":"a","task":"t","variant":"v","config":3}"#;
    let without_the_first = &good[good.find('\n').unwrap() + 1..];
    let without_the_last = &good[..good.trim_end().rfind('\n').unwrap() + 1];
    for (bad, problem) in [
        (&b""[..], "checksum"),
        (b"[]", "line 1: is damaged"),
        (b"[1,2,3,4]", "line 1: is damaged"),
        (b"\"x\"", "line 1: is damaged"),
        (b"null\n", "line 1: is damaged"),
        (b"caf\xe9", "line 1: is damaged"),
        (no_config.as_bytes(), "line 1: is damaged"),
        (&good.as_bytes()[..good.len() / 3], "line 1: is damaged"),
        (twice.as_bytes(), "line 3: is damaged"),
        (elsewhere.as_bytes(), "checksum"),
        (without_the_first.as_bytes(), "checksum"),
        (without_the_last.as_bytes(), "checksum"),
    ] {
        fs::write(&list, bad).unwrap();
        for words in ["table", "plot", "report", "sweep --resume"] {
            refused(&format!("{words} {}", sweep.display()), &["sweep.jsonl", problem, "restore it from a copy"]);
        }
    }
    fs::write(&list, good).unwrap();
    assert!(succeed(alrao(&format!("table {}", sweep.display()))).contains("| 1 of 1 |"));
}

#[test]
fn a_run_without_its_description_spoils_no_other() {
    let root = tempfile::tempdir().unwrap();
    let sweep = small_sweep(root.path(), "0-1");
    fs::remove_file(sweep.join("pendulum-sgd-seed1/run.json")).unwrap();
    edit_config(&sweep.join("pendulum-alrao-seed1"), "batch_size = 32", "batch_size = 31");
    let table = succeed(alrao(&format!("table {}", sweep.display())));
    assert_eq!(table.matches("1 of 2 runs failed").count(), 2, "{table}");
    assert!(table.contains("- pendulum-sgd-seed1: ") && table.contains("run.json"), "{table}");
    assert!(table.contains("- pendulum-alrao-seed1: ") && table.contains("its config.toml differs"), "{table}");
    succeed(alrao(&format!("plot {}", sweep.display())));
    succeed(alrao(&format!("report {}", sweep.display())));
    let (code, said) = outcome(alrao(&format!("sweep --resume {}", sweep.display())));
    assert!(code == 1 && said.contains("2 of 4 runs failed"), "{code} {said}");
}

#[test]
fn a_configuration_without_end_is_refused_and_a_pipe_is_read() {
    for words in ["sweep /dev/zero", "train /dev/zero"] {
        refused(words, &["/dev/zero: longer than 16 MB"]);
    }
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let program = env!("CARGO_BIN_EXE_alrao");
    let mut bash = std::process::Command::new("bash");
    let configuration = r#"[environment]\nname = "pendulum"\n[schedule]\nsteps = 0\n"#;
    bash.args(["-c", &format!("{program} train <(printf '{configuration}') --out {}", out.display())]);
    let (code, said) = outcome(bash);
    assert!(code == 2 && said.contains("schedule.steps"), "{code} {said}");
}

#[test]
fn integers_beyond_64_bits_are_called_so() {
    for seed in ["9223372036854775808", "-9223372036854775809"] {
        refused(&format!("train pendulum --set seed={seed}"), &["integers are at most 9223372036854775807"]);
    }
}

#[test]
fn images_beyond_memory_are_refused_with_their_field() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    let out = root.path().join("run");
    let words = "train imagenet-resnet50 --set data.image_size=100000 --device cpu";
    refused(&format!("{words} --data {} --out {}", data.path().display(), out.display()), &["data.image_size", "GB"]);
    assert!(!out.exists());
}

/// The text is long enough for absurd batches, and has many words.
#[test]
fn batches_of_text_beyond_memory_are_refused_with_their_field() {
    let (data, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let words = |count: usize| (0..count).map(|i| format!("w{} ", i % 100_000)).collect::<String>();
    for (name, count) in [("train", 300_000), ("valid", 3000), ("test", 3000)] {
        fs::write(data.path().join(format!("ptb.{name}.txt")), words(count)).unwrap();
    }
    let out = root.path().join("run");
    let train = |sets: &str| {
        format!("train ptb-word {sets} --device cpu --data {} --out {}", data.path().display(), out.display())
    };
    let sets = "--set data.batch_size=1000 --set data.bptt=1000000000000";
    refused(&train(sets), &["data.batch_size = 1000", "data.bptt", "1000 streams of 299 symbols", "GB"]);
    refused(&train("--set data.batch_size=9000000000000000000"), &["too few for 9000000000000000000 streams"]);
    assert!(!out.exists());
}

/// The first checkpoint of a run can't be written, as on a full disk, and the process of another can't be started.
#[test]
fn a_run_of_a_sweep_that_cannot_save_fails_alone_and_is_named() {
    let root = tempfile::tempdir().unwrap();
    let sweep = small_sweep(root.path(), "0-1");
    for seed in 0..2 {
        let run = sweep.join(format!("pendulum-sgd-seed{seed}"));
        fs::remove_file(run.join("summary.json")).unwrap();
        fs::remove_dir_all(run.join("checkpoints")).unwrap();
        if seed == 0 {
            fs::write(run.join("checkpoints"), "no directory").unwrap();
        }
    }
    let unstarted = sweep.join("pendulum-alrao-seed0");
    fs::remove_file(unstarted.join("summary.json")).unwrap();
    fs::remove_file(unstarted.join("process.log")).unwrap();
    fs::create_dir(unstarted.join("process.log")).unwrap();
    let (code, said) = outcome(alrao(&format!("sweep --resume {}", sweep.display())));
    assert!(
        code == 1 && said.contains("2 of 4 runs failed") && said.matches("| 1 of 2 |").count() == 2,
        "{code} {said}"
    );
    assert!(said.contains("pendulum-alrao-seed0: can't be started: "), "{said}");
    let failure = fs::read_to_string(sweep.join("pendulum-sgd-seed0/failure.txt")).unwrap();
    let reason = failure.lines().last().unwrap();
    assert_eq!(reason.matches("pendulum-sgd-seed0").count(), 1, "the path once: {failure}");
}

#[test]
fn a_negative_number_is_the_value_of_its_option() {
    for words in ["train pendulum --seed -1", "eval run --seed -1", "watch run --gif x.gif --seed -1"] {
        refused(words, &["'-1'", "--seed", "from 0"]);
    }
    refused("train pendulum --threads -1", &["'-1'", "--threads"]);
    refused("eval run --episodes -1", &["-1", "--episodes", "1..=10000"]);
}

#[test]
fn a_finished_run_is_not_extended_and_the_usage_says_so() {
    refused("train --resume run --set schedule.steps=9", &["cannot be used with", "alrao train --resume <DIR>"]);
    let help = succeed(alrao("train --help"));
    assert!(help.contains("longer run is a new one"), "{help}");
    assert!(help.contains("alrao train --resume <DIR> [--data <DIR>] [--accept-data]\n"), "{help}");
}

#[test]
fn a_training_of_overflowing_perplexity_ends_and_is_marked() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    let run = root.path().join("run");
    let words = "--set optimizer.kind=sgd --set optimizer.lr=1000 --set data.batch_size=4 --set data.bptt=10 \
                 --set training.max_epochs=2 --set training.log_every=1 --device cpu";
    let said =
        succeed(alrao(&format!("train ptb-char --data {} {words} --out {}", data.path().display(), run.display())));
    assert!(said.contains("plots/learning.svg") || said.contains("diverged"), "{said}");
    replace(&run.join("run.json"), "\"bits\"", "\"perplexity\"");
    succeed(alrao(&format!("plot {}", run.display())));
    succeed(alrao(&format!("report {}", run.display())));
}

/// A file that was cut at the end of a line is still TOML, and would mean the defaults.
#[test]
fn a_configuration_of_a_run_that_was_cut_or_changed_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    succeed(alrao(&format!("{SMALL} --set schedule.steps=300 --set agent.gamma=0.5 --out {}", run.display())));
    let file = run.join("config.toml");
    let whole = fs::read_to_string(&file).unwrap();
    fs::remove_file(run.join("summary.json")).unwrap();
    let cuts = whole.match_indices('\n').map(|(end, _)| &whole[..=end]).filter(|cut| *cut != whole);
    for (number, cut) in cuts.step_by(6).enumerate() {
        fs::write(&file, cut).unwrap();
        let words = if number % 2 == 0 { "eval" } else { "train --resume" };
        refused(&format!("{words} {}", run.display()), &["run/config.toml: ", "restore it from a copy"]);
    }
    fs::write(&file, whole.replace("gamma = 0.5", "gamma = 0.6")).unwrap();
    refused(&format!("train --resume {}", run.display()), &["differs from what alrao wrote, by its checksum"]);
    fs::remove_file(&file).unwrap();
    refused(&format!("train --resume {}", run.display()), &["run/config.toml: is missing; restore it from a copy"]);
    fs::write(&file, &whole).unwrap();
    succeed(alrao(&format!("train --resume {}", run.display())));
    let again = root.path().join("again");
    succeed(alrao(&format!("train {} --out {}", file.display(), again.display())));
    assert_eq!(fs::read_to_string(again.join("config.toml")).unwrap(), whole);
}

#[test]
fn a_setting_that_a_run_cannot_have_is_said_with_its_file() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    succeed(alrao(&format!("{SMALL} --set schedule.steps=300 --out {}", run.display())));
    fs::remove_file(run.join("summary.json")).unwrap();
    edit_config(&run, "buffer_size = 1500", "buffer_size = 10");
    refused(&format!("train --resume {}", run.display()), &["run/config.toml: agent.buffer_size = 10: must hold"]);
}

/// Whatever of a run can be read is shown; the rest is said, once, with what to do.
#[test]
fn a_report_or_plot_of_a_run_with_damaged_files_says_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    succeed(alrao(&format!("{SMALL} --set schedule.steps=900 --out {}", run.display())));
    let damages: [(&str, &str, &str, &str); 5] = [
        ("metrics.jsonl", "", "metrics.jsonl is missing or empty, but the run has finished; restore", "returns"),
        ("metrics.jsonl", "{\n{}\n", "metrics.jsonl, line 1 is damaged: it is cut off; restore", "posterior"),
        ("units.json", "{", "units.json is damaged: it is cut off; remove it and summary.json", "rates"),
        ("run.json", "7", "run.json is damaged: its value at line 1, column 1 is not what", "returns"),
        ("summary.json", "", "summary.json is damaged: it is empty; remove it", "returns"),
    ];
    for (file, text, words, figure) in damages {
        let whole = fs::read(run.join(file)).unwrap();
        fs::write(run.join(file), text).unwrap();
        refused(&format!("plot {} --figure {figure}", run.display()), &[words]);
        let (code, said) = outcome(alrao(&format!("report {}", run.display())));
        assert_eq!(code == 0, ["metrics.jsonl", "units.json"].contains(&file), "{code} {said}");
        assert_eq!(said.matches(words).count(), 1, "{said}");
        fs::write(run.join(file), whole).unwrap();
    }
    fs::remove_file(run.join("summary.json")).unwrap();
    fs::create_dir(run.join("summary.json")).unwrap();
    for words in ["report", "eval", "train --resume"] {
        let (_, said) = outcome(alrao(&format!("{words} {}", run.display())));
        assert!(!said.contains("damaged") && (words == "eval" || said.contains("can't read")), "{words}: {said}");
    }
}
