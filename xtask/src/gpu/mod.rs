//! `cargo xtask gpu`: everything that needs a GPU, most important first, within a time limit: the CUDA tests, training runs on
//! CIFAR-10, and benchmarks of each network against PyTorch.
//!
//! The output directory contains `results/` (tables, curves, logs, metrics) and `trainings/`, whose run directories the next
//! call resumes, on this GPU or another. `--pack` collects the programs in a directory that works without cargo, sources
//! or network.

mod programs;
mod steps;
mod tables;
mod trainings;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::checkout::Checkout;
use alrao_setup::usage_error;
use programs::Programs;

/// The file that identifies the programs of an output directory.
const STAMP: &str = "gpu.json";
/// The minimum time limit.
const MIN_TIME: Duration = Duration::from_secs(60);
/// The names of CIFAR-10's binary files.
const DATA: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
const DATA_BYTES: u64 = 10_000 * 3073;

/// The arguments of `cargo xtask gpu`.
#[derive(Args)]
pub struct GpuArgs {
    /// Time limit in wall-clock minutes, after the build.
    #[arg(long, value_name = "N", required_unless_present = "pack")]
    minutes: Option<f64>,
    /// Directory of CIFAR-10's binary files.
    #[arg(long, value_name = "DIR", required_unless_present = "pack")]
    data: Option<PathBuf>,
    /// Output directory; its training runs are resumed.
    #[arg(long, value_name = "DIR", default_value = "runs/gpu")]
    out: PathBuf,
    /// Number of parallel training runs on the GPU.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// Run only training runs with this name prefix; may be repeated.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Spend all the time on training runs, without the benchmarks.
    #[arg(long)]
    skip_benchmarks: bool,
    /// Smoke test on the CPU: an eighth of the width, 64 images, benchmarks of a second.
    #[arg(long)]
    rehearse: bool,
    /// Only pack the programs in a new directory for another machine: `DIR/xtask gpu --minutes ...` there.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["minutes", "data"])]
    pack: Option<PathBuf>,
}

/// Checks the arguments, builds the programs unless they are packed, and runs everything that fits the time limit.
pub fn run(checkout: &Checkout, args: &GpuArgs) -> Result<()> {
    if let Some(folder) = &args.pack {
        if folder.exists() {
            return Err(usage_error(format!("{} exists: choose a new directory for --pack", folder.display())));
        }
        return Programs::build(checkout, false)?.pack(folder);
    }
    let (minutes, data) = (args.minutes.expect("required"), args.data.as_ref().expect("required"));
    let time = check_minutes(minutes, args.rehearse)?;
    check_data(data)?;
    if !args.rehearse {
        check_gpu()?;
    }
    let queue = trainings::queue(&args.only)?;
    let programs = match Programs::packed()? {
        Some(programs) => programs,
        None => Programs::build(checkout, args.rehearse)?,
    };
    let ends = Instant::now() + time;
    let out = std::path::absolute(&args.out)?;
    open(&out, &programs.commit, args.rehearse)?;
    let results = out.join("results");
    for folder in ["logs", "metrics"] {
        fs::create_dir_all(results.join(folder)).with_context(|| results.display().to_string())?;
    }

    let mut report = tables::Report::new(&programs, args.rehearse);
    report.tests(programs.tests(&results.join("logs/cuda-tests.log"))?);
    let benchmarks = match args.skip_benchmarks {
        true => Duration::ZERO,
        false => steps::time_for(ends.saturating_duration_since(Instant::now()), args.rehearse),
    };
    let plan = trainings::Plan {
        programs: &programs,
        data: &std::path::absolute(data)?,
        out: &out,
        jobs: args.jobs as usize,
        rehearse: args.rehearse,
        ends: ends - benchmarks,
    };
    let rows = plan.run(&queue)?;
    report.trainings(&rows);
    report.write(&results)?;
    if !args.skip_benchmarks {
        report.steps(&steps::measure(&programs, args.rehearse, ends));
    }
    plan.draw(&queue, &results)?;
    report.write(&results)?;
    println!("{}\nresults: {}", report.text(), results.display());
    Ok(())
}

