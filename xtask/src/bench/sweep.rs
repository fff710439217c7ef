//! `cargo xtask bench sweep`: the CPU utilization of a sweep of 16 equal runs on two cores, and the overhead of the
//! process that manages them.

use std::fs;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::comparison::on_cores;
use crate::cargo::{cargo, failed, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

const CORES: usize = 2;
/// The sweep; a run takes two seconds.
const SWEEP: &str = "\
seeds = \"0-15\"

[[task]]
config = \"pendulum\"
device = \"cpu\"
schedule.steps = 4000
";
/// The targets: the minimum CPU utilization by runs, and the maximum overhead relative to the runs' CPU time.
const TARGETS: [f64; 2] = [0.9, 0.02];
/// The unit of CPU time in `/proc`.
const TICKS_PER_SECOND: f64 = 100.0;

/// Builds the program and measures.
pub fn run(checkout: &Checkout) -> Result<()> {
    setup::run(checkout, false)?;
    run_command("the build", cargo(checkout).args(["build", "--quiet", "--release", "--bin", "alrao"]))?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("sweep.toml");
    fs::write(&file, SWEEP)?;
    let mut command = on_cores(CORES, checkout.root.join("target/release/alrao"))?;
    command.arg("sweep").arg(&file).args(["--jobs", &CORES.to_string(), "--out"]).arg(folder.path().join("out"));
    let begin = Instant::now();
    let mut process = command.stdout(Stdio::null()).spawn().context("can't run the sweep")?;
    let mut seconds = [0.0; 2];
    let status = loop {
        if let Some(status) = process.try_wait()? {
            break status;
        }
        seconds = cpu_seconds(&process)?.unwrap_or(seconds);
        sleep(Duration::from_millis(10));
    };
    let wall = begin.elapsed().as_secs_f64();
    if !status.success() {
        return Err(failed("the sweep", status));
    }
    let [own, runs] = seconds;
    let (busy, overhead) = (runs / (wall * CORES as f64), own / runs);
    println!("16 runs took {wall:.1} s, and {runs:.1} s of CPU time; the sweep itself took {own:.2} s of CPU time");
    println!("CPU utilization by runs {:6.1} %  target: at least {:.0} %", 100.0 * busy, 100.0 * TARGETS[0]);
    println!("overhead of the sweep  {:6.2} %  target: at most {:.0} %", 100.0 * overhead, 100.0 * TARGETS[1]);
    let figures = json!({"wall_seconds": wall, "own_seconds": own, "runs_seconds": runs});
    println!("{}", json!({"bench": "sweep", "figures": figures, "ratios": {"busy": busy, "overhead": overhead}}));
    Ok(())
}

/// Returns the CPU time of a process and of its finished children, in seconds; none if the process has ended.
fn cpu_seconds(process: &Child) -> Result<Option<[f64; 2]>> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id()))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    if fields.first() == Some(&"Z") {
        return Ok(None);
    }
    let ticks = fields.get(11..15).map(|ticks| ticks.iter().map(|t| t.parse::<f64>()).collect::<Result<Vec<_>, _>>());
    let Some(Ok(ticks)) = ticks else { bail!("no CPU time in /proc/PID/stat: {stat}") };
    Ok(Some([ticks[0] + ticks[1], ticks[2] + ticks[3]].map(|ticks| ticks / TICKS_PER_SECOND)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_of_children_is_separate() {
        // a busy child, then idle
        let busy = "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done'; sleep 60";
        let mut process = std::process::Command::new("sh").args(["-c", busy]).spawn().unwrap();
        let seconds = loop {
            let seconds = cpu_seconds(&process).unwrap().unwrap();
            if seconds[1] > 0.0 {
                break seconds;
            }
            sleep(Duration::from_millis(10));
        };
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(seconds[0] < seconds[1], "{seconds:?}");
    }
}
