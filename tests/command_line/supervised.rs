//! Networks that learn from data, from the first command to the last.

use std::fs;
use std::path::Path;

use crate::{alrao, metrics, outcome, succeed};

/// Three texts of the alphabet, over and over.
fn alphabet() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, times) in [("train", 60), ("valid", 8), ("test", 8)] {
        let text = "abcdefghijklmnopqrstuvwxyz\n".repeat(times);
        fs::write(folder.path().join(format!("ptb.{name}.txt")), text).unwrap();
    }
    folder
}

/// Dark cats and bright dogs, 60 of each to learn from and 12 to test by.
fn cats_and_dogs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (part, count) in [("train", 60), ("val", 12)] {
        for (class, grey) in [("cat", 20), ("dog", 150)] {
            let class = folder.path().join(part).join(class);
            fs::create_dir_all(&class).unwrap();
            for i in 0..count {
                let mut file = Vec::new();
                let mut encoder = png::Encoder::new(&mut file, 40, 36);
                encoder.set_color(png::ColorType::Grayscale);
                let pixels: Vec<u8> = (0..40 * 36).map(|at| grey + (at * 7 + i * 13) as u8 % 80).collect();
                encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
                fs::write(class.join(format!("{i}.JPEG")), file).unwrap();
            }
        }
    }
    folder
}

fn summary(run: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(run.join("summary.json")).unwrap()).unwrap()
}

#[test]
fn a_text_is_learnt_evaluated_and_plotted() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    let (run, data) = (root.path().join("run"), data.path().display());
    let words = "--set data.batch_size=4 --set data.bptt=10 --set training.max_epochs=8 --set training.log_every=20 --device cpu";
    let said = succeed(alrao(&format!("train ptb-char --data {data} {words} --out {}", run.display())));
    assert!(said.contains("bits per character") && said.contains("plots/learning.svg"), "{said}");
    let summary = summary(&run);
    assert_eq!((&summary["task"], &summary["epochs"]), (&"ptb-char".into(), &8.into()));
    let bits = summary["test"]["bits_per_char"].as_f64().unwrap();
    assert!(bits < 4.7, "{bits}: 27 symbols by chance");
    let epochs = metrics(&run).into_iter().filter(|line| line["kind"] == "epoch");
    assert_eq!(epochs.count(), 8);

    let said = succeed(alrao(&format!("eval {}", run.display())));
    assert!(said.contains(&format!("test of ptb-char: {bits:.3} bits per character")), "{said}");
    let (code, said) = outcome(alrao(&format!("eval {} --episodes 5", run.display())));
    assert!(code == 2 && said.contains("--episodes"), "{code} {said}");
    let (code, said) = outcome(alrao(&format!("eval {} --data {}", run.display(), root.path().display())));
    assert!(code == 2 && said.contains("ptb.train.txt"), "{code} {said}");

    let figure = fs::read_to_string(run.join("plots/learning.svg")).unwrap();
    assert!(figure.contains("bits per character") && figure.contains("validation"));
    let png = root.path().join("both.png");
    succeed(alrao(&format!("plot {0} {0} --out {1}", run.display(), png.display())));
    assert!(fs::read(&png).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn images_are_learnt_without_the_damaged_one() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    let run = root.path().join("run");
    let damaged = data.path().join("val/cat/7.JPEG");
    let whole = fs::read(&damaged).unwrap();
    fs::write(&damaged, &whole[..100]).unwrap();
    let words = "--set data.image_size=32 --set data.batch_size=16 --set model.width_factor=0.03 --set training.max_epochs=3 --device cpu";
    let train = |config: &str, out: &Path| {
        outcome(alrao(&format!("train {config} --data {} {words} --out {}", data.path().display(), out.display())))
    };
    let (code, said) = train("imagenet-resnet50", &run);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("7.JPEG: corrupt PNG") && said.contains("skipped"), "{said}");
    assert_eq!(summary(&run)["task"], "imagenet-resnet50");

    fs::write(data.path().join("train/dog/3.JPEG"), "a dog").unwrap();
    fs::write(data.path().join("train/dog/4.JPEG"), "another dog").unwrap();
    let (code, said) = train("imagenet-resnet50", &root.path().join("too-many"));
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("2 of 144 images are corrupt") && said.contains("neither JPEG nor PNG"), "{said}");
}

#[test]
fn a_run_whose_validation_never_came_to_a_number_has_diverged() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    let run = root.path().join("run");
    let words = "--set model.architecture=small-cnn --set data.image_size=32 --set data.batch_size=16 --set training.max_epochs=2 \
                 --set optimizer.kind=sgd --set optimizer.lr=3e3 --device cpu";
    let said = succeed(alrao(&format!(
        "train imagenet-resnet50 --data {} {words} --out {}",
        data.path().display(),
        run.display()
    )));
    assert!(said.contains("none: diverged"), "{said}");
    assert_eq!((&summary(&run)["diverged"], &summary(&run)["test"]), (&true.into(), &serde_json::Value::Null));
}

#[test]
fn what_cannot_be_learnt_is_refused() {
    let (text, images, root) = (alphabet(), cats_and_dogs(), tempfile::tempdir().unwrap());
    let out = root.path().join("out");
    let refused = |config: &str, data: Option<&Path>, expected: &[&str]| {
        let data = data.map_or(String::new(), |data| format!("--data {}", data.display()));
        let (code, said) = outcome(alrao(&format!("train {config} {data} --out {}", out.display())));
        assert!(code == 2 && !said.contains("panicked"), "{config} {data}: {code} {said}");
        assert!(expected.iter().all(|word| said.contains(word)), "{config} {data}: {said}");
    };
    let (text, images) = (Some(text.path()), Some(images.path()));
    refused("ptb-word", None, &["--data"]);
    refused("ptb-word", images, &["ptb.train.txt", "train, val"]);
    refused("cifar10-vgg19", text, &["data_batch_1.bin", "ptb.test.txt"]);
    refused("imagenet-alexnet", text, &["train/CLASS", "ptb.test.txt"]);
    refused("imagenet-alexnet --set data.image_size=32", images, &["alexnet", "63 pixels", "32"]);
    refused("cifar10-mobilenet --set model.version=3", images, &["model.version = 3"]);
    refused("cifar10-mobilenet --set model.architecture=resnet", images, &["resnet", "resnet50"]);
    refused("cifar10-mobilenet --set data.batch_size=1", images, &["data.batch_size = 1", "2"]);
    refused("ptb-char --set model.channels_last=true", text, &["model.channels_last"]);
    refused("ptb-char --set optimizer.max_grad_norm=0", text, &["optimizer.max_grad_norm = 0"]);
    refused("pendulum", text, &["--data", "needs no dataset"]);
    assert!(!out.exists());
}
