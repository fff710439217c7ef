//! `summary.json`: the final metrics of a run, for scripts.

use alrao_agents::evaluation::Evaluation;
use alrao_agents::training::BestValidation;
use alrao_core::lr_diagnostics::LrDiagnostics;
use alrao_tasks::metrics::Metrics;
use alrao_tasks::training::BestEpoch;
use serde::{Deserialize, Serialize};

/// Formats a metric, or `-` if it is undefined.
pub fn metric(value: f64, places: usize) -> String {
    if value.is_finite() { format!("{value:.places$}") } else { "-".into() }
}

/// Formats a mean with its standard deviation, of which there is none for a single value.
pub fn spread(mean: f64, std: f64, places: usize) -> String {
    format!("{} ± {}", metric(mean, places), metric(std, places))
}

/// The final metrics of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The task: the environment's name, or the dataset's and the model's.
    pub task: String,
    /// The run's seed.
    pub seed: u64,
    /// `alrao`, `sgd` or `adam`.
    pub optimizer: String,
    /// Wall-clock seconds of training, validations included.
    pub seconds: f64,
    /// Whether the loss, the features or every head became non-finite, which ends a run; or no epoch of a supervised run
    /// had a finite validation loss.
    pub diverged: bool,
    /// The results.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The report on the learning rates; none for a run with a single learning rate.
    pub lr_diagnostics: Option<LrDiagnostics>,
}

/// The results of a run, by the kind of its task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// Of an agent.
    Agent {
        /// Environment steps taken.
        steps: u64,
        /// Why a callback stopped the training before its last step; none if none did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stopped: Option<String>,
        /// The validation that selected the tested checkpoint.
        best: Option<BestValidation>,
        /// Returns on the test episodes; none if the run diverged before its first validation.
        test: Option<Evaluation>,
        /// Returns of a uniformly random policy on the test episodes.
        random_policy: Evaluation,
    },
    /// Of a supervised task.
    Supervised {
        /// Epochs.
        epochs: u64,
        /// Updates.
        updates: u64,
        /// The tested epoch, the best on the validation data.
        best: Option<BestEpoch>,
        /// Metrics on the test data; none if no epoch's validation loss was finite.
        test: Option<Metrics>,
        /// Number of corrupt files, which were skipped.
        #[serde(default)]
        skipped_files: usize,
        /// What was passed over or normalized while the dataset was read, in sentences.
        #[serde(default)]
        notes: Vec<String>,
    },
}

impl Outcome {
    /// Describes the test result in a few words.
    pub fn describe(&self) -> String {
        match self {
            Outcome::Agent { test: Some(test), .. } => format!("test return {:.1}", test.returns.mean),
            Outcome::Supervised { test: Some(test), .. } => format!("test {test}"),
            _ => "no test result".into(),
        }
    }

    /// Returns whether a validation selected a network.
    pub fn has_best(&self) -> bool {
        match self {
            Outcome::Agent { best, .. } => best.is_some(),
            Outcome::Supervised { best, .. } => best.is_some(),
        }
    }

    /// Returns the primary metric of the test: the mean return, or the metric of the supervised task.
    pub fn primary_metric(&self) -> Option<f64> {
        match self {
            Outcome::Agent { test, .. } => test.map(|test| test.returns.mean),
            Outcome::Supervised { test, .. } => test.map(|test| test.primary_metric()),
        }
    }
}
