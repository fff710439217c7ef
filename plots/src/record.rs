//! Reading of run directories.
//!
//! Only the values that figures show are kept. Records of other kinds and unknown fields are skipped, so that older readers
//! can read newer runs. A run may be unfinished, and its last line truncated.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::PlotError;
use crate::files::{null_as_nan, read_json, read_metrics};
use crate::info::{Measure, MethodInfo, Metric, RunInfo};

/// A run directory, with the names that a sweep gives it.
#[derive(Debug, Clone)]
pub struct Source {
    /// The run directory.
    pub dir: PathBuf,
    /// The names of its task and variant, if it belongs to a sweep.
    pub in_sweep: Option<(String, String)>,
}

/// The description of a run of any task.
#[derive(Debug, Clone)]
pub struct Header {
    /// The run directory.
    pub dir: PathBuf,
    /// The name of the task, in the sweep or else of the run.
    pub task: String,
    /// The name of the variant in the sweep.
    pub variant: Option<String>,
    /// The training method.
    pub method: MethodInfo,
    /// The width factor of the network.
    pub width: f64,
    /// The run's seed.
    pub seed: u64,
    /// The primary metric of the task.
    pub metric: Metric,
}

/// The logged episodes and validations of one agent.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// The run's description.
    pub header: Header,
    /// Training episodes with a finite return, by step.
    pub episodes: Vec<Episode>,
    /// Validations with a finite mean, by step.
    pub validations: Vec<Validation>,
    /// The number of episodes without a finite return, and of validations without a finite mean.
    pub(crate) non_finite: [usize; 2],
    /// The final metrics, once the run has finished.
    pub summary: Option<Summary>,
}

/// A finished training episode.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Episode {
    /// Environment steps of the run at the end of the episode.
    pub step: u64,
    /// Its return: the undiscounted sum of its rewards.
    #[serde(rename = "return", deserialize_with = "null_as_nan")]
    pub value: f64,
}

/// Greedy episodes during training, which select the best checkpoint.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Validation {
    /// Environment steps of the run so far.
    pub step: u64,
    /// The number of episodes.
    pub episodes: u64,
    /// Their returns.
    #[serde(rename = "return")]
    pub returns: Returns,
    /// Whether it became the best checkpoint.
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

/// `summary.json`: the final metrics of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Summary {
    /// Whether the run diverged.
    #[serde(default)]
    pub diverged: bool,
    /// The best checkpoint.
    pub best: Option<Best>,
    /// The test of the best checkpoint.
    pub test: Option<Evaluation>,
    /// The test of a uniformly random policy.
    pub random_policy: Option<Evaluation>,
}

/// The time of the best checkpoint.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Best {
    /// Environment steps of the run so far.
    pub step: u64,
}

/// Episodes with a fixed policy.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Evaluation {
    /// The number of episodes.
    pub episodes: u64,
    /// Their returns.
    #[serde(rename = "return")]
    pub returns: Returns,
}

impl From<&Path> for Source {
    fn from(dir: &Path) -> Self {
        Source { dir: dir.into(), in_sweep: None }
    }
}

impl Header {
    /// Reads `run.json`.
    ///
    /// # Errors
    /// As [`RunInfo::read`].
    pub fn read(source: &Source) -> Result<Self, PlotError> {
        let RunInfo { task: usual_name, seed, width, metric, method } = RunInfo::read(&source.dir)?;
        let (task, variant) = source.in_sweep.clone().unzip();
        Ok(Header { dir: source.dir.clone(), task: task.unwrap_or(usual_name), variant, method, width, seed, metric })
    }

    /// Returns whether the run is an agent's, not a supervised one.
    pub fn is_agent(&self) -> bool {
        self.metric.measure == Measure::Return
    }
}

/// Checks that all runs are of one task.
pub(crate) fn check_one_task<'a>(headers: impl IntoIterator<Item = &'a Header>) -> Result<&'a Header, PlotError> {
    let mut headers = headers.into_iter();
    let first = headers.next().ok_or(PlotError::NoRuns)?;
    match headers.find(|run| (&run.task, &run.metric) != (&first.task, &first.metric)) {
        None => Ok(first),
        Some(other) => Err(PlotError::Tasks {
            dir: first.dir.clone(),
            name: first.task.clone(),
            other_dir: other.dir.clone(),
            other_name: other.task.clone(),
        }),
    }
}

