//! Ready-made C and C++ libraries from PyPI, through Python's own client.
//!
//! Wheels are archives, so they serve whatever the local Python's version is, and nothing is installed into it.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::failure::refused;

/// Wheels for this Python are asked for; the libraries in them are the same for all.
const PYTHON: &str = "3.11";
/// Wheels for glibc 2.28 and older: pip takes a platform for itself alone, not for the older ones.
const NEWEST_GLIBC: u32 = 28;

/// Takes from the archive `argv[1]` the files whose names start with one of `argv[3..]` into the folder `argv[2]`.
const UNPACK: &str = "
import sys, zipfile
wheel, folder, *wanted = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for start in wanted:
        names = [name for name in archive.namelist() if name.startswith(start)]
        if not names:
            sys.exit(f'{wheel} holds no {start}')
        archive.extractall(folder, names)
";

/// A wheel pinned to one version, and what of it is wanted.
pub struct Wheel {
    /// Name on PyPI.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
    /// Files and folders (ending with `/`) in the archive.
    pub wanted: &'static [&'static str],
}

/// Downloads `wheels` and unpacks what is wanted of them; the paths below the returned folder are the archives'.
pub fn fetch(wheels: &[Wheel], scratch: &Path) -> Result<PathBuf> {
    let downloads = scratch.join("downloads");
    let unpacked = scratch.join("unpacked");
    let requirements: Vec<_> = wheels.iter().map(|wheel| format!("{}=={}", wheel.name, wheel.version)).collect();
    pip(&["download", "--no-deps", "--dest"], &downloads, &requirements, scratch)?;
    let files: Vec<_> = fs::read_dir(&downloads)?.collect::<io::Result<_>>()?;
    for wheel in wheels {
        let start = format!("{}-{}-", wheel.name.replace('-', "_"), wheel.version);
        let Some(file) = files.iter().find(|file| file.file_name().to_string_lossy().starts_with(&start)) else {
            bail!("pip downloaded no {start}*.whl");
        };
        let status = python().args(["-c", UNPACK]).arg(file.path()).arg(&unpacked).args(wheel.wanted).status()?;
        if !status.success() {
            bail!("can't unpack {}", file.file_name().display());
        }
    }
    Ok(unpacked)
}

/// Installs `requirement` with everything that it depends on into the folder `site`.
pub fn install(requirement: &str, site: &Path, scratch: &Path) -> Result<()> {
    pip(&["install", "--target"], site, &[requirement.to_owned()], scratch)
}

/// Runs `pip <arguments> <folder> <requirements>`; what it keeps meanwhile goes to `scratch`.
fn pip(arguments: &[&str], folder: &Path, requirements: &[String], scratch: &Path) -> Result<()> {
    check_pip()?;
    let mut command = python();
    command.args(["-m", "pip"]).args(arguments).arg(folder);
    command.args(["--no-cache-dir", "--disable-pip-version-check", "--only-binary=:all:"]);
    command.args(["--implementation", "cp", "--python-version", PYTHON]);
    command.args(["--platform", "manylinux2014_x86_64"]);
    for glibc in 5..=NEWEST_GLIBC {
        command.args(["--platform", &format!("manylinux_2_{glibc}_x86_64")]);
    }
    if !io::stdout().is_terminal() {
        command.arg("--quiet"); // no progress bars in logs
    }
    command.args(requirements).env("TMPDIR", scratch).stdin(Stdio::null()).stderr(Stdio::piped());
    let output = command.spawn()?.wait_with_output()?;
    if !output.status.success() {
        bail!(explain(&requirements.join(", "), &String::from_utf8_lossy(&output.stderr)));
    }
    Ok(())
}

fn check_pip() -> Result<()> {
    match python().args(["-m", "pip", "--version"]).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(refused("set-up needs Python to download from PyPI: install Debian's python3 and python3-pip"))
        }
        Err(error) => Err(error.into()),
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(refused("python3 has no pip: install Debian's python3-pip")),
    }
}

fn python() -> Command {
    Command::new("python3")
}

/// One sentence for pip's pages of complaint.
fn explain(what: &str, complaint: &str) -> String {
    let unreachable = ["connection broken", "Max retries", "Connection", "timed out", "from versions: none"];
    if unreachable.iter().any(|sign| complaint.contains(sign)) {
        return format!(
            "can't download {what}: PyPI wasn't reachable; check the network (or pip's index and proxy settings) and \
             run `cargo xtask setup` again"
        );
    }
    let last = complaint.lines().rev().find(|line| line.starts_with("ERROR:")).unwrap_or("it gave no reason");
    format!("can't download {what}: pip says: {last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_network_is_told_from_other_failures() {
        let offline = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'\n\
                       ERROR: No matching distribution found for torch==2.11.0\n";
        let told = explain("torch==2.11.0", offline);
        assert!(told.starts_with("can't download torch==2.11.0: PyPI wasn't reachable"), "{told}");

        let full = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n\n";
        let told = explain("torch==2.11.0", full);
        assert!(told.ends_with("No space left on device"), "{told}");
    }
}
