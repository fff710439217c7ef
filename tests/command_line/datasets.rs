//! Datasets of users: moved, changed, of other classes, with corrupt or foreign files, under unusual names.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::supervised::{alphabet, cats_and_dogs};
use crate::{alrao, assert_same, edit_config, killed_when, metrics, outcome, succeed};

const IMAGES: &str = "train imagenet-resnet50 --set model.architecture=small-cnn --set data.image_size=32 \
                      --set data.batch_size=16 --set training.max_epochs=2 --device cpu";
const TEXT: &str = "train ptb-char --set data.batch_size=4 --set data.bptt=10 --set training.max_epochs=2 \
                    --set training.log_every=20 --device cpu";

fn with(words: &str, data: &Path, out: &Path) -> Command {
    let mut command = alrao(words);
    command.arg("--data").arg(data).arg("--out").arg(out);
    command
}

fn of(words: &str, path: &Path) -> Command {
    let mut command = alrao(words);
    command.arg(path);
    command
}

fn refused(command: Command, words: &[&str]) {
    let (code, said) = outcome(command);
    assert!(code == 2 && said.lines().count() < 8, "{code} {said}");
    assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Trains until there is a checkpoint, of an unfinished epoch or a finished one, and kills the process.
fn killed(words: &str, data: &Path, run: &Path) {
    let command = with(&format!("{words} --set training.max_epochs=60 --set training.patience=60"), data, run);
    killed_when(command, || run.join("checkpoints/last").exists());
}

fn test_line(said: &str) -> String {
    said.lines().find(|line| line.starts_with("test of")).unwrap().into()
}

#[test]
fn eval_matches_classes_by_name_or_refuses() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    let run = root.path().join("run");
    succeed(with(IMAGES, data.path(), &run));
    let eval = |data: &Path| {
        let mut command = of("eval", &run);
        command.arg("--data").arg(data);
        command
    };
    let moved = root.path().join("moved");
    copy(data.path(), &moved);
    assert_eq!(test_line(&succeed(eval(&moved))), test_line(&succeed(of("eval", &run))));
    for part in ["train", "val"] {
        fs::rename(moved.join(part).join("dog"), moved.join(part).join("wolf")).unwrap();
    }
    refused(eval(&moved), &["classes", "without dog", "with wolf"]);
    copy(data.path(), &moved);
    refused(eval(&moved), &["classes", "with wolf"]);
    edit_config(&run, "image_size = 32", "image_size = 40");
    refused(of("eval", &run), &["dataset.json", "image_size", "40", "32"]);
}

#[test]
fn eval_of_a_text_model_uses_the_vocabulary_of_its_run() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    let run = root.path().join("run");
    succeed(with(TEXT, data.path(), &run));
    let before = test_line(&succeed(of("eval", &run)));
    let train = data.path().join("ptb.train.txt");
    let text = fs::read_to_string(&train).unwrap();
    fs::write(&train, format!("zyxwv\n{text}")).unwrap();
    let said = succeed(of("eval", &run));
    assert_eq!(test_line(&said), before);
    fs::write(&train, format!("{text}äöü\n")).unwrap();
    fs::write(data.path().join("ptb.test.txt"), "abcdefghij\n".repeat(20) + "ä").unwrap();
    refused(of("eval", &run), &["ptb.t", "\"ä\"", "vocabulary of the run"]);
}

#[test]
fn a_run_is_not_resumed_on_changed_data_unless_asked_to() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    let run = root.path().join("run");
    killed(IMAGES, data.path(), &run);
    fs::copy(data.path().join("train/cat/1.JPEG"), data.path().join("train/cat/new.JPEG")).unwrap();
    refused(of("train --resume", &run), &["training data", "114 images", "115 images", "--data DIR", "--accept-data"]);
    let said = succeed(of("train --accept-data --resume", &run));
    assert!(said.contains("training data") && said.contains("115 images"), "{said}");
    let dataset = fs::read_to_string(run.join("dataset.json")).unwrap();
    assert!(dataset.contains("\"changes\"") && dataset.contains("\"cat\""), "{dataset}");
    for part in ["train", "val"] {
        fs::rename(data.path().join(part).join("dog"), data.path().join(part).join("wolf")).unwrap();
    }
    let run = root.path().join("text");
    let data = alphabet();
    killed(TEXT, data.path(), &run);
    let train = data.path().join("ptb.train.txt");
    let text = fs::read_to_string(&train).unwrap();
    fs::write(&train, format!("{}{}", &text[1..], &text[..1])).unwrap();
    refused(of("train --resume", &run), &["training data", "other content", "--accept-data"]);
}

