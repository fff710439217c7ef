//! `alrao export`: what is in the files, and what is refused. `cargo xtask export` plays exported policies elsewhere.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use alrao::core::tch::{Kind, Tensor};
use alrao::{Catalog, Run};

use crate::supervised::alphabet;
use crate::{SMALL, alrao, outcome, succeed};

/// A short run with these settings besides.
fn train(run: &Path, sets: &str) {
    let words = "--set schedule.steps=500 --set schedule.validate_every=500 --set schedule.test_episodes=1";
    succeed(alrao(&format!("{SMALL} {words} {sets} --out {}", run.display())));
}

/// A network as the documentation writes it in PyTorch, on the tensors by PyTorch's names.
fn in_pytorch(tensors: &HashMap<String, Tensor>, x: &Tensor) -> Tensor {
    let linear = |i: usize, x: Tensor| x.linear(&tensors[&format!("{i}.weight")], Some(&tensors[&format!("{i}.bias")]));
    let normalize = |i: usize, x: Tensor| (x - &tensors[&format!("{i}.mean")]) / &tensors[&format!("{i}.std")];
    let hidden =
        |i, x| normalize(i + 3, linear(i, x).layer_norm([32], None::<Tensor>, None::<Tensor>, 1e-5, false).relu());
    linear(9, hidden(5, hidden(1, normalize(0, x.shallow_clone()))))
}

#[test]
fn a_safetensors_file_has_the_policy_by_pytorchs_names_and_in_raw_units() {
    let root = tempfile::tempdir().unwrap();
    // sums of five rewards, so that a few hundred updates bring the values near the returns
    for (name, sets) in
        [("linear", "--set agent.n_step=5"), ("dueling", "--set agent.n_step=5 --set agent.network.dueling=true")]
    {
        let (run, file) = (root.path().join(name), root.path().join(format!("{name}.safetensors")));
        train(&run, sets);
        let said = succeed(alrao(&format!("export {} --out {}", run.display(), file.display())));
        assert!(said.contains("observation [batch, 3] of f32 -> q_values [batch, 5]"), "{said}");
        let tensors: HashMap<_, _> = Tensor::read_safetensors(&file).unwrap().into_iter().collect();
        assert_eq!(tensors.len(), 3 * 2 + 3 * 2, "one head: {:?}", tensors.keys());

        let observations: Vec<f32> = (0..300).map(|i| (i as f32 * 0.7).sin()).collect();
        let found = in_pytorch(&tensors, &Tensor::from_slice(&observations).view([100, 3]));
        let ours = Run::open(&run, &Catalog::builtin()).unwrap().policy().unwrap();
        let ours = Tensor::from_slice(&ours.q_values(&observations, 100).unwrap()).view([100, 5]);
        let error = ((found - &ours).abs() / (ours.abs() + 1.0)).max().double_value(&[]);
        assert!(error < 1e-5, "{name}: {error}");
        // Rewards of Pendulum are about -6 a step, returns of 1,000 steps about -600 where gamma is 0.99.
        let mean = ours.mean(Kind::Float).double_value(&[]);
        assert!((-1_000.0..-10.0).contains(&mean), "{name}: raw units: {mean}");
    }
}

#[test]
fn a_run_is_exported_to_the_same_bytes_each_time() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    train(&run, "");
    for format in ["onnx", "safetensors"] {
        let files = ["first", "second"].map(|name| {
            let file = root.path().join(format!("{name}.{format}"));
            succeed(alrao(&format!("export {} --out {}", run.display(), file.display())));
            fs::read(file).unwrap()
        });
        assert!(files[0] == files[1], "{format}");
        let has = |word: &str| files[0].windows(word.len()).any(|bytes| bytes == word.as_bytes());
        assert!(has("pendulum") && has("frame_stack") && has("LayerNorm([32], elementwise_affine=False)"), "{format}");
    }
}

#[test]
fn every_episode_of_an_evaluation_is_in_its_json() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    train(&run, "");
    let eval = |words: &str| -> serde_json::Value {
        let out = alrao(&format!("eval {} {words} --json", run.display())).output().unwrap();
        assert!(out.status.success());
        serde_json::from_slice(&out.stdout).unwrap()
    };
    let json = eval("--episodes 3 --seed 18446744073709551615");
    assert_eq!((&json["task"], &json["seed"]), (&"pendulum".into(), &u64::MAX.into()));
    let returns: Vec<f64> = (0..3).map(|i| json["episodes"][i]["return"].as_f64().unwrap()).collect();
    let (test, mean) = (&json["test"], returns.iter().sum::<f64>() / 3.0);
    assert_eq!((test["episodes"].as_u64(), json["episodes"].as_array().unwrap().len()), (Some(3), 3));
    assert!((test["return"]["mean"].as_f64().unwrap() - mean).abs() < 1e-9);
    assert!(json["episodes"][0]["seed"].is_u64() && json["episodes"][0]["seed"] != json["episodes"][1]["seed"]);

    // Without options it repeats the run's test.
    let summary = fs::read_to_string(run.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(eval("")["test"], summary["test"]);
}

