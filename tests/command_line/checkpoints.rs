//! Checkpoints that were damaged on the disk: every damage is refused or harmless, and the checkpoint before is used.

use std::fs;
use std::path::{Path, PathBuf};

use alrao::checkpoint::verify;
use rand::RngExt;

use crate::supervised::alphabet;
use crate::{SMALL, alrao, assert_same, killed_when, outcome, succeed};

/// Copies a directory with everything in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

fn flip(file: &Path, bit: usize) {
    let mut bytes = fs::read(file).unwrap();
    bytes[bit / 8] ^= 1 << (bit % 8);
    fs::write(file, bytes).unwrap();
}

/// A finished run and one that was killed after its second checkpoint.
fn runs(words: &str, root: &Path) -> (PathBuf, PathBuf) {
    let (whole, killed) = (root.join("whole"), root.join("killed"));
    succeed(alrao(&format!("{words} --out {}", whole.display())));
    killed_when(alrao(&format!("{words} --out {}", killed.display())), || {
        killed.join("checkpoints/previous/checksums").exists() && killed.join("checkpoints/last").exists()
    });
    (whole, killed)
}

fn files(checkpoint: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(checkpoint).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// Flips a thousand bits, one at a time, of the files of these checkpoints.
fn every_flip_is_found(checkpoints: &[PathBuf]) {
    let mut draws = alrao::core::streams::stream(0, "flips");
    let files: Vec<(PathBuf, u64)> = checkpoints
        .iter()
        .flat_map(|dir| files(dir))
        .map(|file| (file.clone(), fs::metadata(file).unwrap().len()))
        .collect();
    for flip_number in 0..1000 {
        let (file, bytes) = match flip_number % 2 {
            0 => &files[draws.random_range(0..files.len())],
            _ => {
                let at = draws.random_range(0..files.iter().map(|(_, bytes)| bytes).sum::<u64>());
                let mut before = 0;
                files.iter().find(|(_, bytes)| (before += bytes, at < before).1).unwrap()
            }
        };
        let bit = draws.random_range(0..8 * *bytes) as usize;
        flip(file, bit);
        let error = verify(file.parent().unwrap()).expect_err("a flipped bit");
        assert_eq!(&error.path, file, "bit {bit}");
        flip(file, bit);
    }
    checkpoints.iter().for_each(|checkpoint| assert!(verify(checkpoint).is_ok()));
}

/// Damages each file of the last checkpoint and then of the one before, too.
fn damage_is_survived_or_refused(whole: &Path, killed: &Path, damage: &dyn Fn(&Path)) {
    let root = tempfile::tempdir().unwrap();
    let copied = |name: &str| {
        let copied = root.path().join(name);
        copy(killed, &copied);
        copied
    };
    for (number, file) in files(&killed.join("checkpoints/last")).into_iter().enumerate() {
        let run = copied(&number.to_string());
        let damaged = run.join("checkpoints/last").join(file.file_name().unwrap());
        damage(&damaged);
        let said = succeed(alrao(&format!("train --resume {}", run.display())));
        assert!(said.contains(&damaged.display().to_string()) && said.contains("checkpoint before it"), "{said}");
        assert_same(whole, &run);
    }
    let run = copied("both");
    damage(&run.join("checkpoints/last/learner.safetensors"));
    damage(&run.join("checkpoints/previous/state.json"));
    let (code, said) = outcome(alrao(&format!("train --resume {}", run.display())));
    let words = ["last/learner.safetensors", "previous/state.json", "start the run over"];
    assert!(code == 1 && words.iter().all(|word| said.contains(word)), "{code} {said}");
    fs::remove_dir_all(run.join("checkpoints")).unwrap(); // as the message says
    succeed(alrao(&format!("train --resume {}", run.display())));
    assert_same(whole, &run);
}

#[test]
fn a_bit_that_flipped_in_an_agents_checkpoint_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let (whole, killed) = runs(SMALL, root.path());
    every_flip_is_found(&["best", "last", "previous"].map(|name| whole.join("checkpoints").join(name)));
    damage_is_survived_or_refused(&whole, &killed, &|file| flip(file, 8 * 50 + 3));

    let best = whole.join("checkpoints/best/network.safetensors");
    flip(&best, 8 * 1000);
    for words in ["eval", "watch --gif episode.gif"] {
        let (code, said) = outcome(alrao(&format!("{words} {}", whole.display())));
        assert!(code == 1 && said.contains(&format!("{} is damaged", best.display())), "{words}: {code} {said}");
    }
    let said = succeed(alrao(&format!("report {}", whole.display())));
    let warning = format!("no episode in the report: {} is damaged", best.display());
    assert!(said.lines().any(|line| line.starts_with(&warning)), "{said}");
    assert!(fs::read_to_string(whole.join("report.html")).unwrap().contains("network.safetensors is damaged"));
}

