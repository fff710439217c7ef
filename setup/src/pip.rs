//! C and C++ libraries from PyPI, ready-made or as sources, through Python's own client.
//!
//! Both come as archives, so they serve whatever the local Python's version is, and nothing is installed into it.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::failure::usage_error;

/// The Python version whose wheels are downloaded; their libraries are the same for all versions.
const PYTHON: &str = "3.11";
/// The newest glibc, 2.28, whose wheels are accepted. pip must be given each older version, too.
const NEWEST_GLIBC: u32 = 28;

/// Extracts from the archive `argv[1]` the files whose names start with one of `argv[3..]` to the folder `argv[2]`.
const UNPACK: &str = "
import sys, tarfile, zipfile
path, folder, *paths = sys.argv[1:]
with zipfile.ZipFile(path) if zipfile.is_zipfile(path) else tarfile.open(path) as archive:
    names = archive.namelist() if zipfile.is_zipfile(path) else archive.getnames()
    for start in paths:
        chosen = [name for name in names if name.startswith(start)]
        if not chosen:
            sys.exit(f'{path} holds no {start}')
        for name in chosen:
            archive.extract(name, folder)
";

/// A wheel, pinned by its SHA-256, and the paths to extract.
pub struct Wheel {
    /// Name on PyPI.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
    /// The file's SHA-256, in hexadecimal.
    pub sha256: &'static str,
    /// Files and folders (ending with `/`) in the archive.
    pub paths: &'static [&'static str],
}

/// A source archive, pinned by its SHA-256, and the paths to extract.
pub struct Source {
    /// Name on PyPI.
    pub name: &'static str,
    /// The exact version.
    pub version: &'static str,
    /// The file's SHA-256, in hexadecimal.
    pub sha256: &'static str,
    /// Files and folders (ending with `/`) in the archive's one folder.
    pub paths: &'static [&'static str],
}

/// Downloads wheels and extracts their `paths` to the returned folder.
pub fn fetch(wheels: &[Wheel], scratch: &Path) -> Result<PathBuf> {
    let downloads = scratch.join("downloads");
    let unpacked = scratch.join("unpacked");
    let pins = wheels.iter().map(|wheel| pin(wheel.name, wheel.version, wheel.sha256)).collect::<String>();
    pip(&["download", "--dest"], &downloads, &pins, scratch)?;
    let files: Vec<_> = fs::read_dir(&downloads)?.collect::<io::Result<_>>()?;
    for wheel in wheels {
        let start = format!("{}-{}-", wheel.name.replace('-', "_"), wheel.version);
        let Some(file) = files.iter().find(|file| file.file_name().to_string_lossy().starts_with(&start)) else {
            bail!("pip downloaded no {start}*.whl");
        };
        unpack(&file.path(), &unpacked, wheel.paths)?;
    }
    Ok(unpacked)
}

/// Downloads a source archive and extracts its `paths` to the returned folder.
pub fn fetch_source(source: &Source, scratch: &Path) -> Result<PathBuf> {
    let (downloads, unpacked) = (scratch.join("downloads"), scratch.join("unpacked"));
    let requirements = written(&pin(source.name, source.version, source.sha256), scratch)?;
    let options = ["download", "--no-deps", "--require-hashes", "--no-binary", source.name, "--dest"].map(OsStr::new);
    let what = format!("{}=={}", source.name, source.version);
    run(&what, &[&options[..], &[downloads.as_os_str(), "-r".as_ref(), requirements.as_os_str()]].concat(), scratch)?;
    let folder = format!("{}-{}", source.name, source.version);
    let paths: Vec<_> = source.paths.iter().map(|path| format!("{folder}/{path}")).collect();
    unpack(&downloads.join(format!("{folder}.tar.gz")), &unpacked, &paths)?;
    Ok(unpacked.join(folder))
}

fn unpack(archive: &Path, folder: &Path, paths: &[impl AsRef<OsStr>]) -> Result<()> {
    let status = python().args(["-c", UNPACK]).arg(archive).arg(folder).args(paths).status()?;
    if !status.success() {
        bail!("can't unpack {}", archive.display());
    }
    Ok(())
}

