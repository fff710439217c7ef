//! What a long evaluation says: how far it is, and how many episodes the limit of steps ended.

use std::time::{Duration, Instant};

use alrao_agents::evaluation::{Evaluation, EvaluationProgress};
use alrao_tasks::data::Split;
use indicatif::ProgressBar;

use crate::output::{self, note};

/// Interval between messages.
const EVERY: Duration = Duration::from_secs(10);

/// The display of an evaluation under way, which says every ten seconds how far it is.
pub struct EvaluationDisplay {
    bar: Option<ProgressBar>,
    shown: Instant,
}

impl EvaluationDisplay {
    /// Creates the display of an evaluation outside of a training.
    pub fn new() -> Self {
        Self::beside(None)
    }

    /// Creates the display of evaluations during a training run, whose bar shows them.
    pub fn beside(bar: Option<ProgressBar>) -> Self {
        EvaluationDisplay { bar, shown: Instant::now() }
    }

    /// Shows the progress of episodes; `what` names the evaluation.
    pub fn episodes(&mut self, what: &str, EvaluationProgress { ended, episodes, steps }: EvaluationProgress) {
        self.show(steps == 0, || {
            format!("{what}: {ended} of {episodes} episodes ended, the others are at step {steps}")
        });
    }

    /// Shows the progress of batches, of which so many are done.
    pub fn batches(&mut self, split: Split, done: u64, all: u64) {
        self.show(done == 0, || format!("evaluating the {}: {done} of {all} batches", split.name()));
    }

    fn show(&mut self, begins: bool, words: impl Fn() -> String) {
        if begins {
            self.shown = Instant::now();
        }
        if self.shown.elapsed() < EVERY {
            return;
        }
        self.shown = Instant::now();
        match &self.bar {
            Some(bar) => bar.set_message(words()),
            None if output::is_quiet() => {}
            None => note!("{}", words()),
        }
    }
}

impl Default for EvaluationDisplay {
    fn default() -> Self {
        Self::new()
    }
}

/// Says how many episodes of an evaluation were ended by the limit of steps, if any were.
pub fn limited(evaluation: &Evaluation) -> Option<String> {
    let words = |count| format!("{count} episodes ended by schedule.max_evaluation_steps");
    (evaluation.at_limit > 0).then(|| words(evaluation.at_limit))
}
