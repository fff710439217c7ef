//! Training runs on CIFAR-10 to early stopping, several in parallel on one GPU, until the time limit.
//!
//! They are processes of `alrao train`, which share the GPU through NVIDIA's multi-process service. A training run whose first
//! epoch wouldn't end before the time limit isn't started. Each writes checkpoints at least after every epoch, so that a
//! later call resumes it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::programs::Programs;
use alrao_setup::usage_error;

/// A training run: its name, network, configuration and settings.
pub struct Training {
    /// `NETWORK-METHOD`
    pub name: String,
    network: &'static str,
    config: &'static str,
    settings: Vec<&'static str>,
}

/// The results of a training run so far.
pub struct Row {
    /// The training's name.
    pub name: String,
    /// Its epochs in `metrics.jsonl`.
    pub epochs: Vec<Value>,
    /// Whether it has finished.
    pub done: bool,
}

/// The plan of all training runs.
pub struct Plan<'a> {
    pub programs: &'a Programs,
    pub data: &'a Path,
    pub out: &'a Path,
    pub jobs: usize,
    pub rehearse: bool,
    pub ends: Instant,
}

/// The networks, most important first: name, configuration, settings, and SGD's best learning rate (paper, Table 1).
const NETWORKS: [(&str, &str, &[&str], &str); 4] = [
    ("mobilenet", "cifar10-mobilenet", &[], "optimizer.lr=0.1"),
    ("vgg19", "cifar10-vgg19", &[], "optimizer.lr=0.1"),
    ("googlenet", "cifar10-googlenet", &[], "optimizer.lr=0.01"),
    ("mobilenet1", "cifar10-mobilenet", &["model.version=1"], "optimizer.lr=0.1"),
];
/// Settings that halve the training time on a GPU.
const ON_GPU: [&str; 2] = ["model.precision=bf16", "model.channels_last=true"];
const SMOKE_TEST: [&str; 3] = ["model.width_factor=0.125", "data.max_train_images=64", "training.max_epochs=2"];

/// Returns all training runs with one of these name prefixes, or all, most important first.
///
/// # Errors
/// A usage error if there is none.
pub fn queue(only: &[String]) -> Result<Vec<Training>> {
    let mut all = Vec::new();
    for (network, config, settings, rate) in NETWORKS {
        let methods: [(&str, &[&str]); 3] =
            [("alrao", &[]), ("sgd", &["optimizer.kind=sgd", rate]), ("adam", &["optimizer.kind=adam"])];
        for (method, of_method) in methods {
            let settings = [settings, of_method].concat();
            all.push(Training { name: format!("{network}-{method}"), network, config, settings });
        }
    }
    let wide = Training {
        name: "mobilenet-gamma3-alrao".into(),
        network: "mobilenet-gamma3",
        config: "cifar10-mobilenet",
        settings: vec!["model.width_factor=3"],
    };
    all.push(wide);
    let names: Vec<String> = all.iter().map(|training| training.name.clone()).collect();
    all.retain(|training| only.is_empty() || only.iter().any(|start| training.name.starts_with(start)));
    match all.is_empty() {
        true => Err(usage_error(format!("--only selects none of {}", names.join(", ")))),
        false => Ok(all),
    }
}