#[test]
fn data_that_moved_are_found_by_data_and_checked() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    let corrupt = data.path().join("train/cat/7.JPEG");
    fs::write(&corrupt, [0xff, 0xd8, 0xff]).unwrap();
    let words = format!("{IMAGES} --set training.max_epochs=12 --set training.patience=60");
    let [whole, run, moved, other] = ["whole", "run", "moved", "other"].map(|name| root.path().join(name));
    succeed(with(&words, data.path(), &whole));
    killed_when(with(&words, data.path(), &run), || run.join("checkpoints/last").exists());
    copy(data.path(), &moved);
    copy(&moved, &other);
    fs::remove_file(other.join("val/dog/3.JPEG")).unwrap();
    drop(data);
    let resume = |data: &Path| {
        let mut command = of("train --resume", &run);
        command.arg("--data").arg(data);
        command
    };
    refused(of("train --resume", &run), &["train/CLASS", "--data DIR"]);
    refused(resume(&other), &["test data", "23 images", "24 images"]);
    succeed(resume(&moved));
    let without_paths = |run: &Path| metrics(run).into_iter().filter(|line| line["kind"] != "skipped_file");
    assert!(without_paths(&whole).eq(without_paths(&run)));
    assert_eq!(metrics(&run).iter().filter(|line| line["kind"] == "skipped_file").count(), 1);
    assert!(fs::read_to_string(run.join("config.toml")).unwrap().contains(moved.to_str().unwrap()));
    succeed(of("eval", &run));
}

#[test]
fn a_sweep_goes_on_with_data_that_moved() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    let [file, sweep, moved, other] = ["s.toml", "sweep", "moved", "other"].map(|name| root.path().join(name));
    let text = "seeds = \"0-1\"\n[[task]]\nconfig = \"ptb-char\"\ndata.batch_size = 4\ndata.bptt = 10\n\
                training.max_epochs = 2\ndevice = \"cpu\"\n[[variant]]\noptimizer.kind = \"adam\"\n";
    fs::write(&file, text).unwrap();
    succeed(with(&format!("sweep {}", file.display()), data.path(), &sweep));
    let run = |seed| sweep.join(format!("ptb-char-adam-seed{seed}"));
    fs::remove_dir_all(run(0)).unwrap(); // one is missing, one finished
    copy(data.path(), &moved);
    copy(&moved, &other);
    fs::write(other.join("ptb.train.txt"), "abc\n".repeat(405)).unwrap();
    drop(data);
    let resume = |data: &Path| {
        let mut command = of("sweep --resume", &sweep);
        command.arg("--data").arg(data);
        command
    };
    let (code, said) = outcome(resume(&other));
    assert!(code == 2 && said.contains("other contents"), "{code} {said}");
    let table = succeed(resume(&moved));
    assert!(table.contains("2 of 2") && !table.contains("paper"), "the paper's data are others: {table}");
    assert!(run(0).join("summary.json").exists());
}

#[test]
fn a_damaged_or_missing_description_of_the_data_is_named() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    let run = root.path().join("run");
    killed(TEXT, data.path(), &run);
    let file = run.join("dataset.json");
    let text = fs::read_to_string(&file).unwrap();
    for damaged in ["", "{", &text[..text.len() / 2], "{\"version\": 7}"] {
        fs::write(&file, damaged).unwrap();
        for words in ["train --resume", "eval"] {
            refused(of(words, &run), &["dataset.json", "restore it from a copy", "--accept-data"]);
        }
    }
    fs::remove_file(&file).unwrap();
    refused(of("eval", &run), &["dataset.json", "restore it from a copy"]);
    refused(of("train --resume", &run), &["dataset.json", "restore it from a copy"]);
}

