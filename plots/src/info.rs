//! `run.json`: the description of a run for figures, tables and reports. It is written when the run directory is created
//! and is all that readers know about tasks and methods.

use std::f64::consts::LN_2;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::PlotError;
use crate::files::read_json;
use crate::panel::rate;

/// The description of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The name of the task.
    pub task: String,
    /// The run's seed.
    pub seed: u64,
    /// The width factor of the network.
    pub width: f64,
    /// The primary metric of the task.
    pub metric: Metric,
    /// The training method.
    pub method: MethodInfo,
}

/// The primary metric of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name: `return`, `loss`, `bits per character`.
    pub name: String,
    /// Its unit, unless the name contains it.
    pub unit: Option<String>,
    /// Whether larger values are better.
    pub larger_is_better: bool,
    /// How it is computed from the logged values.
    pub measure: Measure,
}

/// The computation of a metric from `metrics.jsonl` and `summary.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// The return of an episode.
    Return,
    /// The loss as logged, in nats per sample.
    Nats,
    /// The loss in bits.
    Bits,
    /// The exponential of the loss.
    Perplexity,
}

/// The training method of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodInfo {
    /// The name of the method: `Alrao`, `SGD`.
    pub name: String,
    /// The method with its learning rates, `SGD η = 0.1`; only its name for Alrao's default range.
    pub label: String,
    /// The smallest and the largest learning rate; equal for a single one.
    pub rates: [f64; 2],
    /// Whether updates are normalized by recent gradients, as in Adam, so that learning rates don't compare with SGD's.
    pub adaptive: bool,
}

impl RunInfo {
    /// The file's name in the run directory.
    pub const FILE: &str = "run.json";

    /// Reads the description from a run directory.
    ///
    /// # Errors
    /// [`PlotError::OlderVersion`] if the directory is a run of another version without this file; else the file is
    /// missing or malformed.
    pub fn read(dir: &Path) -> Result<Self, PlotError> {
        if let Some(info) = read_json(&dir.join(Self::FILE))? {
            return Ok(info);
        }
        let path = dir.join("config.toml");
        let config = fs::read_to_string(&path).map_err(PlotError::read(&path))?;
        let Config { versions: Versions { alrao } } = toml::from_str(&config).unwrap_or_default();
        if alrao.as_deref() == Some(env!("CARGO_PKG_VERSION")) {
            let path = dir.join(Self::FILE);
            return Err(PlotError::Read { path, source: io::Error::from_raw_os_error(NOT_FOUND) });
        }
        Err(PlotError::OlderVersion { dir: dir.into(), version: alrao.unwrap_or("of an unknown version".into()) })
    }
}

/// The system's number of "No such file or directory".
const NOT_FOUND: i32 = 2;

/// The part of a run's configuration that all versions share.
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
    /// Returns name and unit, for an axis.
    pub(crate) fn label(&self) -> String {
        self.unit.iter().fold(self.name.clone(), |name, unit| format!("{name}, {unit}"))
    }
}

impl Measure {
    /// Converts a logged loss, in nats per sample.
    pub(crate) fn of(self, loss: f64) -> f64 {
        match self {
            Measure::Return | Measure::Nats => loss,
            Measure::Bits => loss / LN_2,
            Measure::Perplexity => loss.exp(),
        }
    }
}

impl MethodInfo {
    /// Creates the description of a method with its smallest and largest learning rates, which the label contains unless
    /// they are its `usual` range.
    pub fn new(name: &str, rates: [f64; 2], usual: bool, adaptive: bool) -> Self {
        let [low, high] = rates;
        let label = match usual {
            _ if low == high => format!("{name} \u{3b7} = {}", rate(low)),
            true => name.into(),
            false => format!("{name} [{}, {}]", rate(low), rate(high)),
        };
        MethodInfo { name: name.into(), label, rates, adaptive }
    }

    /// Returns the learning rate, if there is a single one.
    pub fn lr(&self) -> Option<f64> {
        let [low, high] = self.rates;
        (low == high).then_some(low)
    }

    /// Returns the learning-rate range, if there is one.
    pub fn lr_range(&self) -> Option<(f64, f64)> {
        let [low, high] = self.rates;
        (low < high).then_some((low, high))
    }

    /// Returns whether the method has its usual learning-rate range.
    pub fn has_default_range(&self) -> bool {
        self.lr_range().is_some() && self.label == self.name
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
    fn a_methods_label_has_its_learning_rates() {
        let label = |name, rates, usual| MethodInfo::new(name, rates, usual, false).label;
        assert_eq!(label("Alrao", [1e-5, 10.0], true), "Alrao");
        assert_eq!(label("Alrao", [1e-5, 1.0], false), "Alrao [1e\u{2212}5, 1]");
        assert_eq!(label("SGD", [0.1, 0.1], false), "SGD \u{3b7} = 0.1");
        assert_eq!(label("Adam", [1e-5, 1e-5], true), "Adam \u{3b7} = 1e\u{2212}5");
    }

    #[test]
    fn runs_of_earlier_versions_and_corrupt_runs_are_different_errors() {
        let dir = tempfile::tempdir().unwrap();
        let error = || RunInfo::read(dir.path()).unwrap_err().to_string();
        assert!(error().contains("can't read") && error().contains("config.toml"), "{}", error());
        fs::write(dir.path().join("config.toml"), "optimiser = 3\n[versions]\nalrao = \"0.0.7\"\n").unwrap();
        let words = ["an earlier alrao (0.0.7)", "run.json", "train"];
        assert!(words.iter().all(|word| error().contains(word)), "{}", error());
        let this = format!("[versions]\nalrao = \"{}\"\n", env!("CARGO_PKG_VERSION"));
        fs::write(dir.path().join("config.toml"), this).unwrap();
        assert!(
            error().contains("run.json: No such file or directory (os error 2); restore it from a copy"),
            "{}",
            error()
        );
        fs::write(dir.path().join("config.toml"), "not toml").unwrap();
        assert!(error().contains("an unknown version"), "{}", error());
        fs::write(dir.path().join("run.json"), "{}").unwrap();
        assert!(error().contains("run.json is damaged: it has no field `task`; restore it from a copy"), "{}", error());
    }
}
