//! A run directory, read: who ran what, and what came of it.
//!
//! Only what figures show is kept. Records of other kinds and unknown fields are skipped, so that older readers can
//! read newer runs. A run may still be going on, or have been killed in the middle of a line.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::PlotError;

/// What a run directory tells about one run of an agent.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// The run directory.
    pub dir: PathBuf,
    /// The environment's name.
    pub environment: String,
    /// How the agent was trained.
    pub optimizer: Optimizer,
    /// The run's seed.
    pub seed: u64,
    /// Training episodes with a finite return, by step.
    pub episodes: Vec<Episode>,
    /// Validations with a finite mean, by step.
    pub validations: Vec<Validation>,
    /// The final figures, once the run is done.
    pub summary: Option<Summary>,
}

/// Table `[optimizer]` of the configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Optimizer {
    /// `alrao`, `sgd` or `adam`.
    pub kind: String,
    /// The learning rate, where the optimizer has a single one.
    pub eta: Option<f64>,
}

/// A training episode that ended.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Episode {
    /// Environment steps made in the run when it ended.
    pub step: u64,
    /// Its return: the undiscounted sum of its rewards.
    #[serde(rename = "return", deserialize_with = "null_as_nan")]
    pub value: f64,
}

/// Greedy episodes played during training, by which the best checkpoint is chosen.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Validation {
    /// Environment steps made in the run by then.
    pub step: u64,
    /// How many episodes were played.
    pub episodes: u64,
    /// Their returns.
    #[serde(rename = "return")]
    pub returns: Returns,
    /// Whether the best checkpoint was replaced by this one.
    #[serde(default)]
    pub best: bool,
}

/// Mean and standard deviation of the returns of several episodes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Returns {
    /// Mean.
    #[serde(deserialize_with = "null_as_nan")]
    pub mean: f64,
    /// Standard deviation.
    #[serde(deserialize_with = "null_as_nan")]
    pub std: f64,
}

/// `summary.json`: the final figures of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Summary {
    /// Where the best checkpoint was taken.
    pub best: Option<Best>,
    /// How the best checkpoint did.
    pub test: Option<Trial>,
    /// How a uniformly random policy did.
    pub random: Option<Trial>,
}

/// When the best checkpoint was taken.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Best {
    /// Environment steps made by then.
    pub step: u64,
}

/// Episodes played by a fixed policy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Trial {
    /// How many.
    pub episodes: u64,
    /// Their returns.
    #[serde(rename = "return")]
    pub returns: Returns,
}

impl RunRecord {
    /// Reads `config.toml`, `metrics.jsonl` and, if it is there, `summary.json` in `dir`.
    ///
    /// # Errors
    /// A file is missing or malformed. A last line of `metrics.jsonl` that a kill cut off is no error.
    pub fn read(dir: &Path) -> Result<Self, PlotError> {
        let Config { seed, environment, optimizer } = read_config(&dir.join("config.toml"))?;
        let mut run = Self {
            dir: dir.into(),
            environment: environment.name,
            optimizer,
            seed,
            episodes: Vec::new(),
            validations: Vec::new(),
            summary: read_summary(&dir.join("summary.json"))?,
        };
        run.read_metrics(&dir.join("metrics.jsonl"))?;
        Ok(run)
    }

    /// Environment steps at which the best checkpoint so far was taken.
    pub fn best_step(&self) -> Option<u64> {
        let done = self.summary.as_ref().and_then(|summary| summary.best.as_ref());
        done.map(|best| best.step).or_else(|| {
            let best = self.validations.iter().rfind(|validation| validation.best);
            best.map(|validation| validation.step)
        })
    }

    fn read_metrics(&mut self, path: &Path) -> Result<(), PlotError> {
        for record in read_lines(path)? {
            match record {
                Record::Episode(episode) if episode.value.is_finite() => self.episodes.push(episode),
                Record::Validation(validation) if validation.returns.mean.is_finite() => {
                    self.validations.push(validation);
                }
                _ => {}
            }
        }
        // A resumed run may go over some steps again.
        self.episodes.sort_by_key(|episode| episode.step);
        self.validations.sort_by_key(|validation| validation.step);
        Ok(())
    }
}

/// The records in a `metrics.jsonl`, whose last line a kill may have cut off.
pub(crate) fn read_lines<R: DeserializeOwned>(path: &Path) -> Result<Vec<R>, PlotError> {
    // Bytes, for a cut may fall within a character.
    let bytes = fs::read(path).map_err(PlotError::read(path))?;
    let mut records = Vec::new();
    for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        match serde_json::from_slice(line) {
            Ok(record) => records.push(record),
            Err(_) if !line.ends_with(b"\n") => {}
            Err(source) => return Err(PlotError::Metrics { path: path.into(), line: index + 1, source }),
        }
    }
    Ok(records)
}

#[derive(Deserialize)]
struct Config {
    seed: u64,
    environment: Environment,
    optimizer: Optimizer,
}