#[test]
fn corrupt_test_images_are_found_before_training() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    for i in 0..4 {
        fs::write(data.path().join(format!("val/cat/{i}.JPEG")), [0xff, 0xd8, 0xff]).unwrap();
    }
    let run = root.path().join("run");
    let (code, said) = outcome(with(IMAGES, data.path(), &run));
    assert!(code != 0 && said.contains("of 144 images are corrupt, more than 1 %"), "{code} {said}");
    assert!(!run.exists());
}

/// Four images of a test are less than 1 % of all.
#[test]
fn a_test_without_a_readable_image_is_an_error() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    let run = root.path().join("run");
    for class in ["cat", "dog"] {
        for i in 60..400 {
            let [from, to] = [i % 60, i].map(|i| data.path().join(format!("train/{class}/{i}.JPEG")));
            fs::copy(from, to).unwrap();
        }
        for i in 2..12 {
            fs::remove_file(data.path().join(format!("val/{class}/{i}.JPEG"))).unwrap();
        }
    }
    succeed(with(IMAGES, data.path(), &run));
    for class in ["cat", "dog"] {
        for i in 0..2 {
            fs::write(data.path().join(format!("val/{class}/{i}.JPEG")), [0xff, 0xd8, 0xff]).unwrap();
        }
    }
    let (code, said) = outcome(of("eval", &run));
    assert!(code == 1 && said.contains("all 4 images are corrupt") && !said.contains("NaN"), "{code} {said}");
}

#[test]
fn names_that_are_no_utf_8_work_and_are_shown_escaped() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    let named = |bytes: &[u8]| root.path().join(OsStr::from_bytes(bytes));
    let folder = named(b"xn\xe9");
    copy(data.path(), &folder);
    let rename = |from: &str, to: &[u8]| fs::rename(folder.join(from), folder.join(OsStr::from_bytes(to))).unwrap();
    rename("val/cat/3.JPEG", b"val/cat/caf\xe9.jpg");
    rename("train/cat/3.JPEG", b"train/cat/caf\xe9.jpg");
    fs::write(folder.join(OsStr::from_bytes(b"train/cat/caf\xe9.jpg")), [0xff, 0xd8, 0xff]).unwrap();
    let run = named(b"run\xe9");
    let said = succeed(with(IMAGES, &folder, &run));
    assert!(said.contains("caf\\xE9.jpg: corrupt") && said.contains("run\\xE9"), "{said}");
    for words in ["eval", "train --resume", "plot", "report"] {
        succeed(of(words, &run));
    }
    for words in ["eval", "table", "sweep --resume", "watch --gif x.gif"] {
        let (code, said) = outcome(of(words, &named(b"no\xe9")));
        assert!(code == 2 && said.contains("no\\xE9"), "{words}: {code} {said}");
    }
}

/// Of every argument and field that names a file.
#[test]
fn files_of_every_kind_may_have_names_that_are_no_utf_8() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    let named = |name: &str| root.path().join(OsStr::from_bytes(&[name.as_bytes(), b"\xe9"].concat()));
    copy(data.path(), &named("data"));
    let config = include_str!("../../configs/ptb-char.toml");
    let rest = "data.batch_size = 4\ndata.bptt = 10\ntraining.max_epochs = 1\ndevice = \"cpu\"\n";
    fs::write(named("c.toml"), config.replace("[data]", "[data]\nfolder = \"file://data%E9\"")).unwrap();
    let sweep = format!("seeds = \"0\"\n[[task]]\nname = \"text\"\nconfig = \"file://c.toml%E9\"\n{rest}");
    fs::write(named("s.toml"), sweep).unwrap();
    let words: Vec<String> = rest.lines().map(|line| format!("--set {}", line.replace(' ', ""))).collect();
    let short = words.join(" ");
    let out = |words: &str, path: &Path, out: &Path| {
        let mut command = alrao(words);
        command.args([path.as_os_str(), "--out".as_ref(), out.as_os_str()]);
        command
    };
    succeed(out(&format!("train {short}"), &named("c.toml"), &named("run")));
    let said = succeed(out("sweep", &named("s.toml"), &named("sweep")));
    assert!(said.contains("1 of 1"), "{said}");
    succeed(out("plot", &named("run"), &named("figure").with_extension("svg")));
    succeed(out("report", &named("sweep"), &named("page").with_extension("html")));
    fs::write(named("actions"), "0\n1\n").unwrap();
    succeed(of("env trace pendulum --seed 1 --steps 2 --actions", &named("actions")));
    for words in ["train", "sweep", "env trace pendulum --seed 1 --steps 2 --actions"] {
        refused(of(words, &named("none")), &["none\\xE9"]);
    }
    for words in ["env check", "train pendulum --set"] {
        refused(of(words, Path::new(OsStr::from_bytes(b"data.folder=x\xe9"))), &["x\\xE9"]);
    }
}