fn check_minutes(minutes: f64, rehearse: bool) -> Result<Duration> {
    let min = if rehearse { Duration::from_secs(1) } else { MIN_TIME };
    match Duration::try_from_secs_f64(60.0 * minutes) {
        Ok(time) if time >= min && minutes < 1e4 => Ok(time),
        _ => Err(usage_error(format!(
            "--minutes {minutes}: must be at least {:.1}, because the first training needs {:.0} s",
            min.as_secs_f64() / 60.0,
            min.as_secs_f64()
        ))),
    }
}

fn check_data(folder: &Path) -> Result<()> {
    for name in DATA {
        let path = folder.join(name);
        match fs::metadata(&path) {
            Ok(file) if file.len() == DATA_BYTES => {}
            Ok(file) => {
                let (found, expected) = (file.len(), DATA_BYTES);
                let problem = format!("{} has {found} bytes, but CIFAR-10's file has {expected}", path.display());
                return Err(usage_error(format!("{problem}: --data needs the six files of its binary version")));
            }
            Err(error) => {
                let problem = format!("{}: {error}", path.display());
                let names = format!("{} to {} and {}", DATA[0], DATA[4], DATA[5]);
                return Err(usage_error(format!("{problem}: --data needs CIFAR-10's binary files, {names}")));
            }
        }
    }
    Ok(())
}

fn check_gpu() -> Result<()> {
    let listed = Command::new("nvidia-smi").arg("-L").output();
    if listed.is_ok_and(|listed| listed.status.success() && !listed.stdout.is_empty()) {
        return Ok(());
    }
    Err(usage_error("`nvidia-smi -L` lists no NVIDIA GPU on this machine; use --rehearse for a smoke test on the CPU"))
}

/// Creates the output directory, or checks that its training runs are from the same programs.
fn open(out: &Path, commit: &str, rehearse: bool) -> Result<()> {
    let stamp = out.join(STAMP);
    let ours = json!({"commit": commit, "rehearse": rehearse});
    if !out.exists() {
        fs::create_dir_all(out).with_context(|| out.display().to_string())?;
        return fs::write(&stamp, format!("{ours}\n")).with_context(|| stamp.display().to_string());
    }
    let theirs: Option<Value> = fs::read_to_string(&stamp).ok().and_then(|text| serde_json::from_str(&text).ok());
    match theirs {
        Some(theirs) if theirs == ours => Ok(()),
        Some(theirs) => Err(usage_error(format!(
            "{} contains training runs of the build {theirs}, but this is the build {ours}: choose another --out",
            out.display()
        ))),
        None => Err(usage_error(format!(
            "{} exists, but is not from `cargo xtask gpu`: choose another --out",
            out.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_minutes_are_an_error() {
        assert_eq!(check_minutes(2.0, false).unwrap(), Duration::from_secs(120));
        for minutes in [0.5, 0.0, -1.0, f64::NAN, f64::INFINITY] {
            let message = check_minutes(minutes, false).unwrap_err().to_string();
            assert!(message.contains("--minutes") && message.contains("60 s"), "{message}");
        }
        assert!(check_minutes(0.2, true).is_ok());
    }

    #[test]
    fn other_data_are_an_error_with_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let message = check_data(folder.path()).unwrap_err().to_string();
        assert!(message.contains("data_batch_1.bin") && message.contains("CIFAR-10"), "{message}");
        DATA.iter().for_each(|name| fs::write(folder.path().join(name), "x").unwrap());
        let message = check_data(folder.path()).unwrap_err().to_string();
        assert!(message.contains("has 1 bytes") && message.contains("30730000"), "{message}");
    }

    #[test]
    fn an_output_directory_of_other_programs_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        open(&out, "one", false).unwrap();
        open(&out, "one", false).unwrap();
        let message = open(&out, "two", false).unwrap_err().to_string();
        assert!(message.contains("one") && message.contains("two") && message.contains("--out"), "{message}");
        assert!(open(folder.path(), "one", false).unwrap_err().to_string().contains("not from"));
    }
}
