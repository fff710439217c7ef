//! `run.json`: what a run is, in the words that figures, tables and reports use. It is written when the run directory is
//! made, and is all that readers know of tasks and methods.

use std::f64::consts::LN_2;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::PlotError;
use crate::files::read_json;
use crate::panel::rate;

/// What a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// What is learnt.
    pub task: String,
    /// The run's seed.
    pub seed: u64,
    /// The width of the network, as a multiple of the usual one.
    pub width: f64,
    /// What runs of the task are compared by.
    pub metric: Metric,
    /// How the network is trained.
    pub method: MethodInfo,
}

/// What runs of a task are compared by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// What it is called: `return`, `loss`, `bits per character`.
    pub name: String,
    /// What it is counted in, where the name doesn't say so.
    pub unit: Option<String>,
    /// Whether a larger one is the better one.
    pub larger_is_better: bool,
    /// How it is had from what a run logs.
    pub measure: Measure,
}

/// How a metric is had from `metrics.jsonl` and `summary.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// It is the return of an episode.
    Return,
    /// It is the loss, which is logged in nats a sample.
    Nats,
    /// It is the loss in bits.
    Bits,
    /// It is the exponential of the loss.
    Perplexity,
}

/// How a network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodInfo {
    /// The method: `Alrao`, `SGD`.
    pub name: String,
    /// The method with what it was told to do: `SGD η = 0.1`; its name alone where that is what it usually does.
    pub label: String,
    /// The smallest and the largest learning rate; equal where there is a single one.
    pub rates: [f64; 2],
    /// Whether steps are divided by the size of recent gradients, so that a rate is none of plain descent.
    pub adaptive: bool,
}

impl RunInfo {
    /// Its name in the run directory.
    pub const FILE: &str = "run.json";

    /// Reads it from a run directory.
    ///
    /// # Errors
    /// [`PlotError::OlderVersion`] if there is a run, but not this file; else it is missing or malformed.
    pub fn read(dir: &Path) -> Result<Self, PlotError> {
        if let Some(info) = read_json(&dir.join(Self::FILE))? {
            return Ok(info);
        }
        let path = dir.join("config.toml");
        let config = fs::read_to_string(&path).map_err(PlotError::read(&path))?;
        let Config { versions: Versions { alrao } } = toml::from_str(&config).unwrap_or_default();
        Err(PlotError::OlderVersion { dir: dir.into(), version: alrao.unwrap_or("of an unknown version".into()) })
    }
}

/// What is read of the configuration of a run by any version.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    versions: Versions,
}

#[derive(Default, Deserialize)]
struct Versions {
    alrao: Option<String>,
}

impl Metric {
    /// Name and unit, for an axis.
    pub(crate) fn label(&self) -> String {
        self.unit.iter().fold(self.name.clone(), |name, unit| format!("{name}, {unit}"))
    }
}

impl Measure {
    /// A logged loss, in nats a sample, as this.
    pub(crate) fn of(self, loss: f64) -> f64 {
        match self {
            Measure::Return | Measure::Nats => loss,
            Measure::Bits => loss / LN_2,
            Measure::Perplexity => loss.exp(),
        }
    }
}

impl MethodInfo {
    /// The method of this name at these rates, the smallest and the largest, labelled with them unless they are an interval
    /// that is usual for it.
    pub fn new(name: &str, rates: [f64; 2], usual: bool, adaptive: bool) -> Self {
        let [low, high] = rates;
        let label = match usual {
            _ if low == high => format!("{name} \u{3b7} = {}", rate(low)),
            true => name.into(),
            false => format!("{name} [{}, {}]", rate(low), rate(high)),
        };
        MethodInfo { name: name.into(), label, rates, adaptive }
    }

    /// The learning rate, where there is a single one.
    pub fn rate(&self) -> Option<f64> {
        let [low, high] = self.rates;
        (low == high).then_some(low)
    }

    /// The smallest and the largest rate, where there are many.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let [low, high] = self.rates;
        (low < high).then_some((low, high))
    }

    /// Whether it has many rates, and does with them what it usually does.
    pub fn is_usual(&self) -> bool {
        self.interval().is_some() && self.label == self.name
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn returns() -> Metric {
        Metric { name: "return".into(), unit: None, larger_is_better: true, measure: Measure::Return }
    }

    pub(crate) fn nats() -> Metric {
        let unit = Some("nats per image".into());
        Metric { name: "loss".into(), unit, larger_is_better: false, measure: Measure::Nats }
    }

    #[test]
    fn a_method_is_labelled_by_its_rates() {
        let label = |name, rates, usual| MethodInfo::new(name, rates, usual, false).label;
        assert_eq!(label("Alrao", [1e-5, 10.0], true), "Alrao");
        assert_eq!(label("Alrao", [1e-5, 1.0], false), "Alrao [1e\u{2212}5, 1]");
        assert_eq!(label("SGD", [0.1, 0.1], false), "SGD \u{3b7} = 0.1");
        assert_eq!(label("Adam", [1e-5, 1e-5], true), "Adam \u{3b7} = 1e\u{2212}5");
    }

    #[test]
    fn a_run_of_the_version_before_is_told_from_a_damaged_one() {
        let dir = tempfile::tempdir().unwrap();
        let error = || RunInfo::read(dir.path()).unwrap_err().to_string();
        assert!(error().contains("can't read") && error().contains("config.toml"), "{}", error());
        fs::write(dir.path().join("config.toml"), "optimiser = 3\n[versions]\nalrao = \"0.0.7\"\n").unwrap();
        let words = ["an earlier alrao (0.0.7)", "run.json", "train"];
        assert!(words.iter().all(|word| error().contains(word)), "{}", error());
        fs::write(dir.path().join("config.toml"), "not toml").unwrap();
        assert!(error().contains("an unknown version"), "{}", error());
        fs::write(dir.path().join("run.json"), "{}").unwrap();
        assert!(error().contains("run.json: missing field `task`"), "{}", error());
    }
}