#[test]
fn files_that_are_no_images_are_passed_over_and_said_once() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    let [clean, run] = ["clean", "run"].map(|name| root.path().join(name));
    succeed(with(IMAGES, data.path(), &clean));
    for file in ["train/cat/Thumbs.db", "train/dog/labels.txt", "val/cat/labels.txt", "train/ReadMe"] {
        fs::write(data.path().join(file), "0.JPEG cat\n").unwrap();
    }
    fs::rename(data.path().join("val/cat/9.JPEG"), data.path().join("val/cat/9")).unwrap(); // an image by its content
    let said = succeed(with(IMAGES, data.path(), &run));
    let words = "4 files that are no images passed over: ReadMe, Thumbs.db and labels.txt";
    assert_eq!(said.matches(words).count(), 1, "{said}");
    assert!(fs::read_to_string(run.join("summary.json")).unwrap().contains(words));
    assert_same(&clean, &run);
}

#[test]
fn relative_folders_become_absolute_in_a_file_relative_to_it() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    copy(data.path(), &root.path().join("files/d"));
    let rest = "data.batch_size = 4\ndata.bptt = 10\ntraining.max_epochs = 1\ndevice = \"cpu\"\n";
    let config = format!("{rest}data.kind = \"text\"\ndata.symbol = \"character\"\ndata.folder = \"d\"\n");
    fs::write(root.path().join("files/mine.toml"), config).unwrap();
    let sweep = format!("seeds = \"0\"\n[[task]]\nconfig = \"ptb-char\"\ndata.folder = \"d\"\n{rest}");
    fs::write(root.path().join("files/sweep.toml"), sweep).unwrap();
    let at = |folder: &str, words: &str| {
        let mut command = alrao(words);
        command.current_dir(root.path().join(folder));
        succeed(command)
    };
    at("", "train files/mine.toml --out run");
    at(
        "files",
        &format!(
            "train ptb-char --set data.folder=d --set {} --out ../set",
            rest.trim().replace(" = ", "=").replace('\n', " --set ")
        ),
    );
    at("", "sweep files/sweep.toml --out sweep");
    for run in ["run", "set", "sweep/ptb-char-alrao-seed0"] {
        assert!(at("/", &format!("eval {}/{run}", root.path().display())).contains("test of ptb-char"));
    }
    let config: PathBuf = root.path().join("run/config.toml");
    let folder = root.path().join("files/d");
    assert!(fs::read_to_string(config).unwrap().contains(&format!("folder = {folder:?}")));
}

#[test]
fn line_ends_of_other_systems_are_normalized_and_said_once() {
    let (data, root) = (alphabet(), tempfile::tempdir().unwrap());
    let [clean, run] = ["clean", "run"].map(|name| root.path().join(name));
    succeed(with(TEXT, data.path(), &clean));
    for (name, end) in [("train", "\r\n"), ("valid", "\r"), ("test", "\r\n")] {
        let file = data.path().join(format!("ptb.{name}.txt"));
        fs::write(&file, fs::read_to_string(&file).unwrap().replace('\n', end)).unwrap();
    }
    let said = succeed(with(TEXT, data.path(), &run));
    let words = "76 line ends read as LF: 68 are CRLF, 8 CR";
    assert_eq!(said.matches(words).count(), 1, "{said}");
    assert!(fs::read_to_string(run.join("summary.json")).unwrap().contains(words));
    assert_same(&clean, &run);
}