#[test]
fn a_supervised_checkpoint_that_is_missing_empty_truncated_or_flipped_is_noticed() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    let words = format!(
        "train ptb-char --data {} --set data.batch_size=4 --set data.bptt=10 --set training.max_epochs=4 --device cpu",
        data.path().display()
    );
    let (whole, killed) = runs(&words, root.path());
    every_flip_is_found(&["best", "last", "previous"].map(|name| whole.join("checkpoints").join(name)));
    damage_is_survived_or_refused(&whole, &killed, &|file| fs::remove_file(file).unwrap());
    damage_is_survived_or_refused(&whole, &killed, &|file| fs::write(file, "").unwrap());
    damage_is_survived_or_refused(&whole, &killed, &|file| {
        let half = fs::metadata(file).unwrap().len() / 2;
        fs::OpenOptions::new().write(true).open(file).unwrap().set_len(half).unwrap();
    });
}

/// Starts a small run and kills it after its second checkpoint.
fn killed(root: &Path) -> PathBuf {
    let run = root.join("killed");
    killed_when(alrao(&format!("{SMALL} --out {}", run.display())), || {
        ["best", "previous", "last"].iter().all(|name| run.join("checkpoints").join(name).exists())
    });
    run
}

fn resume(run: &Path) -> (i32, String) {
    outcome(alrao(&format!("train --resume {}", run.display())))
}

#[test]
fn checkpoints_that_cannot_be_reached_are_not_taken_as_absent() {
    let root = tempfile::tempdir().unwrap();
    let run = killed(root.path());
    let (checkpoints, elsewhere) = (run.join("checkpoints"), root.path().join("disk"));
    let log = fs::read(run.join("metrics.jsonl")).unwrap();
    let refused = |words: &[&str]| {
        let (code, said) = resume(&run);
        assert!(code == 1 && words.iter().all(|word| said.contains(word)), "{code} {said}");
        assert!(fs::read(run.join("metrics.jsonl")).unwrap() == log, "the log is as before");
    };
    fs::rename(&checkpoints, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &checkpoints).unwrap();
    fs::rename(&elsewhere, root.path().join("unmounted")).unwrap();
    refused(&["killed/checkpoints: links to", "disk, which isn't there; mount"]);
    fs::remove_file(&checkpoints).unwrap();
    fs::write(&checkpoints, "").unwrap();
    refused(&["killed/checkpoints/last: can't be reached: Not a directory"]);
    fs::remove_file(&checkpoints).unwrap();
    fs::create_dir(&checkpoints).unwrap(); // where the disk is mounted
    refused(&["killed/checkpoints: is empty", "mount", "start the run over"]);
    fs::remove_dir(&checkpoints).unwrap();
    fs::rename(root.path().join("unmounted"), &checkpoints).unwrap();
    let (code, said) = resume(&run);
    assert!(code == 0 && !said.contains("starts over"), "{code} {said}");
}

#[test]
fn a_run_without_a_checkpoint_says_that_it_starts_over() {
    let root = tempfile::tempdir().unwrap();
    let run = killed(root.path());
    fs::remove_dir_all(run.join("checkpoints")).unwrap();
    let (code, said) = outcome(alrao(&format!("eval {}", run.display())));
    assert!(code == 2 && said.contains("has lost its best checkpoint"), "{code} {said}");
    let (code, said) = resume(&run);
    assert!(code == 0 && said.contains("there is no checkpoint, so the run starts over"), "{code} {said}");
}

/// Somebody removed the large checkpoints of a finished run, then the summary.
#[test]
fn a_finished_run_without_a_checkpoint_does_not_start_over() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    succeed(alrao(&format!("{SMALL} --out {}", run.display())));
    for name in ["checkpoints/last", "checkpoints/previous"] {
        fs::remove_dir_all(run.join(name)).unwrap();
    }
    fs::remove_file(run.join("summary.json")).unwrap();
    let log = fs::read(run.join("metrics.jsonl")).unwrap();
    let (code, said) = resume(&run);
    assert!(
        code == 1 && said.contains("no checkpoint to resume from, but the run has results, in units.json"),
        "{code} {said}"
    );
    assert!(fs::read(run.join("metrics.jsonl")).unwrap() == log && run.join("checkpoints/best").exists());
}

