//! `alrao doctor`: checks the installation and prints the devices, versions and paths in use.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::output::say;
use alrao_agents::inputs::Inputs;
use alrao_agents::q_network::{QNetwork, QNetworkSettings};
use alrao_core::device::{LIBTORCH, libtorch_path, libtorch_version, load_cuda};
use alrao_core::method::Method;
use alrao_core::path::Shown;
use alrao_envs::GymnasiumSettings;
use anyhow::{Context, Result};
use tch::{Device, Kind, Tensor};

/// The environment variable with the path of the dataset directory.
const DATA_FOLDER: &str = "ALRAO_DATA";

/// Runs the command.
///
/// # Errors
/// Training on the CPU doesn't work.
pub fn doctor() -> Result<()> {
    let path = libtorch_path();
    let version = path.as_deref().and_then(Path::parent).and_then(libtorch_version);
    say!("alrao      {}", env!("CARGO_PKG_VERSION"))?;
    say!("libtorch   {}", version.as_deref().unwrap_or("unknown version"))?;
    say!("  at       {}", path.map_or("unknown".into(), |path| path.shown()))?;
    if version.as_deref().and_then(|version| version.split('+').next()) != Some(LIBTORCH) {
        say!("  note     alrao is built for libtorch {LIBTORCH}; install that version")?;
    }
    match load_cuda() {
        Ok(count) => say!("CUDA       yes, {count} device{}", if count == 1 { "" } else { "s" })?,
        Err(reason) => say!("CUDA       no: {reason}")?,
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    say!(
        "threads    {} by default in libtorch, {cores} CPU cores; runs use the `threads` of their configuration",
        tch::get_num_threads()
    )?;
    say!("Gymnasium  {}", gymnasium())?;
    say!("datasets   searched in")?;
    for folder in data_folders() {
        say!("  {:8} {}", if folder.is_dir() { "found" } else { "missing" }, folder.shown())?;
    }
    learn_something().context("training on the CPU does not work")?;
    say!("training on the CPU works")
}

/// Describes the Python program that environments of Gymnasium use by default.
fn gymnasium() -> String {
    const VERSIONS: &str = "import sys, gymnasium; print(gymnasium.__version__, 'at', sys.executable)";
    let python = GymnasiumSettings::default().python;
    match Command::new(&python).args(["-c", VERSIONS]).stdin(Stdio::null()).output() {
        Ok(Output { status, stdout, .. }) if status.success() => String::from_utf8_lossy(&stdout).trim().into(),
        Ok(_) => format!("no: {python} doesn't have it; `pip install gymnasium`, for environments named gymnasium:ID"),
        Err(error) => format!("no: {python}: {error}"),
    }
}

/// Returns the directories that are searched for datasets, in order.
fn data_folders() -> Vec<PathBuf> {
    let named = std::env::var_os(DATA_FOLDER).map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".local/share"));
    let user = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).or_else(home);
    named.into_iter().chain([PathBuf::from("data")]).chain(user.map(|user| user.join("alrao"))).collect()
}

/// Runs one training step.
fn learn_something() -> Result<()> {
    let mut q = QNetwork::new(Inputs::vector(3), 2, &QNetworkSettings::default(), &Method::default(), 0, Device::Cpu)?;
    let observations = Tensor::ones([4, 3], (Kind::Float, Device::Cpu));
    q.learn(&observations, Tensor::from_slice(&[0i64, 1, 0, 1]), Tensor::from_slice(&[0.0f32, 1.0, 0.0, 1.0]))?;
    Ok(())
}
