//! Outputs that are closed, full or gone: commands that print end, trainings and sweeps go on.

use std::fs::File;
use std::io::{Read, pipe};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::supervised::cats_and_dogs;
use crate::sweeps::SMALL_SWEEP;
use crate::{SMALL, alrao, assert_same, outcome, succeed};

/// An output whose reader is gone.
fn closed() -> Stdio {
    pipe().unwrap().1.into()
}

fn full() -> Stdio {
    File::options().write(true).open("/dev/full").unwrap().into()
}

/// A finished run and a finished sweep of one run.
fn made(root: &Path) -> (String, String) {
    let (run, sweep) = (root.join("run"), root.join("sweep"));
    std::fs::write(root.join("small.toml"), SMALL_SWEEP).unwrap();
    succeed(alrao(&format!("{SMALL} --set schedule.steps=500 --out {}", run.display())));
    let words = format!("sweep {}/small.toml --seeds 0 --set schedule.steps=300 --out", root.display());
    succeed(alrao(&format!("{words} {}", sweep.display())));
    (run.display().to_string(), sweep.display().to_string())
}

/// The program's commands with their subcommands, as its help lists them.
fn names(command: &str) -> Vec<String> {
    let help = succeed(alrao(&format!("{command} --help")));
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return vec![command.into()] };
    let names = list.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let with_help = names.filter(|name| *name != "help");
    with_help.flat_map(|name| self::names(format!("{command} {name}").trim())).collect()
}

/// Every command, most with short work.
fn commands(root: &Path) -> Vec<String> {
    let (run, sweep) = made(root);
    let root = root.display();
    let commands = [
        "--help".into(),
        "train --help".into(),
        "--version".into(),
        "doctor".into(),
        "doctor --json".into(),
        "completions bash".into(),
        "man".into(),
        "env list".into(),
        "env list --json".into(),
        "env check pendulum".into(),
        "env bench pendulum --seconds 1".into(),
        "env trace pendulum --seed 1 --policy random --steps 3".into(),
        format!("new {root}/my-agent"),
        format!("eval {run}"),
        format!("eval {run} --json"),
        format!("export {run} --out {root}/policy.onnx"),
        format!("plot {run}"),
        format!("report {run}"),
        format!("watch {run} --gif {root}/episode.gif"),
        format!("table {sweep}"),
        format!("train --resume {run}"),
        format!("sweep --resume {sweep}"),
    ];
    let names = names("");
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(commands.iter().any(|words| words.starts_with(&format!("{name} ")) || *words == name), "no {name}");
    }
    commands.into()
}

#[test]
fn commands_whose_reader_closed_their_output_end_quietly() {
    let root = tempfile::tempdir().unwrap();
    for words in commands(root.path()) {
        let mut command = alrao(&words);
        command.stdout(closed()).stderr(Stdio::piped());
        let (code, said) = outcome_of(command);
        let progress = ["already finished", "runs to go", "set-up:", "is a crate"];
        let quiet = said.lines().all(|line| progress.iter().any(|words| line.contains(words)));
        assert!(code == 0 && quiet, "{words}: {code} {said}");
    }
}

#[test]
fn commands_without_a_standard_error_end_as_usual() {
    let root = tempfile::tempdir().unwrap();
    for (index, words) in commands(root.path()).iter().enumerate() {
        let mut command = alrao(words);
        command.stdout(Stdio::piped()).stderr([closed, full][index % 2]());
        let (code, said) = outcome_of(command);
        assert!(code == 0 && !said.is_empty(), "{words}: {code} {said}");
    }
}

#[test]
fn commands_whose_output_is_full_say_so_in_a_line() {
    let root = tempfile::tempdir().unwrap();
    for words in commands(root.path()) {
        let mut command = alrao(&words);
        command.stdout(full()).stderr(Stdio::piped());
        let (code, said) = outcome_of(command);
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("error")).collect();
        assert!(code == 1 && lines.len() == 1 && !said.contains("panicked"), "{words}: {code} {said}");
        assert!(lines[0].starts_with("error: standard output can't be written: No space left"), "{words}: {said}");
    }
}

#[test]
fn a_training_and_a_sweep_go_on_without_their_outputs() {
    let root = tempfile::tempdir().unwrap();
    let whole = root.path().join("whole");
    succeed(alrao(&format!("{SMALL} --out {}", whole.display())));
    for (name, out, code) in [("closed", closed as fn() -> Stdio, 0), ("full", full, 1)] {
        let run = root.path().join(name);
        let mut command = alrao(&format!("{SMALL} --out {}", run.display()));
        command.stdout(out()).stderr(out());
        assert_eq!(command.status().unwrap().code(), Some(code), "{name}");
        assert_same(&whole, &run);
        assert!(run.join("plots/returns.svg").exists());
    }
    std::fs::write(root.path().join("small.toml"), SMALL_SWEEP).unwrap();
    let words = format!("sweep {}/small.toml --seeds 0 --set schedule.steps=300", root.path().display());
    let sweep = root.path().join("sweep");
    let mut command = alrao(&format!("{words} --out {}", sweep.display()));
    command.stdout(closed()).stderr(closed());
    assert_eq!(command.status().unwrap().code(), Some(0));
    assert!(succeed(alrao(&format!("sweep --resume {}", sweep.display()))).contains("0 of 2 runs to go"));
}