#[derive(Deserialize)]
struct Environment {
    name: String,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Record {
    Episode(Episode),
    Validation(Validation),
    #[serde(other)]
    Other,
}

pub(crate) fn read_config<C: DeserializeOwned>(path: &Path) -> Result<C, PlotError> {
    let text = fs::read_to_string(path).map_err(PlotError::read(path))?;
    toml::from_str(&text).map_err(|source| PlotError::Config { path: path.into(), source })
}

/// None if the run isn't done.
pub(crate) fn read_summary<S: DeserializeOwned>(path: &Path) -> Result<Option<S>, PlotError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| PlotError::Summary { path: path.into(), source }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(PlotError::Read { path: path.into(), source }),
    }
}

/// JSON has no word for NaN or infinity: writers put null.
pub(crate) fn null_as_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "seed = 3\n[environment]\nname = \"pendulum\"\n[optimizer]\nkind = \"sgd\"\neta = 1\n";
    const EPISODE: &str = r#"{"kind":"episode","step":200,"episode":1,"return":-1023.5,"length":200,"epsilon":0.9}"#;

    fn read(config: &str, metrics: &str, summary: Option<&str>) -> Result<RunRecord, PlotError> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("config.toml"), config).unwrap();
        fs::write(dir.path().join("metrics.jsonl"), metrics).unwrap();
        if let Some(summary) = summary {
            fs::write(dir.path().join("summary.json"), summary).unwrap();
        }
        RunRecord::read(dir.path())
    }

    #[test]
    fn reads_every_part() {
        let validation = r#"{"kind":"validation","step":2500,"episodes":10,"return":{"mean":-300.0,"std":80.0,"min":-400.0,"max":-150.0},"best":true,"seconds":4.0}"#;
        let trial = r#"{"episodes":100,"return":{"mean":-150.0,"std":80.0,"min":-400.0,"max":-1.0}}"#;
        let summary = format!(
            r#"{{"task":"pendulum","seed":3,"diverged":false,"best":{{"step":2500}},"test":{trial},"random":null}}"#
        );
        let run = read(CONFIG, &format!("{EPISODE}\n{validation}\n"), Some(&summary)).unwrap();
        assert_eq!((run.environment.as_str(), run.seed), ("pendulum", 3));
        assert_eq!(run.optimizer, Optimizer { kind: "sgd".into(), eta: Some(1.0) });
        assert_eq!(run.episodes, [Episode { step: 200, value: -1023.5 }]);
        assert_eq!(run.validations[0].returns, Returns { mean: -300.0, std: 80.0 });
        assert_eq!(run.best_step(), Some(2500));
        let summary = run.summary.unwrap();
        assert_eq!((summary.test.unwrap().episodes, summary.random), (100, None));
    }

    #[test]
    fn best_step_of_a_run_going_on_is_its_last_best_validation() {
        let line = |step, best| {
            format!(r#"{{"kind":"validation","step":{step},"episodes":1,"return":{{"mean":1,"std":0}},"best":{best}}}"#)
        };
        let metrics = [line(10, true), line(20, true), line(30, false)].join("\n");
        assert_eq!(read(CONFIG, &metrics, None).unwrap().best_step(), Some(20));
    }

    #[test]
    fn skips_unknown_kinds_and_returns_that_are_not_finite() {
        let metrics = format!(
            "{}\n{}\n{EPISODE}\n",
            r#"{"kind":"weather","step":"cloudy"}"#, r#"{"kind":"episode","step":9,"return":null}"#
        );
        assert_eq!(read(CONFIG, &metrics, None).unwrap().episodes.len(), 1);
    }

    #[test]
    fn steps_gone_over_again_are_put_in_order() {
        let line = |step| format!(r#"{{"kind":"episode","step":{step},"return":1}}"#);
        let run = read(CONFIG, &[200, 400, 200, 600].map(line).join("\n"), None).unwrap();
        let steps: Vec<_> = run.episodes.iter().map(|episode| episode.step).collect();
        assert_eq!(steps, [200, 200, 400, 600]);
    }

    #[test]
    fn a_last_line_cut_off_anywhere_is_ignored() {
        for cut in 1..EPISODE.len() {
            let run = read(CONFIG, &format!("{EPISODE}\n{}", &EPISODE[..cut]), None).unwrap();
            assert_eq!(run.episodes.len(), 1, "cut after {cut} bytes");
        }
        let whole = read(CONFIG, &format!("{EPISODE}\n{EPISODE}"), None).unwrap();
        assert_eq!(whole.episodes.len(), 2, "only the newline is missing");
    }

    #[test]
    fn a_bad_line_elsewhere_is_named() {
        for metrics in [format!("{EPISODE}\n{{\"kind\":\n{EPISODE}\n"), format!("{EPISODE}\nnonsense\n")] {
            let error = read(CONFIG, &metrics, None).unwrap_err().to_string();
            assert!(error.contains("metrics.jsonl, line 2: "), "{error}");
        }
    }

    #[test]
    fn a_configuration_without_environment_is_refused() {
        let error = read("seed = 3\n[optimizer]\nkind = \"sgd\"\n", "", None).unwrap_err().to_string();
        assert!(error.contains("config.toml") && error.contains("environment"), "{error}");
    }
}
