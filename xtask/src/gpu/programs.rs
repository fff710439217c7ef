//! The programs that `cargo xtask gpu` runs: built here, or packed in a directory with this program.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::cargo::{cargo, failed, run as run_command};
use crate::checkout::Checkout;
use crate::setup;
use alrao_setup::usage_error;

/// The manifest of a directory of packed programs.
const MANIFEST: &str = "programs.json";
/// Libraries that come with the system or with PyTorch.
const PROVIDED: [&str; 12] = [
    "ld-linux",
    "libc.so",
    "libm.so",
    "libdl.so",
    "librt.so",
    "libpthread.so",
    "libstdc++",
    "libgcc_s",
    "libtorch",
    "libc10",
    "libcu",
    "libgomp",
];

/// The paths of the programs.
pub struct Programs {
    alrao: PathBuf,
    cuda_tests: PathBuf,
    networks: PathBuf,
    pytorch: PathBuf,
    xtask: PathBuf,
    /// The commit that they were built from.
    pub commit: String,
    /// directories of libraries to add to the search path
    libraries: Vec<PathBuf>,
}

impl Programs {
    /// Returns the programs packed with this program, if it is packed.
    ///
    /// # Errors
    /// A usage error if PyTorch is missing.
    pub fn packed() -> Result<Option<Self>> {
        let this = env::current_exe()?;
        let folder = this.parent().expect("a program is in a folder");
        let Ok(manifest) = fs::read_to_string(folder.join(MANIFEST)) else { return Ok(None) };
        let manifest: Value = serde_json::from_str(&manifest).context(MANIFEST)?;
        let script = "import torch; print(torch.__path__[0])";
        let found = Command::new("python3").args(["-c", script]).output();
        let Some(torch) = found.ok().filter(|found| found.status.success()) else {
            return Err(usage_error("python3 has no PyTorch, whose libraries packed programs need: install it"));
        };
        let torch = PathBuf::from(String::from_utf8_lossy(&torch.stdout).trim()).join("lib");
        Ok(Some(Programs {
            alrao: folder.join("alrao"),
            cuda_tests: folder.join("cuda"),
            networks: folder.join("networks"),
            pytorch: folder.join("networks.py"),
            xtask: this.clone(),
            commit: manifest["commit"].as_str().context("no `commit` in programs.json")?.into(),
            libraries: vec![torch, folder.join("lib")],
        }))
    }

    /// Builds the programs, in the test profile if `as_tests`.
    ///
    /// # Errors
    /// The build failed.
    pub fn build(checkout: &Checkout, as_tests: bool) -> Result<Self> {
        setup::run(checkout, false)?;
        let release: &[&str] = if as_tests { &[] } else { &["--release"] };
        let programs = ["build", "--workspace", "--bins"];
        run_command("the build", cargo(checkout).args(programs).args(release))?;
        let built = ["test", "--workspace", "--test", "cuda", "--bench", "networks", "--no-run"];
        let mut tests = cargo(checkout);
        tests.args(built).args(release).args(["--message-format", "json-render-diagnostics"]);
        let output = tests.stderr(std::process::Stdio::inherit()).output().context("can't run cargo")?;
        if !output.status.success() {
            return Err(failed("the build of the tests", output.status));
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let executable = |name: &str| {
            let messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let mut of_target = messages.filter(|message| message["target"]["name"] == name);
            let path = of_target.find_map(|message| message["executable"].as_str().map(PathBuf::from));
            path.with_context(|| format!("cargo built no {name}"))
        };
        let target = env::var_os("CARGO_TARGET_DIR").map_or(checkout.root.join("target"), PathBuf::from);
        let bins = target.join(if as_tests { "debug" } else { "release" });
        let git = Command::new("git").args(["rev-parse", "HEAD"]).current_dir(&checkout.root).output();
        let commit = git.ok().filter(|git| git.status.success()).map(|git| git.stdout);
        Ok(Programs {
            alrao: bins.join("alrao"),
            cuda_tests: executable("cuda")?,
            networks: executable("networks")?,
            pytorch: checkout.root.join("xtask/benches/networks.py"),
            xtask: bins.join("xtask"),
            commit: commit.map_or("unknown".into(), |commit| String::from_utf8_lossy(&commit).trim().to_owned()),
            libraries: Vec::new(),
        })
    }

    /// Packs the stripped programs in a new directory, with libraries that other machines may lack.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn pack(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder.join("lib")).with_context(|| folder.display().to_string())?;
        let programs =
            [("alrao", &self.alrao), ("cuda", &self.cuda_tests), ("networks", &self.networks), ("xtask", &self.xtask)];
        for (name, program) in programs {
            let to = folder.join(name);
            run_command("strip", Command::new("strip").arg(program).arg("-o").arg(&to))?;
            for library in libraries(program)? {
                let name = library.file_name().expect("a file");
                fs::copy(&library, folder.join("lib").join(name)).with_context(|| library.display().to_string())?;
            }
        }
        fs::copy(&self.pytorch, folder.join("networks.py"))?;
        fs::write(folder.join(MANIFEST), format!("{}\n", json!({"commit": self.commit})))?;
        println!("packed: {}", folder.display());
        Ok(())
    }

    /// Returns the command of `alrao`.
    pub fn alrao(&self) -> Command {
        self.command(&self.alrao)
    }

    /// Returns the command of our benchmark of networks.
    pub fn networks(&self) -> Command {
        self.command(&self.networks)
    }

    /// Returns the command of PyTorch's benchmark of networks.
    pub fn pytorch(&self) -> Command {
        let mut command = Command::new("python3");
        command.arg("-B").arg(&self.pytorch);
        command
    }

    /// Runs the CUDA tests, writes their output to a log, and returns whether they passed.
    ///
    /// # Errors
    /// The tests can't be run.
    pub fn tests(&self, log: &Path) -> Result<bool> {
        println!("CUDA tests ...");
        let output = self.command(&self.cuda_tests).arg("--nocapture").output().context("can't run the CUDA tests")?;
        fs::write(log, [output.stdout, output.stderr].concat()).with_context(|| log.display().to_string())?;
        Ok(output.status.success())
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if !self.libraries.is_empty() {
            let paths = env::join_paths(&self.libraries).expect("no colon in them");
            command.env("LD_LIBRARY_PATH", paths);
        }
        command
    }
}

/// Returns the libraries of a program that another machine may lack.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("can't run ldd")?;
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    if listed.contains("not found") {
        bail!("{} misses libraries on this machine: {listed}", program.display());
    }
    let paths = listed.lines().filter_map(|line| Some(line.split("=> ").nth(1)?.split(" (").next()?.into()));
    let lacking = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        !PROVIDED.iter().any(|start| name.starts_with(start))
    };
    Ok(paths.filter(lacking).collect())
}
