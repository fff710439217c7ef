//! `summary.json`: a run's final figures, for scripts.

use alrao_agents::evaluation::Evaluation;
use alrao_agents::training::Best;
use alrao_core::diagnosis::LrDiagnostics;
use alrao_tasks::scores::Scores;
use alrao_tasks::training::Best as BestEpoch;
use serde::{Deserialize, Serialize};

/// The final figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What was learnt: the environment's name, or the data's and the network's.
    pub task: String,
    /// The run's seed.
    pub seed: u64,
    /// `alrao`, `sgd` or `adam`.
    pub optimizer: String,
    /// Wall-clock seconds of training, validations included.
    pub seconds: f64,
    /// Whether the training loss, or all that a guard could leave, became non-finite, which ends a run; or, of a supervised
    /// task, no epoch's validation loss was finite.
    pub diverged: bool,
    /// What it came to.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Diagnostics of the learning rates; none for a run with a single one.
    pub lr_diagnostics: Option<LrDiagnostics>,
}

/// What a run came to, by the kind of its task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Outcome {
    /// Of an agent.
    Agent {
        /// Environment steps taken.
        steps: u64,
        /// The validation that chose the network that was tested.
        best: Option<Best>,
        /// Its returns on fresh test episodes; none if there was no validation before the run diverged.
        test: Option<Evaluation>,
        /// Returns of the random policy on the same episodes.
        random_policy: Evaluation,
    },
    /// Of a supervised task.
    Supervised {
        /// Epochs.
        epochs: u64,
        /// Updates.
        updates: u64,
        /// The epoch that was tested, the best on the validation data.
        best: Option<BestEpoch>,
        /// What it is worth on the test data; none if no epoch's validation loss was finite.
        test: Option<Scores>,
    },
}

impl Outcome {
    /// The test in a few words.
    pub fn words(&self) -> String {
        match self {
            Outcome::Agent { test: Some(test), .. } => format!("test return {:.1}", test.returns.mean),
            Outcome::Supervised { test: Some(test), .. } => format!("test {test}"),
            _ => "no test".into(),
        }
    }

    /// The figure to compare runs by, on the test: the mean return, or what is told of the task.
    pub fn figure(&self) -> Option<f64> {
        match self {
            Outcome::Agent { test, .. } => test.map(|test| test.returns.mean),
            Outcome::Supervised { test, .. } => test.map(|test| test.figure()),
        }
    }
}
