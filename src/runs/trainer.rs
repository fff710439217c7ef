//! What a run trains, whatever its task.

use alrao_core::Error::{Diverged, NoFiniteFeatures, NoFiniteHead};
use alrao_core::tensors::Tensors;
use alrao_core::units::Units;
use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::Config;
use crate::summary::Summary;

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Event {
    /// Of an agent.
    Agent(alrao_agents::training::Event),
    /// Of a supervised task.
    Supervised(alrao_tasks::training::Event),
}

/// Why a training has come to a halt.
pub enum Halt {
    /// There is something to tell.
    Event(Event),
    /// It is time to save.
    Checkpoint,
    /// The training is over.
    Done,
}

/// A training under way.
pub trait Trainer {
    /// What it needs beside tensors to go on.
    type State: Serialize + DeserializeOwned;

    /// Trains on to the next halt.
    ///
    /// # Errors
    /// Learning diverged, see [`diverged`], or the task failed.
    fn go_on(&mut self) -> Result<Halt>;

    /// What [`Config::budget`] is counted in.
    fn unit(&self) -> &'static str;

    /// How much of the budget is spent.
    fn spent(&self) -> f64;

    /// Environment steps taken, or samples learnt from: what speed is told of.
    fn worked(&self) -> u64;

    /// What these are called.
    fn work(&self) -> &'static str;

    /// The network that is kept when an event says that it is the best so far.
    fn best(&self) -> Tensors;

    /// Everything needed to go on from here: tensors by the name of their file, and the rest.
    fn save(&self) -> (Vec<(&'static str, Tensors)>, Self::State);

    /// Takes back what was saved; `read` gives the tensors of a file.
    ///
    /// # Errors
    /// It was saved by a training with other settings.
    fn load(&mut self, read: &dyn Fn(&str) -> Result<Tensors>, state: Self::State) -> Result<()>;

    /// What became of every unit; none where units have no rates of their own.
    ///
    /// # Errors
    /// The network that it began as can't be made again.
    fn units(&self, config: &Config) -> Result<Option<Units>>;

    /// The final figures, once the best network, if there was one, was read back and tested.
    ///
    /// # Errors
    /// The best network can't be read, or its test failed.
    fn summary(&self, config: &Config, best: Option<Tensors>, seconds: f64, diverged: bool) -> Result<Summary>;
}

impl Event {
    /// Whether the network that the trainer has now is the best so far.
    pub fn is_best(&self) -> bool {
        use alrao_agents::training::Event as Agent;
        use alrao_tasks::training::Event as Supervised;
        matches!(
            self,
            Event::Agent(Agent::Validation { best: true, .. })
                | Event::Supervised(Supervised::Epoch { best: true, .. })
        )
    }

    /// Whether it is about updates, which come regularly.
    pub fn is_update(&self) -> bool {
        use alrao_agents::training::Event as Agent;
        use alrao_tasks::training::Event as Supervised;
        matches!(self, Event::Agent(Agent::Update { .. }) | Event::Supervised(Supervised::Update { .. }))
    }
}

/// Whether an error says that learning diverged, which is a result.
pub fn diverged(error: &anyhow::Error) -> bool {
    let core = match (error.downcast_ref(), error.downcast_ref()) {
        (Some(alrao_agents::Error::Core(core)), _) | (_, Some(alrao_tasks::Error::Core(core))) => core,
        _ => return false,
    };
    matches!(core, Diverged { .. } | NoFiniteHead { .. } | NoFiniteFeatures { .. })
}
