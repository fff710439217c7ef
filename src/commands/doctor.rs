//! `alrao doctor`: checks the installation and prints the devices, versions and paths in use.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::output::say;
use alrao_agents::inputs::Inputs;
use alrao_agents::q_network::{QNetwork, QNetworkSettings};
use alrao_core::device::{LIBTORCH, libtorch_path, libtorch_version, load_cuda};
use alrao_core::method::Method;
use alrao_core::path::Shown;
use alrao_envs::GymnasiumSettings;
use anyhow::{Context, Result};
use serde::Serialize;
use tch::{Device, Kind, Tensor};

/// The arguments of `alrao doctor`.
#[derive(clap::Args)]
pub struct DoctorArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What is installed here.
#[derive(Serialize)]
struct Installation {
    alrao: &'static str,
    libtorch: Libtorch,
    cuda: Cuda,
    /// libtorch's threads without a configuration
    threads: i32,
    cpu_cores: usize,
    gymnasium: Gymnasium,
    /// whether a training step on the CPU works; if not, the command fails
    training_works: bool,
}

#[derive(Serialize)]
struct Libtorch {
    version: Option<String>,
    path: Option<String>,
    expected_version: &'static str,
}

#[derive(Serialize)]
struct Cuda {
    devices: usize,
    /// why there are none
    problem: Option<String>,
}

/// Gymnasium in the Python program that its environments use by default.
#[derive(Default, Serialize)]
struct Gymnasium {
    version: Option<String>,
    python: Option<String>,
    /// why there is none
    problem: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// Training on the CPU doesn't work.
pub fn doctor(args: &DoctorArgs) -> Result<()> {
    let mut found = Installation::find();
    if !args.json {
        found.say()?;
    }
    learn_something().context("training on the CPU does not work")?;
    found.training_works = true;
    if args.json { say!("{}", serde_json::to_string(&found)?) } else { say!("training on the CPU works") }
}

impl Installation {
    fn find() -> Self {
        let path = libtorch_path();
        let (devices, problem) = match load_cuda() {
            Ok(count) => (count, None),
            Err(reason) => (0, Some(reason)),
        };
        Self {
            alrao: env!("CARGO_PKG_VERSION"),
            libtorch: Libtorch {
                version: path.as_deref().and_then(Path::parent).and_then(libtorch_version),
                path: path.map(|path| path.shown()),
                expected_version: LIBTORCH,
            },
            cuda: Cuda { devices, problem },
            threads: tch::get_num_threads(),
            cpu_cores: std::thread::available_parallelism().map_or(1, usize::from),
            gymnasium: Gymnasium::find(),
            training_works: false,
        }
    }

    fn say(&self) -> Result<()> {
        let Self { alrao, libtorch, cuda, threads, cpu_cores, gymnasium, .. } = self;
        let version = libtorch.version.as_deref();
        say!("alrao      {alrao}")?;
        say!("libtorch   {}", version.unwrap_or("unknown version"))?;
        say!("  at       {}", libtorch.path.as_deref().unwrap_or("unknown"))?;
        if version.and_then(|version| version.split('+').next()) != Some(LIBTORCH) {
            say!("  note     alrao is built for libtorch {LIBTORCH}; install that version")?;
        }
        match &cuda.problem {
            None => say!("CUDA       yes, {} device{}", cuda.devices, if cuda.devices == 1 { "" } else { "s" })?,
            Some(reason) => say!("CUDA       no: {reason}")?,
        }
        say!(
            "threads    {threads} by default in libtorch, {cpu_cores} CPU cores; runs use the `threads` of their \
             configuration"
        )?;
        match (&gymnasium.version, &gymnasium.python) {
            (Some(version), Some(python)) => say!("Gymnasium  {version} at {python}")?,
            _ => say!("Gymnasium  no: {}", gymnasium.problem.as_deref().unwrap_or_default())?,
        }
        Ok(())
    }
}

impl Gymnasium {
    fn find() -> Self {
        const VERSIONS: &str = "import sys, gymnasium; print(gymnasium.__version__); print(sys.executable)";
        let python = GymnasiumSettings::default().python;
        let none = |problem| Self { problem: Some(problem), ..Self::default() };
        match Command::new(&python).args(["-c", VERSIONS]).stdin(Stdio::null()).output() {
            Ok(Output { status, stdout, .. }) if status.success() => {
                let said = String::from_utf8_lossy(&stdout);
                let mut lines = said.lines().map(String::from);
                Self { version: lines.next(), python: lines.next(), problem: None }
            }
            Ok(_) => {
                none(format!("{python} doesn't have it; `pip install gymnasium`, for environments named gymnasium:ID"))
            }
            Err(error) => none(format!("{python}: {error}")),
        }
    }
}

/// Runs one training step.
fn learn_something() -> Result<()> {
    let mut q = QNetwork::new(Inputs::vector(3), 2, &QNetworkSettings::default(), &Method::default(), 0, Device::Cpu)?;
    let observations = Tensor::ones([4, 3], (Kind::Float, Device::Cpu));
    q.learn(&observations, Tensor::from_slice(&[0i64, 1, 0, 1]), Tensor::from_slice(&[0.0f32, 1.0, 0.0, 1.0]))?;
    Ok(())
}
