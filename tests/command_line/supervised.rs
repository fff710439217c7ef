//! Supervised runs: training, evaluation and plots.

use std::fs;
use std::path::Path;

use crate::{alrao, metrics, outcome, succeed};

/// Creates a text dataset of the repeated alphabet.
pub(crate) fn alphabet() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, times) in [("train", 60), ("valid", 8), ("test", 8)] {
        let text = "abcdefghijklmnopqrstuvwxyz\n".repeat(times);
        fs::write(folder.path().join(format!("ptb.{name}.txt")), text).unwrap();
    }
    folder
}

/// Creates an image folder of dark cats and bright dogs, with 60 training and 12 test images of each.
pub(crate) fn cats_and_dogs() -> tempfile::TempDir {
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
fn a_language_model_is_trained_evaluated_and_plotted() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    let (run, data) = (root.path().join("run"), data.path().display());
    let words = "--set data.batch_size=4 --set data.bptt=10 --set training.max_epochs=8 --set training.log_every=20 --device cpu";
    let text = succeed(alrao(&format!("train ptb-char --data {data} {words} --out {}", run.display())));
    assert!(text.contains("bits per character") && text.contains("plots/learning.svg"), "{text}");
    let summary = summary(&run);
    assert_eq!((&summary["task"], &summary["epochs"]), (&"ptb-char".into(), &8.into()));
    let bits = summary["test"]["bits_per_char"].as_f64().unwrap();
    assert!(bits < 4.7, "{bits}: 27 symbols by chance");
    let epochs = metrics(&run).into_iter().filter(|line| line["kind"] == "epoch");
    assert_eq!(epochs.count(), 8);

    let text = succeed(alrao(&format!("eval {}", run.display())));
    assert!(text.contains(&format!("test of ptb-char: {bits:.3} bits per character")), "{text}");
    let json = alrao(&format!("eval {} --json", run.display())).output().unwrap().stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert!(json["test"]["loss"].is_f64() && json["skipped_files"] == 0, "{json}");
    let (code, text) = outcome(alrao(&format!("eval {} --episodes 5", run.display())));
    assert!(code == 2 && text.contains("--episodes"), "{code} {text}");
    let (code, text) = outcome(alrao(&format!("eval {} --data {}", run.display(), root.path().display())));
    assert!(code == 2 && text.contains("ptb.train.txt"), "{code} {text}");

    let figure = fs::read_to_string(run.join("plots/learning.svg")).unwrap();
    assert!(figure.contains("bits per character") && figure.contains("validation"));
    let png = root.path().join("both.png");
    succeed(alrao(&format!("plot {0} {0} --out {1}", run.display(), png.display())));
    assert!(fs::read(&png).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn corrupt_images_are_skipped_and_too_many_are_an_error() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    let run = root.path().join("run");
    let corrupt = data.path().join("val/cat/7.JPEG");
    let file = fs::read(&corrupt).unwrap();
    fs::write(&corrupt, &file[..100]).unwrap();
    let words = "--set data.image_size=32 --set data.batch_size=16 --set model.width_factor=0.03 --set training.max_epochs=3 --device cpu";
    let train = |config: &str, out: &Path| {
        outcome(alrao(&format!("train {config} --data {} {words} --out {}", data.path().display(), out.display())))
    };
    let (code, text) = train("imagenet-resnet50", &run);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("7.JPEG: corrupt PNG") && text.contains("skipped"), "{text}");
    assert_eq!(summary(&run)["task"], "imagenet-resnet50");

    fs::write(data.path().join("train/dog/3.JPEG"), "a dog").unwrap();
    fs::write(data.path().join("train/dog/4.JPEG"), "another dog").unwrap();
    let (code, text) = train("imagenet-resnet50", &root.path().join("too-many"));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("2 of 144 images are corrupt") && text.contains("neither JPEG nor PNG"), "{text}");
}

#[test]
fn a_corrupt_image_counts_once_and_an_evaluation_has_the_limit_of_training() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    let run = root.path().join("run");
    let damaged = data.path().join("val/cat/7.JPEG");
    fs::remove_file(&damaged).unwrap();
    std::os::unix::fs::symlink("/nowhere", &damaged).unwrap();
    let words = "--set model.architecture=small-cnn --set data.image_size=32 --set data.batch_size=16 --set training.max_epochs=2 \
                 --set training.test_every=1 --device cpu";
    let train = format!("train imagenet-resnet50 --data {} {words} --out {}", data.path().display(), run.display());
    let said = succeed(alrao(&train)); // counted twice, it were 2 of 144, more than 1 %
    assert!(said.contains("7.JPEG: link to a file that doesn't exist"), "{said}");
    let eval = format!("eval {}", run.display());
    let said = succeed(alrao(&eval));
    assert!(said.contains("1 corrupt images skipped"), "{said}");
    for image in fs::read_dir(data.path().join("val/dog")).unwrap().map(|image| image.unwrap().path()) {
        fs::write(image, [0xff, 0xd8, 0xff]).unwrap(); // begins as a JPEG
    }
    let (code, said) = outcome(alrao(&eval));
    assert!(code == 1 && said.contains("images are corrupt, more than 1 %"), "{code} {said}");
}

