//! `cargo xtask downstream`: crates outside this checkout, as users have them, built, tested and trained in a clean home.
//!
//! One is written by `alrao-setup new`, the other by hand and prepared by `alrao-setup init` for a Git dependency. Both
//! share a target directory, so that libtorch's binding is compiled once. Downloads are those of this user's cache.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use alrao_setup::Cache;
use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

/// Mean test return that the new crate's agent must reach; the best possible is 1.
const THRESHOLD: f64 = 0.9;
/// Environment steps of its training run, which is killed at its first checkpoint and resumed.
const STEPS: u64 = 20_000;

/// The hand-written crate's program: it trains an own environment from code.
const BY_HAND: &str = include_str!("../downstream/by_hand.rs");

/// Runs every step; fails at the first that a user would fail at.
///
/// # Errors
/// A command fails, or the agent doesn't learn.
pub fn run(checkout: &Checkout) -> Result<()> {
    setup::run(checkout, false)?;
    run_command("the build of alrao-setup", cargo(checkout).args(["build", "--package", "alrao-setup"]))?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or(checkout.root.join("target"), PathBuf::from);
    let home = tempfile::tempdir()?;
    let user = User {
        setup: target.join("debug/alrao-setup"),
        home: home.path().join("home"),
        target: target.join("downstream"),
        cache: Cache::of_user()?.dir().parent().expect("it has a name").to_path_buf(),
    };
    fs::create_dir(&user.home)?;
    new_crate(&user)?;
    by_hand(&user, checkout)
}

/// A user of the crates, with a home of their own.
struct User {
    setup: PathBuf,
    home: PathBuf,
    target: PathBuf,
    cache: PathBuf,
}

impl User {
    /// A command in `folder` that knows nothing of this checkout.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(folder);
        let real = |name: &str, below: &str| {
            env::var_os(name).or_else(|| Some(Path::new(&env::var_os("HOME")?).join(below).into_os_string()))
        };
        let toolchain = [("CARGO_HOME", real("CARGO_HOME", ".cargo")), ("RUSTUP_HOME", real("RUSTUP_HOME", ".rustup"))];
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO") || ["LIBTORCH", "ALRAO_DEPS", "CMAKE", "LD_LIBRARY_PATH"].contains(&&*name) {
                command.env_remove(&*name);
            }
        }
        command.envs(toolchain.into_iter().filter_map(|(name, value)| Some((name, value?))));
        command.env("HOME", &self.home).env("XDG_CACHE_HOME", &self.cache).env("CARGO_TARGET_DIR", &self.target);
        command
    }

    fn run(&self, program: &str, arguments: &[&str], folder: &Path) -> Result<()> {
        println!("\n$ {program} {}", arguments.join(" "));
        run_command(program, self.command(program, folder).args(arguments))
    }
}

/// `alrao-setup new`, then everything that its README and the program's help offer.
fn new_crate(user: &User) -> Result<()> {
    let folder = user.home.join("my-agent");
    let setup = user.setup.to_str().context("a path in UTF-8")?;
    user.run(setup, &["new", "my-agent"], &user.home)?;
    user.run("cargo", &["test"], &folder)?;
    user.run("cargo", &["build"], &folder)?;

    // The program starts from anywhere, moved too.
    let elsewhere = user.home.join("elsewhere");
    fs::create_dir(&elsewhere)?;
    let moved = elsewhere.join("agent");
    fs::copy(user.target.join("debug/my-agent"), &moved)?;
    let program = moved.to_str().context("a path in UTF-8")?;
    user.run(program, &["env", "check", "catch"], &elsewhere)?;
    let steps = format!("schedule.steps={STEPS}");
    train_with_a_break(user, &moved, &elsewhere, &steps)?;
    let summary: Value = serde_json::from_str(&fs::read_to_string(elsewhere.join("run/summary.json"))?)?;
    let mean = summary["test"]["return"]["mean"].as_f64().context("no mean in summary.json")?;
    ensure!(mean >= THRESHOLD, "the agent learnt to {mean}, not to {THRESHOLD}");
    user.run(program, &["eval", "run", "--episodes", "20"], &elsewhere)?;
    user.run(program, &["report", "run"], &elsewhere)?;

    let sweep = "seeds = \"0-1\"\n[[task]]\nconfig = \"catch\"\nschedule.steps = 1500\n\
                 [[variant]]\noptimizer.kind = \"alrao\"\n[[variant]]\noptimizer.kind = \"adam\"\n";
    fs::write(elsewhere.join("methods.toml"), sweep)?;
    user.run(program, &["sweep", "methods.toml", "--out", "methods", "--jobs", "2"], &elsewhere)?;
    user.run(program, &["table", "methods"], &elsewhere)?;
    user.run(program, &["report", "methods"], &elsewhere)
}

/// Trains a run, kills it once on the way and resumes it.
fn train_with_a_break(user: &User, program: &Path, folder: &Path, steps: &str) -> Result<()> {
    let train = ["train", "catch", "--set", steps, "--out", "run"];
    println!("\n$ {} {}", program.display(), train.join(" "));
    let mut process = user.command(program, folder).args(train).spawn()?;
    while process.try_wait()?.is_none() && !folder.join("run/checkpoints/last").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    process.kill()?;
    let status = process.wait()?;
    ensure!(!status.success() || folder.join("run/summary.json").exists(), "the training ended without a summary");
    user.run(program.to_str().context("a path in UTF-8")?, &["train", "--resume", "run"], folder)
}

/// A crate written by hand, on a Git dependency.
fn by_hand(user: &User, checkout: &Checkout) -> Result<()> {
    let repository = user.home.join("alrao.git");
    snapshot(checkout, &repository)?;
    let folder = user.home.join("by-hand");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), "[package]\nname = \"by-hand\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")?;
    fs::write(folder.join("src/main.rs"), BY_HAND)?;
    let setup = user.setup.to_str().context("a path in UTF-8")?;
    let url = format!("file://{}", repository.display());
    user.run(setup, &["init", "--git", &url], &folder)?;
    // The two crates' links lead to one libtorch; by one path it is compiled against once.
    let libtorch = user.home.join("my-agent/.deps/libtorch");
    println!("\n$ cargo run");
    run_command("cargo run", user.command("cargo", &folder).env("LIBTORCH", libtorch).arg("run"))
}

/// Makes a Git repository of the checkout's files as they are, committed or not.
fn snapshot(checkout: &Checkout, repository: &Path) -> Result<()> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&checkout.root)
        .output()?;
    ensure!(listed.status.success(), "git ls-files failed in {}", checkout.root.display());
    for name in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        let (from, to) = (checkout.root.join(name), repository.join(name));
        if from.is_file() {
            fs::create_dir_all(to.parent().expect("in the repository"))?;
            fs::copy(from, to)?;
        }
    }
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=downstream", "-c", "user.email=downstream@example.org"];
        run_command("git", Command::new("git").args(identity).args(arguments).current_dir(repository))
    };
    git(&["init", "--quiet"])?;
    git(&["add", "--all"])?;
    git(&["commit", "--quiet", "--message", "Snapshot"])
}
