//! Comparison of programs that are measured in turn.
//!
//! Each program measures itself; its last line begins with its throughput, as in `19400 steps/s`. Other load on the machine
//! affects programs in a round alike, so ratios are taken within a round and their median is reported.

use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::{Map, Value};

use crate::cargo::failed;

/// The duration of a benchmark.
#[derive(Args, Clone, Copy)]
pub struct BenchArgs {
    /// Number of rounds.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Seconds per measurement, without start-up.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
}

/// A program that measures itself.
pub struct Program {
    /// The name.
    pub name: &'static str,
    /// The command.
    pub command: Command,
}

/// The names of our program and of another, and the target for our speed-up.
pub struct Target(pub &'static str, pub &'static str, pub f64);

/// A throughput or ratio in each round.
struct Measurement {
    name: String,
    values: Vec<f64>, // [rounds]
    target: Option<f64>,
}

/// Measures all programs in each round, then prints their throughput in `unit`, the ratios of `targets`, and both again as
/// a line of JSON, after the `known` values.
pub fn compare(
    bench: &str,
    unit: &str,
    mut programs: Vec<Program>,
    targets: &[Target],
    rounds: u32,
    known: &[(&str, Value)],
) -> Result<()> {
    let measurement = |program: &Program| Measurement { name: program.name.into(), values: Vec::new(), target: None };
    let mut rates: Vec<Measurement> = programs.iter().map(measurement).collect();
    for round in 1..=rounds {
        for (program, measurement) in programs.iter_mut().zip(&mut rates) {
            let rate = rate(program)?;
            eprintln!("round {round} of {rounds}: {}, {rate:.0} {unit}", program.name);
            measurement.values.push(rate);
        }
    }
    let ratios = ratios(&rates, targets);
    println!("\n{}\n{}", table(unit, &rates), table("ratio", &ratios));
    let medians = |measurements: &[Measurement]| -> Map<_, _> {
        measurements.iter().map(|measurement| (measurement.name.clone(), median(&measurement.values).into())).collect()
    };
    let (measurements, ratios) = (medians(&rates), medians(&ratios));
    let mut told: Map<_, _> = known.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    told.extend([("bench".into(), bench.into()), ("unit".into(), unit.into()), ("rounds".into(), rounds.into())]);
    told.extend([("figures".into(), measurements.into()), ("ratios".into(), ratios.into())]);
    println!("{}", Value::Object(told));
    Ok(())
}

/// Measures the throughput of a program.
///
/// # Errors
/// The program fails, or prints no throughput.
pub fn rate(program: &mut Program) -> Result<f64> {
    let line = last_line(program.name, &mut program.command)?;
    let rate = line.split_whitespace().next().and_then(|word| word.parse().ok());
    match rate.filter(|rate: &f64| rate.is_finite() && *rate > 0.0) {
        Some(rate) => Ok(rate),
        None => bail!("{} must end with its throughput, but printed `{line}`", program.name),
    }
}

/// Runs `command` for `what` and returns its last line.
pub fn last_line(what: &str, command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("can't run `{}`, which measures {what}", command.get_program().display()))?;
    if !output.status.success() {
        return Err(failed(what, output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned())
}

/// Computes the speed-ups of each round.
fn ratios(rates: &[Measurement], targets: &[Target]) -> Vec<Measurement> {
    let of =
        |name| &rates.iter().find(|measurement| measurement.name == name).expect("targets are about programs").values;
    let ratio = |&Target(ours, theirs, target)| Measurement {
        name: format!("{ours} / {theirs}"),
        values: of(ours).iter().zip(of(theirs)).map(|(ours, theirs)| ours / theirs).collect(),
        target: Some(target),
    };
    targets.iter().map(ratio).collect()
}

fn table(unit: &str, measurements: &[Measurement]) -> String {
    let head = format!("{unit:<50} {:>12} {:>12} {:>12}\n", "median", "lowest", "highest");
    let row = |measurement: &Measurement| {
        let (digits, target) =
            measurement.target.map_or((0, String::new()), |target| (2, format!("  target: {target}")));
        let values = spread(&measurement.values).map(|value| format!(" {value:>12.digits$}")).concat();
        format!("{:<50}{values}{target}\n", measurement.name)
    };
    head + &measurements.iter().map(row).collect::<String>()
}

/// Returns median, minimum and maximum of at least one value, which may be infinite.
pub fn spread(values: &[f64]) -> [f64; 3] {
    let none = [f64::INFINITY, f64::NEG_INFINITY];
    let [low, high] = values.iter().fold(none, |[low, high], &x| [low.min(x), high.max(x)]);
    [median(values), low, high]
}

/// Returns the median of at least one value.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

/// Creates a command that runs on the last `count` of the cores that this process may use.
pub fn on_cores(count: usize, program: impl AsRef<OsStr>) -> Result<Command> {
    let status = fs::read_to_string("/proc/self/status")?;
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0");
    let cores = cores(allowed).with_context(|| format!("`{allowed}` is not a list of cores"))?;
    let Some(first) = cores.len().checked_sub(count) else {
        bail!("this process may use {} cores, but it takes {count}", cores.len());
    };
    let cores: Vec<String> = cores[first..].iter().map(ToString::to_string).collect();
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", &cores.join(",")]).arg(program);
    Ok(command)
}

/// Parses a list of cores like `0-3,8`.
fn cores(list: &str) -> Option<Vec<u32>> {
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    let ranges: Option<Vec<_>> = list.trim().split(',').map(range).collect();
    Some(ranges?.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(name: &'static str, line: &str) -> Program {
        let mut command = Command::new("echo");
        command.arg(line);
        Program { name, command }
    }

    #[test]
    fn the_last_lines_first_word_is_the_rate() {
        assert_eq!(rate(&mut says("we", "hello\n12.5 steps/s over 9 steps")).unwrap(), 12.5);
        for line in ["fast", "", "0 steps/s", "nan steps/s"] {
            let told = rate(&mut says("we", line)).unwrap_err().to_string();
            assert_eq!(told, format!("we must end with its throughput, but printed `{line}`"));
        }
        let told = rate(&mut Program { name: "they", command: Command::new("false") }).unwrap_err().to_string();
        assert_eq!(told, "they failed with exit code 1");
    }

    #[test]
    fn ratios_are_taken_within_rounds() {
        // The machine was slow in the second round: the ratio of the medians would be 3.
        let rates = [("we", [30.0, 9.0, 40.0]), ("they", [10.0, 4.5, 20.0])].map(|(name, values)| Measurement {
            name: name.into(),
            values: values.into(),
            target: None,
        });
        let ratios = ratios(&rates, &[Target("we", "they", 2.5)]);
        assert_eq!(spread(&ratios[0].values), [2.0, 2.0, 3.0]);
        let table = table("ratio", &ratios);
        let words: Vec<_> = table.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(words, ["we", "/", "they", "2.00", "2.00", "3.00", "target:", "2.5"]);
    }

    #[test]
    fn cpu_lists_may_contain_ranges() {
        assert_eq!(cores("0-2,8,10-11\n"), Some(vec![0, 1, 2, 8, 10, 11]));
        assert_eq!(cores("all"), None);
    }

    #[test]
    fn an_even_number_of_rounds_has_a_median_too() {
        let measurement = Measurement { name: String::new(), values: vec![4.0, 1.0, 3.0, 9.0], target: None };
        assert_eq!(spread(&measurement.values), [3.5, 1.0, 9.0]);
    }
}