impl RunRecord {
    /// Reads `run.json`, `metrics.jsonl` and, if it is there, `summary.json`.
    ///
    /// # Errors
    /// A file is missing or malformed, or the run is supervised. A truncated last line of `metrics.jsonl` is ignored.
    pub fn read(source: &Source) -> Result<Self, PlotError> {
        let header = Header::read(source)?;
        let dir = &source.dir;
        if !header.is_agent() {
            return Err(PlotError::NoAgent { dir: dir.clone() });
        }
        let (mut episodes, mut validations, mut non_finite) = (Vec::new(), Vec::new(), [0, 0]);
        for record in read_metrics(dir)? {
            match record {
                Record::Episode(episode) if episode.value.is_finite() => episodes.push(episode),
                Record::Validation(validation) if validation.returns.mean.is_finite() => validations.push(validation),
                Record::Episode(_) => non_finite[0] += 1,
                Record::Validation(_) => non_finite[1] += 1,
                Record::Other => {}
            }
        }
        // A resumed run may repeat some steps.
        episodes.sort_by_key(|episode: &Episode| episode.step);
        validations.sort_by_key(|validation: &Validation| validation.step);
        Ok(RunRecord { header, episodes, validations, non_finite, summary: read_summary(dir)? })
    }

    pub(crate) fn diverged(&self) -> bool {
        self.summary.as_ref().is_some_and(|summary| summary.diverged)
    }

    /// Returns the environment steps at the best checkpoint so far.
    pub fn best_step(&self) -> Option<u64> {
        let done = self.summary.as_ref().and_then(|summary| summary.best.as_ref());
        done.map(|best| best.step).or_else(|| {
            let best = self.validations.iter().rfind(|validation| validation.best);
            best.map(|validation| validation.step)
        })
    }
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Record {
    Episode(Episode),
    Validation(Validation),
    #[serde(other)]
    Other,
}

/// Reads `summary.json`; none if the run is unfinished.
pub(crate) fn read_summary<S: DeserializeOwned>(dir: &Path) -> Result<Option<S>, PlotError> {
    read_json(&dir.join("summary.json"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const INFO: &str = r#"{"task":"pendulum","seed":3,"width":2.0,
        "metric":{"name":"return","unit":null,"larger_is_better":true,"measure":"return"},
        "method":{"name":"Plain","label":"Plain 1","rates":[1,1],"adaptive":false}}"#;
    const EPISODE: &str = r#"{"kind":"episode","step":200,"episode":1,"return":-1023.5,"length":200,"epsilon":0.9}"#;

    fn read(metrics: &str, summary: Option<&str>) -> Result<RunRecord, PlotError> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("run.json"), INFO).unwrap();
        fs::write(dir.path().join("metrics.jsonl"), metrics).unwrap();
        if let Some(summary) = summary {
            fs::write(dir.path().join("summary.json"), summary).unwrap();
        }
        RunRecord::read(&dir.path().into())
    }

    #[test]
    fn reads_description_metrics_and_summary() {
        let validation = r#"{"kind":"validation","step":2500,"episodes":10,"return":{"mean":-300.0,"std":80.0,"min":-400.0,"max":-150.0},"best":true,"seconds":4.0}"#;
        let trial = r#"{"episodes":100,"return":{"mean":-150.0,"std":80.0,"min":-400.0,"max":-1.0}}"#;
        let summary = format!(
            r#"{{"task":"pendulum","seed":3,"diverged":false,"best":{{"step":2500}},"test":{trial},"random_policy":null}}"#
        );
        let run = read(&format!("{EPISODE}\n{validation}\n"), Some(&summary)).unwrap();
        assert_eq!((run.header.task.as_str(), run.header.seed, run.header.width), ("pendulum", 3, 2.0));
        assert_eq!((run.header.metric.name.as_str(), run.header.method.lr()), ("return", Some(1.0)));
        assert_eq!(run.episodes, [Episode { step: 200, value: -1023.5 }]);
        assert_eq!(run.validations[0].returns, Returns { mean: -300.0, std: 80.0 });
        assert_eq!(run.best_step(), Some(2500));
        let summary = run.summary.unwrap();
        assert_eq!((summary.test.unwrap().episodes, summary.random_policy), (100, None));
    }

