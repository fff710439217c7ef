//! What can go wrong between an agent and its environment.

use std::error::Error;

/// Why an environment could not be made, started or stepped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// The action's number is not below the number of actions.
    #[error("action {action} does not exist: there are {count} actions, numbered from 0")]
    NoSuchAction {
        /// What was asked for.
        action: usize,
        /// How many actions there are.
        count: usize,
    },

    /// A continuous action where actions are numbered.
    #[error("this environment's actions are numbered: it takes no continuous ones")]
    NotContinuous,

    /// The number of an action where actions are continuous.
    #[error("this environment's actions are continuous: {len} numbers each, not an action's number")]
    Continuous {
        /// How many numbers an action has.
        len: usize,
    },

    /// A continuous action has another length than the environment's actions have.
    #[error("the action has {len} numbers where {expected} are expected")]
    ActionLength {
        /// How many numbers there are.
        len: usize,
        /// How many there should be.
        expected: usize,
    },

    /// A continuous action is no number.
    #[error("the action's number {index} is NaN")]
    ActionNaN {
        /// Where in the action.
        index: usize,
    },

    /// No episode is under way: none was started, or the last call failed.
    #[error("step without an episode: call reset first")]
    StepBeforeReset,

    /// The episode is over.
    #[error("step after the end of the episode (it had {steps} steps): call reset first")]
    StepAfterEnd {
        /// How many steps the episode had.
        steps: u64,
    },

    /// The environment showed something else than the number of values it had announced.
    #[error("after step {step} the observation has {len} values where {expected} were announced")]
    ObservationLength {
        /// Steps since the reset; 0 is the reset itself.
        step: u64,
        /// How many values there are.
        len: usize,
        /// How many there should be.
        expected: usize,
    },

    /// The environment showed NaN or an infinity.
    #[error("after step {step} the observation's value {index} is {value}")]
    ObservationNotFinite {
        /// Steps since the reset; 0 is the reset itself.
        step: u64,
        /// Where in the observation.
        index: usize,
        /// What stands there.
        value: f32,
    },

    /// The environment gave NaN or an infinity as reward.
    #[error("the reward of step {step} is {value}")]
    RewardNotFinite {
        /// Steps since the reset; the first is 1.
        step: u64,
        /// What was given.
        value: f64,
    },

    /// No environment goes by this name.
    #[cfg(feature = "gym")]
    #[error("there is no environment `{name}`: {}", suggestion(.nearest, .known))]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The known names that resemble it, the most similar first.
        nearest: Vec<String>,
        /// All known names.
        known: Vec<String>,
    },

    /// A continuous torque can't be divided into so few values.
    #[cfg(feature = "gym")]
    #[error("torques = {torques}: a pendulum needs at least 2, one to each side")]
    TooFewTorques {
        /// What was asked for.
        torques: usize,
    },

    /// Trouble of one of many copies.
    #[error("copy {index}: {source}")]
    Copy {
        /// Which; the first is 0.
        index: usize,
        /// What is wrong with it.
        source: Box<EnvironmentError>,
    },

    /// Not one action for each copy.
    #[error("{actions} actions for {copies} copies of an environment: each takes one")]
    ActionsOfCopies {
        /// How many actions there are.
        actions: usize,
        /// How many copies there are.
        copies: usize,
    },

    /// What should be copies are different environments.
    #[error("copy {index} has observations of another length, or another number of actions, than copy 0")]
    UnlikeCopy {
        /// Which; the first is 0.
        index: usize,
    },

    /// A setting that the named environment doesn't have.
    #[cfg(feature = "gym")]
    #[error("`{setting}` is no setting of `{name}`: it has {}", quoted(.known))]
    NoSuchSetting {
        /// Which environment.
        name: String,
        /// Which setting.
        setting: String,
        /// The settings that exist, the nearest first.
        known: Vec<String>,
    },

    /// A setting's value is of another type than the setting.
    #[cfg(feature = "gym")]
    #[error("{setting} = {value}: {problem}")]
    SettingType {
        /// Which setting.
        setting: String,
        /// What was asked for.
        value: String,
        /// What is wrong with it.
        problem: String,
    },

    /// A setting's value is out of its range.
    #[cfg(feature = "gym")]
    #[error("{setting} = {value}: it must be {range}")]
    SettingOutOfRange {
        /// Which setting.
        setting: &'static str,
        /// What was asked for.
        value: f64,
        /// What it may be.
        range: &'static str,
    },

    /// An environment's own trouble.
    #[error(transparent)]
    Other(#[from] Box<dyn Error + Send + Sync>),
}

impl EnvironmentError {
    pub(crate) fn of_copy(self, index: usize) -> Self {
        Self::Copy { index, source: self.into() }
    }
}

#[cfg(feature = "gym")]
fn suggestion(nearest: &[String], known: &[String]) -> String {
    match nearest {
        [] => format!("known are {}", quoted(known)),
        _ => format!("did you mean {}?", quoted(nearest)),
    }
}

#[cfg(feature = "gym")]
fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
