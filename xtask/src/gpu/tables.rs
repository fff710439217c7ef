//! The results on a GPU, as Markdown.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::programs::Programs;
use super::steps::Step;
use super::trainings::Row;

/// A Markdown report, built section by section.
pub struct Report {
    parts: Vec<String>,
}

impl Report {
    /// Creates the report with the GPU and the commit.
    pub fn new(programs: &Programs, rehearse: bool) -> Self {
        let name = Command::new("nvidia-smi").args(["--query-gpu=name", "--format=csv,noheader"]).output();
        let name = name.ok().map(|name| String::from_utf8_lossy(&name.stdout).trim().to_owned());
        let device = match (rehearse, name) {
            (true, _) => "Smoke test on a CPU: not a measurement".into(),
            (false, Some(name)) if !name.is_empty() => name,
            _ => "A GPU".into(),
        };
        Report { parts: vec![format!("# {device}\n\nCommit {}.\n", programs.commit)] }
    }

    /// Adds the result of the CUDA tests.
    pub fn tests(&mut self, passed: bool) {
        let verdict = if passed { "passed" } else { "**failed**" };
        self.parts.push(format!("CUDA tests {verdict}; see `logs/cuda-tests.log`.\n"));
    }

    /// Adds the results of the training runs.
    pub fn trainings(&mut self, rows: &[Row]) {
        let mut table = String::from(
            "## Trainings on CIFAR-10\n\n\
             | | epochs | seconds per epoch | best epoch | validation loss | test loss | test top-1 accuracy |\n\
             |---|---|---|---|---|---|---|\n",
        );
        for row in rows {
            let Some(best) = row.best() else {
                table += &format!("| {} | no finished epoch | | | | | |\n", row.name);
                continue;
            };
            let number = |value: &serde_json::Value, factor: f64, digits: usize| {
                value.as_f64().map_or("".into(), |value| format!("{:.digits$}", factor * value))
            };
            let epochs = format!("{}{}", row.epochs.len(), if row.done { "" } else { " so far" });
            let seconds = row.seconds_per_epoch().map_or("".into(), |seconds| format!("{seconds:.1}"));
            table += &format!(
                "| {} | {epochs} | {seconds} | {} | {} | {} | {} % |\n",
                row.name,
                best["epoch"],
                number(&best["validation"]["loss"], 1.0, 3),
                number(&best["test"]["loss"], 1.0, 3),
                number(&best["test"]["top1"], 100.0, 1),
            );
        }
        self.parts.push(table);
    }

    /// Adds the benchmarks of training steps.
    pub fn steps(&mut self, steps: &[Step]) {
        let mut table = String::from(
            "## Samples per second\n\n\
             | | alrao, f32 | bf16, channels-last | f32, no CUDA graphs | PyTorch, f32 | ratio in f32 |\n\
             |---|---|---|---|---|---|\n",
        );
        for step in steps {
            let rate = |rate: Option<f64>| rate.map_or(String::new(), |rate| format!("{rate:.0}"));
            let [first, second, third] = step.ours;
            let ratio = first.zip(step.pytorch).map_or(String::new(), |(ours, theirs)| format!("{:.2}", ours / theirs));
            let cells = [rate(first), rate(second), rate(third), rate(step.pytorch), ratio];
            table += &format!("| {} | {} |\n", step.name, cells.join(" | "));
        }
        self.parts.push(table);
    }

    /// Returns the Markdown.
    pub fn text(&self) -> String {
        self.parts.join("\n")
    }

    /// Writes `results.md`.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, results: &Path) -> Result<()> {
        let path = results.join("results.md");
        fs::write(&path, self.text()).with_context(|| path.display().to_string())
    }
}