/// Returns what a command that succeeds writes to standard error on a terminal of this type.
fn on_terminal(mut command: Command, term: &str) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let end = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    let mut child = command.env("TERM", term).stdout(Stdio::null()).stderr(end).spawn().unwrap();
    drop(command); // and its copy of the terminal's end, so that the text has an end
    let mut said = Vec::new();
    let _ = File::from(terminal).read_to_end(&mut said); // fails at the end
    assert!(child.wait().unwrap().success(), "{}", String::from_utf8_lossy(&said));
    String::from_utf8(said).unwrap()
}

#[test]
fn a_dumb_terminal_gets_plain_lines_and_any_other_a_display() {
    let (data, root) = (cats_and_dogs(), tempfile::tempdir().unwrap());
    std::fs::write(data.path().join("val/cat/7.JPEG"), [0xff, 0xd8, 0xff]).unwrap();
    std::fs::write(root.path().join("small.toml"), SMALL_SWEEP).unwrap();
    let train = format!(
        "train imagenet-resnet50 --data {} --set model.architecture=small-cnn --set data.image_size=32 \
         --set data.batch_size=16 --set training.max_epochs=1 --set training.test_every=1 --device cpu",
        data.path().display()
    );
    let sweep = format!("sweep {}/small.toml --seeds 0 --set schedule.steps=300", root.path().display());
    for (term, plain) in [("dumb", true), ("", true), ("xterm", false)] {
        let on_terminal = |words: &str, name: &str| {
            let out = root.path().join(name.to_string() + term);
            on_terminal(alrao(&format!("{words} --out {}", out.display())), term)
        };
        let said = [on_terminal(&train, "run"), on_terminal(&sweep, "sweep")];
        for said in &said {
            assert_eq!(!said.contains('\x1b'), plain, "{term}: {said:?}");
        }
        assert_eq!(said[0].matches("7.JPEG: corrupt JPEG").count(), 1, "{term}: {said:?}");
        assert_eq!(said[1].contains("1/2  pendulum-"), plain, "{term}: {said:?}");
        assert_eq!(said[1].contains("state"), !plain, "{term}: {said:?}");
    }
}

#[test]
fn quiet_commands_show_no_progress_but_errors() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("small.toml"), SMALL_SWEEP).unwrap();
    let train = format!("{SMALL} --set schedule.steps=500 --quiet --out {}/run", root.path().display());
    let sweep = format!("-q sweep {}/small.toml --seeds 0 --set schedule.steps=300", root.path().display());
    for (words, term) in [(train, "xterm"), (sweep.clone() + " --out s", "xterm"), (sweep + " --out t", "dumb")] {
        let mut command = alrao(&words);
        command.current_dir(root.path());
        assert_eq!(on_terminal(command, term), "", "{words}");
    }
    let (code, text) = outcome(alrao("train nothing --quiet"));
    assert!(code == 2 && text.starts_with("error: nothing"), "{text}");
}

#[test]
fn no_color_has_an_error_of_the_command_line_without_colors() {
    let said = |no_color: bool| {
        let mut command = Command::new("sh"); // so that the error is no failure
        command.args(["-c", "\"$0\" trian; test $? = 2", env!("CARGO_BIN_EXE_alrao")]);
        command.env_remove("NO_COLOR").envs(no_color.then_some(("NO_COLOR", "1")));
        on_terminal(command, "xterm")
    };
    assert!(said(false).contains('\x1b') && said(true).contains("trian") && !said(true).contains('\x1b'));
}

#[test]
fn completions_and_manual_pages_know_the_commands_and_their_options() {
    for shell in ["bash", "zsh", "fish"] {
        let script = succeed(alrao(&format!("completions {shell}")));
        assert!(["train", "watch", "quiet"].iter().all(|word| script.contains(word)), "{shell}: {script}");
    }
    let script = succeed(alrao("completions bash"));
    let mut bash = Command::new("bash");
    let ask = "COMP_WORDS=(alrao wa); COMP_CWORD=1; _alrao alrao wa alrao; echo ${COMPREPLY[@]}";
    bash.args(["-c", &format!("{script}\n{ask}")]);
    assert_eq!(succeed(bash).trim(), "watch");
    let page = succeed(alrao("man"));
    assert!(page.contains(".TH alrao 1") && page.contains("alrao\\-train(1)"), "{page}");
    let page = succeed(alrao("man env trace"));
    assert!(page.contains("\\-\\-policy") && page.contains("alrao env trace"), "{page}");
    assert!(page.contains(&format!("\"alrao {}\"", env!("CARGO_PKG_VERSION"))), "{page}");
}

#[test]
fn the_installation_is_described_as_json() {
    let found: serde_json::Value = serde_json::from_str(&succeed(alrao("doctor --json"))).unwrap();
    assert_eq!(found["alrao"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&found["training_works"], &found["cuda"]["devices"]), (&true.into(), &0.into()));
    assert!(found["libtorch"]["version"].as_str().unwrap().starts_with("2."), "{found}");
    let gymnasium = &found["gymnasium"];
    assert!(gymnasium["version"].is_string() != gymnasium["problem"].is_string(), "{found}");
    assert!(found["cpu_cores"].as_u64().unwrap() > 0, "{found}");
}

fn outcome_of(mut command: Command) -> (i32, String) {
    crate::code_and_text(command.spawn().unwrap().wait_with_output().unwrap())
}

#[test]
fn usage_errors_without_a_reader_keep_their_exit_code() {
    let mut command = alrao("train nothing");
    command.stderr(closed());
    assert_eq!(command.status().unwrap().code(), Some(2));
    assert_eq!(outcome(alrao("train")).0, 2);
}
