//! `cargo xtask gpu` on a machine without a GPU.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// Creates CIFAR-10's files, with black images of class 0.
fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let names = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];
    for name in names {
        let file = File::create(folder.path().join(format!("{name}.bin"))).unwrap();
        file.set_len(10_000 * 3073).unwrap();
    }
    folder
}

/// Runs the task and returns the exit code and the output.
fn gpu(words: &str, data: &Path, out: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("gpu").args(words.split_whitespace()).arg("--data").arg(data).arg("--out").arg(out);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text.into_owned())
}

#[test]
fn a_rehearsal_writes_results_and_resumes_trainings() {
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let out = folder.path().join("out");
    let rehearse = |only: &str| gpu(&format!("--rehearse --minutes 3 --only {only}"), data.path(), &out);
    let (code, text) = rehearse("mobilenet-alrao");
    assert_eq!(code, Some(0), "{text}");
    let results = fs::read_to_string(out.join("results/results.md")).unwrap();
    for part in ["CUDA tests passed", "| mobilenet-alrao | 2 |", "## Samples per second"] {
        assert!(results.contains(part), "{part}: {results}");
    }
    for file in ["mobilenet.svg", "logs/mobilenet-alrao.log", "logs/cuda-tests.log", "metrics/mobilenet-alrao.jsonl"] {
        assert!(out.join("results").join(file).exists(), "{file}");
    }

    // as if the time limit had been reached before the last epoch
    fs::remove_file(out.join("trainings/mobilenet-alrao/summary.json")).unwrap();
    let (code, text) = rehearse("mobilenet-alrao --skip-benchmarks");
    assert!(code == Some(0) && text.contains("mobilenet-alrao: resumed"), "{text}");
    assert!(text.contains("| mobilenet-alrao | 2 |") && !text.contains("Samples per second"), "{text}");

    fs::write(out.join("gpu.json"), r#"{"commit": "another", "rehearse": true}"#).unwrap();
    let (code, text) = rehearse("mobilenet-alrao");
    assert!(code == Some(2) && text.contains("another") && text.contains("--out"), "{text}");
    let (code, text) = rehearse("resnet");
    assert!(code == Some(2) && text.contains("--only selects none of mobilenet-alrao"), "{text}");
}

#[test]
fn without_a_gpu_it_is_an_error_before_any_file_is_written() {
    if Command::new("nvidia-smi").arg("-L").output().is_ok_and(|listed| listed.status.success()) {
        return;
    }
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let out = folder.path().join("out");
    let (code, text) = gpu("--minutes 5", data.path(), &out);
    assert!(code == Some(2) && text.contains("--rehearse") && !out.exists(), "{text}");
    for (words, named) in [("--minutes 0.1 --rehearse --jobs 0", "--jobs"), ("--minutes 0.2", "--minutes 0.2: must be")]
    {
        let (code, text) = gpu(words, data.path(), &out);
        assert!(code == Some(2) && text.contains(named) && !out.exists(), "{text}");
    }
    let (code, text) = gpu("--minutes 5", folder.path(), &out);
    assert!(code == Some(2) && text.contains("data_batch_1.bin") && !out.exists(), "{text}");
}
