//! The interface of trainers, for every kind of task.

use alrao_core::Error::{Diverged, NoFiniteFeatures, NoFiniteHead};
use alrao_core::state_dict::StateDict;
use alrao_core::units::Units;
use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::episode::Episode;
use super::evaluation_display::EvaluationDisplay;
use crate::config::Config;
use crate::summary::Summary;

/// An event to log.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// An event of an agent.
    Agent(alrao_agents::training::DqnEvent),
    /// An event of a supervised task.
    Supervised(alrao_tasks::training::SupervisedEvent),
}

/// The reason why a trainer returned.
pub enum StopReason {
    /// There is an event to log.
    Event(Event),
    /// A checkpoint is due.
    Checkpoint,
    /// The training has finished.
    Finished,
}

/// A trainer, which runs until there is an event to log, a checkpoint to save, or nothing left to do.
pub trait Trainer {
    /// The state in a checkpoint besides the tensors.
    type State: Serialize + DeserializeOwned;

    /// Trains until the next stop reason.
    ///
    /// # Errors
    /// Training diverged, see [`diverged`], or the task failed.
    fn advance(&mut self) -> Result<StopReason>;

    /// Has `requested` called after each step; if it returns true, a checkpoint is due.
    fn checkpoint_when(&mut self, requested: fn() -> bool);

    /// Shows the progress of evaluations during the training.
    fn show_evaluations(&mut self, display: EvaluationDisplay);

    /// Returns the unit of [`Config::budget`].
    fn budget_unit(&self) -> &'static str;

    /// Returns the completed part of the budget.
    fn progress(&self) -> f64;

    /// Returns the environment steps or training samples so far, of which the speed is logged.
    fn work_done(&self) -> u64;

    /// Returns the unit of [`work_done`](Self::work_done).
    fn work_unit(&self) -> &'static str;

    /// Returns the network to save as the best checkpoint after an event with `best`.
    fn best(&self) -> StateDict;

    /// Plays an episode of the network that an event validated, if the configuration has validations recorded.
    ///
    /// # Errors
    /// The environment or the network fails.
    fn recording(&self, _config: &Config, _event: &Event) -> Result<Option<Episode>> {
        Ok(None)
    }

    /// Returns everything needed to resume: tensors by file name, and the remaining state.
    fn save(&self) -> (Vec<(&'static str, StateDict)>, Self::State);

    /// Restores the state written by `save`; `read` returns the tensors of a file.
    ///
    /// # Errors
    /// The state is from a training run with other settings.
    fn load(&mut self, read: &dyn Fn(&str) -> Result<StateDict>, state: Self::State) -> Result<()>;

    /// Returns the final state of every unit; none if units have no learning rates of their own.
    ///
    /// # Errors
    /// The initial network can't be created again.
    fn units(&self, config: &Config) -> Result<Option<Units>>;

    /// Tests the best checkpoint, if there is one, and returns the final metrics.
    ///
    /// # Errors
    /// The best checkpoint can't be read, or its test failed.
    fn summary(&self, config: &Config, best: Option<StateDict>, seconds: f64, diverged: bool) -> Result<Summary>;
}

impl Event {
    /// Returns whether the trainer's current network is the best so far.
    pub fn is_best(&self) -> bool {
        use alrao_agents::training::DqnEvent;
        use alrao_tasks::training::SupervisedEvent;
        matches!(
            self,
            Event::Agent(DqnEvent::Validation { best: true, .. })
                | Event::Supervised(SupervisedEvent::Epoch { best: true, .. })
        )
    }

    /// Returns whether the event is about updates, which are logged regularly.
    pub fn is_update(&self) -> bool {
        use alrao_agents::training::DqnEvent;
        use alrao_tasks::training::SupervisedEvent;
        matches!(self, Event::Agent(DqnEvent::Update { .. }) | Event::Supervised(SupervisedEvent::Update { .. }))
    }
}

/// Returns whether an error means that training diverged, which is a result.
pub fn diverged(error: &anyhow::Error) -> bool {
    let core = match (error.downcast_ref(), error.downcast_ref()) {
        (Some(alrao_agents::Error::Core(core)), _) | (_, Some(alrao_tasks::Error::Core(core))) => core,
        _ => return false,
    };
    matches!(core, Diverged { .. } | NoFiniteHead { .. } | NoFiniteFeatures { .. })
}