#[test]
fn what_cannot_be_exported_is_refused_and_leaves_no_file() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    train(&run, "");
    let out = root.path().join("out");
    fs::create_dir(&out).unwrap();
    let refused = |run: &Path, file: &str, code: i32, expected: &[&str]| {
        let words = format!("export {} --out {}", run.display(), out.join(file).display());
        let (found, said) = outcome(alrao(&words));
        let lines = said.lines().count();
        assert!(found == code && lines == 1 && said.starts_with("error: "), "{words}: {found} {said}");
        assert!(expected.iter().all(|word| said.contains(word)), "{words}: {said}");
    };
    refused(&run, "policy.pt", 2, &["policy.pt", ".onnx or .safetensors"]);
    refused(&run, "policy", 2, &["policy", ".onnx or .safetensors"]);
    refused(&run, "missing/policy.onnx", 2, &["missing/policy.onnx: can't be written: No such file"]);
    refused(root.path(), "policy.onnx", 2, &["not a run directory"]);
    refused(&root.path().join("none"), "policy.onnx", 2, &["not a run directory"]);
    fs::create_dir(out.join("directory.onnx")).unwrap();
    refused(&run, "directory.onnx", 2, &["directory.onnx: can't be written: Is a directory"]);
    fs::remove_dir(out.join("directory.onnx")).unwrap();
    let (code, said) = outcome(alrao(&format!("export {} --out /proc/policy.onnx", run.display())));
    assert!(code == 2 && said.contains("/proc/policy.onnx: can't be written"), "{code} {said}");

    let checkpoint = run.join("checkpoints/best/network.safetensors");
    let (before, words) =
        (fs::read(&checkpoint).unwrap(), format!("export {} --out {}", run.display(), checkpoint.display()));
    let (code, said) = outcome(alrao(&words));
    assert!(code == 2 && said.contains("is among a run's checkpoints; choose another file"), "{code} {said}");
    assert_eq!(fs::read(&checkpoint).unwrap(), before);
    let other = root.path().join("other");
    fs::create_dir_all(other.join("checkpoints")).unwrap();
    let of_other = other.join("checkpoints/last");
    fs::rename(run.join("checkpoints/last"), &of_other).unwrap();
    let words = format!("export {} --out {}/learner.safetensors", run.display(), of_other.display());
    let (code, said) = outcome(alrao(&words));
    assert!(code == 2 && said.contains("is among a run's checkpoints; choose another file"), "{code} {said}");
    fs::rename(&of_other, run.join("checkpoints/last")).unwrap();

    let data = alphabet();
    let text = root.path().join("text");
    let words = "--set training.max_epochs=1 --set data.batch_size=4 --set data.bptt=10 --device cpu";
    succeed(alrao(&format!("train ptb-char --data {} {words} --out {}", data.path().display(), text.display())));
    refused(&text, "policy.onnx", 2, &["ptb-char is supervised and has no agent"]);

    let best = run.join("checkpoints/best");
    let file = best.join("network.safetensors");
    let bytes = fs::read(&file).unwrap();
    let mut damaged = bytes.clone();
    *damaged.last_mut().unwrap() ^= 1;
    fs::write(&file, &damaged).unwrap();
    refused(&run, "policy.onnx", 1, &["network.safetensors is damaged"]);
    fs::write(&file, bytes).unwrap();
    fs::rename(&best, root.path().join("moved")).unwrap();
    refused(&run, "policy.onnx", 2, &["has lost its best checkpoint"]);
    fs::rename(root.path().join("moved"), &best).unwrap();
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "no file, and no temporary one");

    // As other outputs, a file that exists is replaced, and only by a whole one.
    let policy = out.join("policy.onnx");
    fs::write(&policy, "another").unwrap();
    refused(&text, "policy.onnx", 2, &["supervised"]);
    assert_eq!(fs::read_to_string(&policy).unwrap(), "another");
    succeed(alrao(&format!("export {} --out {}", run.display(), policy.display())));
    assert!(fs::metadata(&policy).unwrap().len() > 4 * (3 * 32 + 32 * 32 + 32 * 5));
}