impl Plan<'_> {
    /// Runs training runs until the time limit, and reads the results of each.
    ///
    /// # Errors
    /// A process can't be started.
    pub fn run(&self, queue: &[Training]) -> Result<Vec<Row>> {
        let _service = (!self.rehearse).then(|| Service::start(self.out)).flatten();
        let mut waiting: Vec<&Training> = queue.iter().filter(|training| !self.is_done(training)).collect();
        waiting.reverse();
        let mut running: Vec<(&Training, Child)> = Vec::new();
        while !(waiting.is_empty() && running.is_empty()) && Instant::now() < self.ends {
            while running.len() < self.jobs
                && let Some(training) = waiting.pop()
            {
                let left = self.ends.saturating_duration_since(Instant::now()).as_secs_f64();
                match self.seconds_per_epoch(queue, training.network) {
                    Some(epoch) if epoch > left => {
                        println!(
                            "{}: not started, an epoch takes {epoch:.0} s, but {left:.0} s are left",
                            training.name
                        );
                    }
                    _ => running.push((training, self.start(training)?)),
                }
            }
            sleep(Duration::from_millis(200));
            let mut going = Vec::new();
            for (training, mut child) in running {
                match child.try_wait()? {
                    None => going.push((training, child)),
                    Some(status) => println!("{}: ended, {status}", training.name),
                }
            }
            running = going;
        }
        for (training, child) in &running {
            println!("{}: stopped at the time limit", training.name);
            let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        }
        running.into_iter().try_for_each(|(_, mut child)| child.wait().map(drop))?;
        queue.iter().map(|training| self.row(training)).collect()
    }

    /// Plots the learning curves of each network, and copies metrics and summaries to the results.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn draw(&self, queue: &[Training], results: &Path) -> Result<()> {
        let mut networks: Vec<&str> = queue.iter().map(|training| training.network).collect();
        networks.dedup();
        for network in networks {
            let with_epochs = |training: &&Training| {
                training.network == network && self.row(training).is_ok_and(|row| !row.epochs.is_empty())
            };
            let runs: Vec<PathBuf> = queue.iter().filter(with_epochs).map(|training| self.folder(training)).collect();
            if runs.is_empty() {
                continue;
            }
            let file = results.join(format!("{network}.svg"));
            let mut plot = self.programs.alrao();
            plot.arg("plot").args(&runs).args(["--figure", "learning", "--out"]).arg(&file);
            let drawn = plot.output().context("can't run `alrao plot`")?;
            if !drawn.status.success() {
                println!("{network}: no curves: {}", String::from_utf8_lossy(&drawn.stderr).trim());
            }
        }
        for training in queue {
            for (file, kind) in [("metrics.jsonl", "jsonl"), ("summary.json", "json"), ("config.toml", "toml")] {
                let from = self.folder(training).join(file);
                if from.exists() {
                    fs::copy(&from, results.join("metrics").join(format!("{}.{kind}", training.name)))
                        .with_context(|| from.display().to_string())?;
                }
            }
        }
        Ok(())
    }

    fn folder(&self, training: &Training) -> PathBuf {
        self.out.join("trainings").join(&training.name)
    }

    fn is_done(&self, training: &Training) -> bool {
        self.folder(training).join("summary.json").exists()
    }

    fn start(&self, training: &Training) -> Result<Child> {
        let folder = self.folder(training);
        let mut command = self.programs.alrao();
        if folder.exists() {
            println!("{}: resumed", training.name);
            command.args(["train", "--resume"]).arg(&folder);
        } else {
            println!("{}: started", training.name);
            fs::create_dir_all(folder.parent().expect("trainings"))?;
            let (device, more): (&str, &[&str]) = match self.rehearse {
                true => ("cpu", &SMOKE_TEST),
                false => ("cuda", &["training.test_every=1"]),
            };
            command.args(["train", training.config, "--device", device, "--threads", "1", "--data"]).arg(self.data);
            let on_device: &[&str] = if self.rehearse { &[] } else { &ON_GPU };
            for setting in training.settings.iter().chain(more).chain(on_device) {
                command.args(["--set", setting]);
            }
            command.args(["--set", "training.checkpoint_seconds=30", "--out"]).arg(&folder);
        }
        let log = self.out.join("results/logs").join(format!("{}.log", training.name));
        let log = File::options().create(true).append(true).open(&log).with_context(|| log.display().to_string())?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        command.env("CUDA_MPS_PIPE_DIRECTORY", Service::pipes(self.out));
        command.spawn().with_context(|| format!("can't start {}", training.name))
    }

    /// Returns the shortest time per epoch of this network's training runs so far.
    fn seconds_per_epoch(&self, queue: &[Training], network: &str) -> Option<f64> {
        let of_network = queue.iter().filter(|training| training.network == network);
        let lengths = of_network.filter_map(|training| self.row(training).ok()?.seconds_per_epoch());
        lengths.min_by(f64::total_cmp)
    }

    fn row(&self, training: &Training) -> Result<Row> {
        let path = self.folder(training).join("metrics.jsonl");
        let text = if path.exists() { fs::read_to_string(&path)? } else { String::new() };
        let records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let epochs = records.filter(|record| record["kind"] == "epoch").collect();
        Ok(Row { name: training.name.clone(), epochs, done: self.is_done(training) })
    }
}

impl Row {
    /// Returns the mean time per epoch.
    pub fn seconds_per_epoch(&self) -> Option<f64> {
        let last = self.epochs.last()?;
        Some(last["seconds"].as_f64()? / last["epoch"].as_f64()?)
    }

    /// Returns the epoch with the best validation loss.
    pub fn best(&self) -> Option<&Value> {
        self.epochs.iter().rfind(|epoch| epoch["best"] == true)
    }
}

/// NVIDIA's multi-process service, which runs kernels of several processes concurrently; dropping it stops it.
struct Service {
    program: PathBuf,
    pipes: PathBuf,
}

impl Service {
    /// Starts the service, if possible; without it training runs share the GPU by time slices.
    fn start(out: &Path) -> Option<Self> {
        let pipes = Self::pipes(out);
        fs::create_dir_all(&pipes).ok()?;
        let names = ["nvidia-cuda-mps-control", "/usr/local/nvidia/bin/nvidia-cuda-mps-control"];
        for program in names.map(PathBuf::from) {
            let mut command = Command::new(&program);
            command.arg("-d").env("CUDA_MPS_PIPE_DIRECTORY", &pipes).env("CUDA_MPS_LOG_DIRECTORY", &pipes);
            if command.status().is_ok_and(|status| status.success()) {
                return Some(Service { program, pipes });
            }
        }
        println!("nvidia-cuda-mps-control can't be started: training runs take turns on the GPU");
        None
    }

    fn pipes(out: &Path) -> PathBuf {
        out.join("mps")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let quit = || {
            let mut command = Command::new(&self.program);
            command.env("CUDA_MPS_PIPE_DIRECTORY", &self.pipes).stdin(Stdio::piped());
            let mut child = command.spawn().ok()?;
            std::io::Write::write_all(child.stdin.as_mut()?, b"quit\n").ok()?;
            child.wait().ok()
        };
        let _ = quit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trainings_are_selected_by_name_prefix() {
        let names = |only: &[&str]| -> Vec<String> {
            let only: Vec<String> = only.iter().map(ToString::to_string).collect();
            queue(&only).unwrap().into_iter().map(|training| training.name).collect()
        };
        assert_eq!(names(&[]).len(), 13);
        assert_eq!(names(&["vgg19"]), ["vgg19-alrao", "vgg19-sgd", "vgg19-adam"]);
        let message = queue(&["resnet".into()]).err().unwrap().to_string();
        assert!(message.contains("--only") && message.contains("googlenet-sgd"), "{message}");
    }
}
