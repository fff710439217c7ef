//! Callbacks of a training, named as in Stable-Baselines3: [`Callback`].
//!
//! A callback is called at the events of a training, may record metrics of its own, which are logged like the training's,
//! and may stop the training. Checkpoints hold its state, so that a resumed training is bit-identical.

use serde_json::Value;

use crate::dqn::Agent;
use crate::evaluation::Evaluation;

/// An error of a callback.
pub type CallbackError = Box<dyn std::error::Error + Send + Sync>;

/// Something that a training calls. A panic counts as an error; an error ends the training.
///
/// ```
/// use alrao_agents::callback::{Callback, CallbackError, EndedEpisode, TrainingContext};
///
/// /// Records the longest episode so far, and stops at one of 200 steps.
/// #[derive(Default)]
/// struct Longest(u64);
///
/// impl Callback for Longest {
///     fn name(&self) -> &str {
///         "longest"
///     }
///     fn on_episode_end(
///         &mut self,
///         training: &mut TrainingContext<'_>,
///         episode: EndedEpisode,
///     ) -> Result<(), CallbackError> {
///         self.0 = self.0.max(episode.length);
///         training.record("longest_episode", self.0 as f64);
///         if self.0 >= 200 {
///             training.stop("an episode of 200 steps");
///         }
///         Ok(())
///     }
///     fn save(&self) -> serde_json::Value {
///         self.0.into()
///     }
///     fn load(&mut self, state: serde_json::Value) -> Result<(), CallbackError> {
///         self.0 = serde_json::from_value(state)?;
///         Ok(())
///     }
/// }
/// ```
pub trait Callback {
    /// Returns the name, under which checkpoints hold the state; no other callback of a training may have it.
    fn name(&self) -> &str;

    /// Is called before the first step of a training, and not again when it is resumed.
    ///
    /// # Errors
    /// Any error, as of all methods, ends the training.
    fn on_training_start(&mut self, _training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        Ok(())
    }

    /// Is called after each step of the environments and its updates.
    ///
    /// # Errors
    /// Any.
    fn on_step(&mut self, _training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        Ok(())
    }

    /// Is called at the end of each training episode.
    ///
    /// # Errors
    /// Any.
    fn on_episode_end(
        &mut self,
        _training: &mut TrainingContext<'_>,
        _episode: EndedEpisode,
    ) -> Result<(), CallbackError> {
        Ok(())
    }

    /// Is called after each validation.
    ///
    /// # Errors
    /// Any.
    fn on_validation(
        &mut self,
        _training: &mut TrainingContext<'_>,
        _evaluation: &Evaluation,
    ) -> Result<(), CallbackError> {
        Ok(())
    }

    /// Is called before each checkpoint. Some checkpoints depend on the clock or on signals, so a callback that records
    /// metrics or changes its state here is not the same after a resume.
    ///
    /// # Errors
    /// Any.
    fn on_checkpoint(&mut self, _training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        Ok(())
    }

    /// Is called after the last step and validation of a training, also if a callback stopped it.
    ///
    /// # Errors
    /// Any.
    fn on_training_end(&mut self, _training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        Ok(())
    }

    /// Returns the state for a checkpoint; by default there is none.
    fn save(&self) -> Value {
        Value::Null
    }

    /// Restores the state written by `save`.
    ///
    /// # Errors
    /// The state is another callback's.
    fn load(&mut self, _state: Value) -> Result<(), CallbackError> {
        Ok(())
    }
}

/// A training, as its callbacks see it.
pub struct TrainingContext<'a> {
    /// Environment steps so far.
    pub step: u64,
    /// Environment steps of the whole training.
    pub budget: u64,
    /// The agent.
    pub agent: &'a Agent,
    pub(crate) metrics: Vec<(String, f64)>,
    pub(crate) stopped: Option<String>,
}

impl TrainingContext<'_> {
    /// Records a metric at the current step.
    pub fn record(&mut self, name: impl Into<String>, value: f64) {
        self.metrics.push((name.into(), value));
    }

    /// Stops the training after this step, for a reason that is reported. The last validation is made, if this is not in one.
    pub fn stop(&mut self, reason: impl Into<String>) {
        self.stopped.get_or_insert(reason.into());
    }
}

/// A training episode that ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EndedEpisode {
    /// Sum of its rewards, in raw units.
    pub episode_return: f64,
    /// Length, in environment steps.
    pub length: u64,
    /// Whether it reached a terminal state rather than being truncated.
    pub terminated: bool,
}
