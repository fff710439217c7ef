//! `summary.json`: a run's final figures, for scripts.

use alrao_agents::evaluation::Evaluation;
use alrao_agents::training::Best;
use alrao_core::diagnosis::Diagnosis;
use serde::{Deserialize, Serialize};

/// The final figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What was learnt: the environment's name.
    pub task: String,
    /// The run's seed.
    pub seed: u64,
    /// `alrao`, `sgd` or `adam`.
    pub optimizer: String,
    /// Environment steps taken.
    pub steps: u64,
    /// Wall-clock seconds of training, validations included.
    pub seconds: f64,
    /// Whether the training loss, or all that a guard could leave, became non-finite, which ends a run.
    pub diverged: bool,
    /// The validation that chose the network that was tested.
    pub best: Option<Best>,
    /// Its returns on fresh test episodes; none if there was no validation before the run diverged.
    pub test: Option<Evaluation>,
    /// What random actions return on the same episodes.
    pub random: Evaluation,
    /// What the run says about learning rates; none for a run at a single rate.
    pub diagnosis: Option<Diagnosis>,
}