/// The best network is in the last checkpoint, too; other commands use no other network in its stead.
#[test]
fn a_lost_best_checkpoint_is_said_and_restored_at_the_resumption() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    succeed(alrao(&format!("{SMALL} --out {}", run.display())));
    let best = run.join("checkpoints/best");
    let (network, summary) = (fs::read(best.join("network.safetensors")).unwrap(), run.join("summary.json"));
    let result = fs::read_to_string(&summary).unwrap();
    assert!(!run.join("checkpoints/best.old").exists(), "one best network is enough");
    fs::remove_dir_all(&best).unwrap();
    let of = |words: &str| outcome(alrao(&format!("{words} {}", run.display())));
    for words in ["eval", "watch --gif episode.gif", "export --out policy.onnx"] {
        let (code, said) = of(words);
        let hint = "has lost its best checkpoint; restore it from a copy, or remove summary.json and have `alrao train";
        assert!(code == 2 && said.contains(hint), "{words}: {code} {said}");
    }
    fs::remove_file(&summary).unwrap();
    let (code, said) = of("eval");
    assert!(code == 2 && said.contains("restores it from the last checkpoint"), "{code} {said}");
    for damage in [false, true] {
        if damage {
            fs::remove_file(&summary).unwrap();
            flip(&best.join("network.safetensors"), 8 * 1000);
        }
        let said = succeed(alrao(&format!("train --resume {}", run.display())));
        let problem = if damage { "network.safetensors is damaged" } else { "best/checksums is missing" };
        assert!(said.contains(problem) && said.contains("restored from the last checkpoint"), "{said}");
        assert!(fs::read(best.join("network.safetensors")).unwrap() == network);
        let tested = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["test"].clone();
        assert_eq!(tested(&fs::read_to_string(&summary).unwrap()), tested(&result));
    }
}

#[test]
fn a_lost_last_checkpoint_is_said() {
    let root = tempfile::tempdir().unwrap();
    let run = killed(root.path());
    let last = run.join("checkpoints/last");
    fs::remove_dir_all(&last).unwrap();
    let copied = root.path().join("copied");
    copy(&run, &copied);
    let (code, said) = resume(&run);
    assert!(
        code == 0 && said.contains("killed/checkpoints/last is missing; resuming from the checkpoint"),
        "{code} {said}"
    );
    fs::write(copied.join("checkpoints/last"), "no directory").unwrap();
    let (code, said) = resume(&copied);
    let words = "last/checksums can't be read: Not a directory (os error 20); resuming from the checkpoint before it";
    assert!(code == 0 && said.contains(words), "{code} {said}");
    fs::remove_dir_all(&last).unwrap();
    fs::write(&last, "no directory").unwrap();
    let (code, said) = resume(&run); // which has finished
    assert!(code == 0 && said.contains("no size of the checkpoints: "), "{code} {said}");
}

#[test]
fn a_log_that_was_damaged_is_refused_and_left_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let run = killed(root.path());
    let log = run.join("metrics.jsonl");
    let whole = fs::read(&log).unwrap();
    for damaged in [[b"garbage\n", &whole[..]].concat(), whole[1..].to_vec(), Vec::new()] {
        fs::write(&log, &damaged).unwrap();
        let (code, said) = resume(&run);
        let words = ["metrics.jsonl: ", "last checkpoint; restore it from a copy, or train the run again"];
        assert!(code == 1 && words.iter().all(|word| said.contains(word)), "{code} {said}");
        assert!(fs::read(&log).unwrap() == damaged);
    }
    fs::remove_file(&log).unwrap();
    let (code, said) = resume(&run);
    assert!(
        code == 1 && said.contains("metrics.jsonl: No such file or directory (os error 2); restore"),
        "{code} {said}"
    );
    fs::write(&log, whole).unwrap();
    fs::remove_dir_all(run.join("tensorboard")).unwrap();
    let (code, said) = resume(&run);
    assert!(code == 0 && said.contains("TensorBoard's curves begin at the last checkpoint"), "{code} {said}");
    assert_eq!(fs::read_dir(run.join("tensorboard")).unwrap().count(), 1);
}
