//! Ready callbacks: stopping at a return or without improvement, as `schedule.stop_at` and `schedule.patience` do, and
//! calling another callback every N steps.

use serde_json::{Value, json};

use crate::callback::{Callback, CallbackError, EndedEpisode, TrainingContext};
use crate::evaluation::Evaluation;

/// Stops a training when a validation's mean return is at least `threshold`.
#[derive(Clone, Copy, Debug)]
pub struct StopAtReturn {
    /// The mean return, in raw units.
    pub threshold: f64,
}

impl Callback for StopAtReturn {
    fn name(&self) -> &str {
        "stop_at"
    }

    fn on_validation(
        &mut self,
        training: &mut TrainingContext<'_>,
        evaluation: &Evaluation,
    ) -> Result<(), CallbackError> {
        if evaluation.returns.mean >= self.threshold {
            training.stop(format!("the validation return reached schedule.stop_at = {}", self.threshold));
        }
        Ok(())
    }
}

/// Stops a training after `patience` validations in a row whose mean return is not above the best before them.
#[derive(Clone, Copy, Debug)]
pub struct StopWithoutImprovement {
    patience: u64,
    best: Option<f64>,
    since: u64,
}

impl StopWithoutImprovement {
    /// Creates a callback that stops after `patience` validations.
    pub fn new(patience: u64) -> Self {
        StopWithoutImprovement { patience, best: None, since: 0 }
    }
}

impl Callback for StopWithoutImprovement {
    fn name(&self) -> &str {
        "patience"
    }

    fn on_validation(
        &mut self,
        training: &mut TrainingContext<'_>,
        evaluation: &Evaluation,
    ) -> Result<(), CallbackError> {
        let mean = evaluation.returns.mean;
        if mean.is_finite() && self.best.is_none_or(|best| mean > best) {
            (self.best, self.since) = (Some(mean), 0);
        } else {
            self.since += 1;
        }
        if self.since >= self.patience {
            let validations =
                if self.since == 1 { "a validation".into() } else { format!("{} validations in a row", self.since) };
            training.stop(format!("{validations} brought no improvement (schedule.patience)"));
        }
        Ok(())
    }

    fn save(&self) -> Value {
        json!([self.best, self.since])
    }

    fn load(&mut self, state: Value) -> Result<(), CallbackError> {
        (self.best, self.since) = serde_json::from_value(state)?;
        Ok(())
    }
}

/// Calls another callback's `on_step` every N environment steps only, and its other methods as ever.
pub struct EveryNSteps<C> {
    every: u64,
    callback: C,
    called: u64,
}

impl<C: Callback> EveryNSteps<C> {
    /// Calls `callback` every `every` environment steps, at the first step of the environments that reaches or passes a
    /// multiple; 0 counts as 1.
    pub fn new(every: u64, callback: C) -> Self {
        EveryNSteps { every: every.max(1), callback, called: 0 }
    }
}

impl<C: Callback> Callback for EveryNSteps<C> {
    fn name(&self) -> &str {
        self.callback.name()
    }

    fn on_training_start(&mut self, training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        self.callback.on_training_start(training)
    }

    fn on_step(&mut self, training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        let due = training.step / self.every;
        if due == self.called {
            return Ok(());
        }
        self.called = due;
        self.callback.on_step(training)
    }

    fn on_episode_end(
        &mut self,
        training: &mut TrainingContext<'_>,
        episode: EndedEpisode,
    ) -> Result<(), CallbackError> {
        self.callback.on_episode_end(training, episode)
    }

    fn on_validation(
        &mut self,
        training: &mut TrainingContext<'_>,
        evaluation: &Evaluation,
    ) -> Result<(), CallbackError> {
        self.callback.on_validation(training, evaluation)
    }

    fn on_checkpoint(&mut self, training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        self.callback.on_checkpoint(training)
    }

    fn on_training_end(&mut self, training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        self.callback.on_training_end(training)
    }

    fn save(&self) -> Value {
        json!([self.called, self.callback.save()])
    }

    fn load(&mut self, state: Value) -> Result<(), CallbackError> {
        let (called, state) = serde_json::from_value(state)?;
        self.called = called;
        self.callback.load(state)
    }
}