    #[test]
    fn best_step_of_an_unfinished_run_is_its_last_best_validation() {
        let line = |step, best| {
            format!(r#"{{"kind":"validation","step":{step},"episodes":1,"return":{{"mean":1,"std":0}},"best":{best}}}"#)
        };
        let metrics = [line(10, true), line(20, true), line(30, false)].join("\n");
        assert_eq!(read(&metrics, None).unwrap().best_step(), Some(20));
    }

    #[test]
    fn unknown_kinds_and_non_finite_returns_are_skipped() {
        let metrics = format!(
            "{}\n{}\n{EPISODE}\n",
            r#"{"kind":"weather","step":"cloudy"}"#, r#"{"kind":"episode","step":9,"return":null}"#
        );
        assert_eq!(read(&metrics, None).unwrap().episodes.len(), 1);
    }

    #[test]
    fn repeated_steps_of_a_resumed_run_are_sorted() {
        let line = |step| format!(r#"{{"kind":"episode","step":{step},"return":1}}"#);
        let run = read(&[200, 400, 200, 600].map(line).join("\n"), None).unwrap();
        let steps: Vec<_> = run.episodes.iter().map(|episode| episode.step).collect();
        assert_eq!(steps, [200, 200, 400, 600]);
    }

    #[test]
    fn a_truncated_last_line_is_ignored() {
        for cut in 1..EPISODE.len() {
            let run = read(&format!("{EPISODE}\n{}", &EPISODE[..cut]), None).unwrap();
            assert_eq!(run.episodes.len(), 1, "cut after {cut} bytes");
        }
        let whole = read(&format!("{EPISODE}\n{EPISODE}"), None).unwrap();
        assert_eq!(whole.episodes.len(), 2, "only the newline is missing");
    }

    #[test]
    fn damage_is_said_in_words_with_what_to_do() {
        let of_log = |line: &str| read(&format!("{line}\n{EPISODE}\n"), None).unwrap_err().to_string();
        for (line, words) in [
            ("", "line 1 is damaged: it is empty"),
            ("{\"kind\":", "line 1 is damaged: it is cut off"),
            ("nonsense", "line 1 is damaged: it is no JSON at column 2;"),
            (r#"{"kind":"episode","step":-1,"return":1}"#, "line 1 is damaged: its value at column"),
        ] {
            let error = of_log(line);
            assert!(
                error.contains(words) && error.ends_with("; restore it from a copy, or train the run again"),
                "{error}"
            );
        }
        for (summary, problem) in
            [("", "it is empty"), ("{", "it is cut off"), ("7", "its value at line 1, column 1 is")]
        {
            let error = read("", Some(summary)).unwrap_err().to_string();
            assert!(error.contains(&format!("summary.json is damaged: {problem}")), "{error}");
            assert!(error.ends_with("; remove it, and have `alrao train --resume` test the run again"), "{error}");
        }
    }

    #[test]
    fn a_log_may_be_missing_until_the_run_has_finished() {
        let best = r#"{"best":{"step":3}}"#;
        let error = read("", Some(best)).unwrap_err();
        assert!(error.to_string().contains("is missing or empty, but the run has finished"), "{error}");
        assert!(error.is_damage());
        assert!(read("", Some(r#"{"best":null}"#)).unwrap().episodes.is_empty(), "shorter than an episode");
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("run.json"), INFO).unwrap();
        assert!(RunRecord::read(&dir.path().into()).unwrap().episodes.is_empty(), "it has just begun");
        fs::write(dir.path().join("summary.json"), best).unwrap();
        assert!(RunRecord::read(&dir.path().into()).unwrap_err().is_damage());
    }

    #[test]
    fn an_invalid_line_is_an_error_with_its_number() {
        for metrics in [format!("{EPISODE}\n{{\"kind\":\n{EPISODE}\n"), format!("{EPISODE}\nnonsense\n")] {
            let error = read(&metrics, None).unwrap_err().to_string();
            assert!(error.contains("metrics.jsonl, line 2 is damaged: it is "), "{error}");
        }
    }
}