#[test]
fn a_run_without_a_finite_validation_has_diverged() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    let run = root.path().join("run");
    let words = "--set model.architecture=small-cnn --set data.image_size=32 --set data.batch_size=16 --set training.max_epochs=2 \
                 --set optimizer.kind=sgd --set optimizer.lr=3e3 --device cpu";
    let text = succeed(alrao(&format!(
        "train imagenet-resnet50 --data {} {words} --out {}",
        data.path().display(),
        run.display()
    )));
    assert!(text.contains("none: diverged"), "{text}");
    assert_eq!((&summary(&run)["diverged"], &summary(&run)["test"]), (&true.into(), &serde_json::Value::Null));
}

#[test]
fn a_language_model_with_an_adaptive_softmax_is_trained_and_evaluated() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    for split in ["train", "valid", "test"] {
        let file = data.path().join(format!("ptb.{split}.txt"));
        let words = fs::read_to_string(&file).unwrap().replace("", " ");
        fs::write(file, words).unwrap();
    }
    let (run, data) = (root.path().join("run"), data.path().display());
    let sets = "--set model.adaptive_softmax_cutoffs=[10,20] --set data.batch_size=4 --set data.bptt=10 \
                --set training.max_epochs=20 --set optimizer.kind=adam --set optimizer.lr=1e-2 --device cpu";
    let _ = succeed(alrao(&format!("train ptb-word --data {data} {sets} --out {}", run.display())));
    let perplexity = summary(&run)["test"]["perplexity"].as_f64().unwrap();
    assert!(perplexity < 2.0, "{perplexity}: each word follows from the one before");
    let text = succeed(alrao(&format!("eval {}", run.display())));
    assert!(text.contains(&format!("test of ptb-word: perplexity {perplexity:.1}")), "{text}");
}

#[test]
fn invalid_datasets_and_settings_are_usage_errors() {
    let (text, images, root) = (alphabet(), cats_and_dogs(), tempfile::tempdir().unwrap());
    let out = root.path().join("out");
    let assert_usage_error = |config: &str, data: Option<&Path>, expected: &[&str]| {
        let data = data.map_or(String::new(), |data| format!("--data {}", data.display()));
        let (code, text) = outcome(alrao(&format!("train {config} {data} --out {}", out.display())));
        assert!(code == 2 && !text.contains("panicked"), "{config} {data}: {code} {text}");
        assert!(expected.iter().all(|word| text.contains(word)), "{config} {data}: {text}");
    };
    let (text, images) = (Some(text.path()), Some(images.path()));
    assert_usage_error("ptb-word", None, &["--data"]);
    assert_usage_error("ptb-word", images, &["ptb.train.txt", "train, val"]);
    assert_usage_error("cifar10-vgg19", text, &["data_batch_1.bin", "ptb.test.txt"]);
    assert_usage_error("imagenet-alexnet", text, &["train/CLASS", "ptb.test.txt"]);
    assert_usage_error("imagenet-alexnet --set data.image_size=32", images, &["alexnet", "63 pixels", "32"]);
    assert_usage_error("cifar10-mobilenet --set model.version=3", images, &["model.version = 3"]);
    assert_usage_error("cifar10-mobilenet --set model.architecture=resnet", images, &["resnet", "resnet50"]);
    assert_usage_error("cifar10-mobilenet --set data.batch_size=1", images, &["data.batch_size = 1", "2"]);
    assert_usage_error("ptb-char --set model.channels_last=true", text, &["model.channels_last"]);
    assert_usage_error(
        "ptb-char --set model.adaptive_softmax_cutoffs=[2]",
        text,
        &["model.adaptive_softmax_cutoffs", "only for words"],
    );
    assert_usage_error("cifar10-vgg19 --set model.adaptive_softmax_cutoffs=[2]", images, &["only for words"]);
    for cutoffs in ["[]", "[0]", "[2,2]", "[3,2]"] {
        let words = format!("ptb-word --set model.adaptive_softmax_cutoffs={cutoffs}");
        assert_usage_error(&words, text, &["model.adaptive_softmax_cutoffs", "increasing cutoffs", "[2000, 6000]"]);
    }
    assert_usage_error(
        "ptb-word --set data.batch_size=2 --set model.adaptive_softmax_cutoffs=[1,2]",
        text,
        &["less than 2, the number of words"],
    );
    assert_usage_error("ptb-char --set optimizer.max_grad_norm=0", text, &["optimizer.max_grad_norm = 0"]);
    assert_usage_error("pendulum", text, &["--data", "needs no dataset"]);
    assert!(!out.exists());
}
