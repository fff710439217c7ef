//! `cargo xtask gpu` as far as a machine without a GPU can tell.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

/// CIFAR-10's files, all of it black aeroplanes.
fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let names = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"];
    for name in names {
        let file = File::create(folder.path().join(format!("{name}.bin"))).unwrap();
        file.set_len(10_000 * 3073).unwrap();
    }
    folder
}

/// Exit code, and what was said.
fn gpu(words: &str, data: &Path, out: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("gpu").args(words.split_whitespace()).arg("--data").arg(data).arg("--out").arg(out);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), said.into_owned())
}

#[test]
fn a_rehearsal_on_the_cpu_leaves_tables_curves_logs_and_trainings_to_go_on_with() {
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let out = folder.path().join("out");
    let rehearse = |only: &str| gpu(&format!("--rehearse --minutes 3 --only {only}"), data.path(), &out);
    let (code, said) = rehearse("mobilenet-alrao");
    assert_eq!(code, Some(0), "{said}");
    let results = fs::read_to_string(out.join("results/results.md")).unwrap();
    assert!(results.contains("CUDA tests passed") && results.contains("| mobilenet-alrao | 2 |"), "{results}");
    for file in ["mobilenet.svg", "logs/mobilenet-alrao.log", "logs/cuda-tests.log", "metrics/mobilenet-alrao.jsonl"] {
        assert!(out.join("results").join(file).exists(), "{file}");
    }

    // as if the time had been up, before the last epoch
    fs::remove_file(out.join("trainings/mobilenet-alrao/summary.json")).unwrap();
    let (code, said) = rehearse("mobilenet-alrao");
    assert!(code == Some(0) && said.contains("mobilenet-alrao: resumed"), "{said}");
    assert!(said.contains("| mobilenet-alrao | 2 |"), "{said}");

    fs::write(out.join("gpu.json"), r#"{"commit": "another", "rehearse": true}"#).unwrap();
    let (code, said) = rehearse("mobilenet-alrao");
    assert!(code == Some(2) && said.contains("another") && said.contains("--out"), "{said}");
    let (code, said) = rehearse("resnet");
    assert!(code == Some(2) && said.contains("--only selects none of mobilenet-alrao"), "{said}");
}

#[test]
fn without_a_gpu_nothing_is_made() {
    if Command::new("nvidia-smi").arg("-L").output().is_ok_and(|listed| listed.status.success()) {
        return;
    }
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let out = folder.path().join("out");
    let (code, said) = gpu("--minutes 5", data.path(), &out);
    assert!(code == Some(2) && said.contains("--rehearse") && !out.exists(), "{said}");
    for (words, named) in [("--minutes 0.1 --rehearse --jobs 0", "--jobs"), ("--minutes 0.2", "--minutes is 0.2")] {
        let (code, said) = gpu(words, data.path(), &out);
        assert!(code == Some(2) && said.contains(named) && !out.exists(), "{said}");
    }
    let (code, said) = gpu("--minutes 5", folder.path(), &out);
    assert!(code == Some(2) && said.contains("data_batch_1.bin") && !out.exists(), "{said}");
}