/// Installs the packages of `pins`, lines of the form `NAME==VERSION --hash=sha256:...`, without their dependencies, to the
/// folder `site`.
pub fn install(pins: &str, site: &Path, scratch: &Path) -> Result<()> {
    pip(&["install", "--target"], site, pins, scratch)
}

/// Returns the line of a requirements file that pins a package by its SHA-256.
fn pin(name: &str, version: &str, sha256: &str) -> String {
    format!("{name}=={version} --hash=sha256:{sha256}\n")
}

/// Writes a requirements file.
fn written(pins: &str, scratch: &Path) -> Result<PathBuf> {
    let path = scratch.join("requirements.txt");
    fs::write(&path, pins)?;
    Ok(path)
}

/// Creates a virtual environment with these requirements in the folder `entry`.
pub fn virtual_environment(requirements: &[&str], entry: &Path, scratch: &Path) -> Result<()> {
    check_pip()?;
    // Debian's Python can't give it a pip of its own without more packages; this one serves.
    let status = python().args(["-m", "venv", "--without-pip"]).arg(entry).status()?;
    if !status.success() {
        bail!("can't make a virtual environment with `python3 -m venv`");
    }
    let inside = entry.join("bin/python");
    let mut arguments =
        vec![OsStr::new("--python"), inside.as_ref(), "install".as_ref(), "--only-binary=:all:".as_ref()];
    arguments.extend(requirements.iter().map(OsStr::new));
    run(&requirements.join(", "), &arguments, scratch)
}

/// Runs `pip <arguments> <folder> -r <pins>` for the wheels of a fixed Python version and platform, which need not be this
/// machine's.
fn pip(arguments: &[&str], folder: &Path, pins: &str, scratch: &Path) -> Result<()> {
    let (command, options) = arguments.split_first().expect("pip has commands");
    let platforms: Vec<_> = (5..=NEWEST_GLIBC).map(|glibc| format!("--platform=manylinux_2_{glibc}_x86_64")).collect();
    let wheels =
        ["--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp", "--python-version", PYTHON];
    let requirements = written(pins, scratch)?;
    let mut all: Vec<&OsStr> = vec![command.as_ref(), "--platform=manylinux2014_x86_64".as_ref()];
    all.extend(wheels.map(OsStr::new));
    all.extend(platforms.iter().map(OsStr::new));
    all.extend(options.iter().map(OsStr::new));
    all.extend([folder.as_os_str(), "-r".as_ref(), requirements.as_os_str()]);
    let names: Vec<_> = pins.lines().filter_map(|line| line.split(' ').next()).collect();
    run(&names.join(", "), &all, scratch)
}

/// Runs `pip <arguments>` to download `what`, with temporary files in `scratch`.
fn run(what: &str, arguments: &[&OsStr], scratch: &Path) -> Result<()> {
    check_pip()?;
    let mut command = python();
    command.args(["-m", "pip"]).args(arguments).args(["--no-cache-dir", "--disable-pip-version-check"]);
    if !io::stdout().is_terminal() {
        command.arg("--quiet"); // no progress bars in logs
    }
    command.env("TMPDIR", scratch).stdin(Stdio::null()).stderr(Stdio::piped());
    let output = command.spawn()?.wait_with_output()?;
    if !output.status.success() {
        bail!(explain(what, &String::from_utf8_lossy(&output.stderr)));
    }
    Ok(())
}

fn check_pip() -> Result<()> {
    match python().args(["-m", "pip", "--version"]).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(usage_error("set-up needs Python to download from PyPI: install Debian's python3 and python3-pip"))
        }
        Err(error) => Err(error.into()),
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => Err(usage_error("python3 has no pip: install Debian's python3-pip")),
    }
}

fn python() -> Command {
    Command::new("python3")
}

/// Summarizes pip's error output in one sentence.
fn explain(what: &str, complaint: &str) -> String {
    let unreachable = ["connection broken", "Max retries", "Connection", "timed out", "from versions: none"];
    if unreachable.iter().any(|sign| complaint.contains(sign)) {
        return format!(
            "can't download {what}: PyPI wasn't reachable; check the network (or pip's index and proxy settings) and \
             run the set-up again"
        );
    }
    if complaint.contains("DO NOT MATCH THE HASHES") {
        return format!("can't use {what}: the file downloaded is not the one that was released (its SHA-256 differs)");
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
