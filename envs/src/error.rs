//! The errors of environments.

use std::error::Error;

use crate::{ObservationDtype, ObservationSpace};

/// An error of creating, resetting or stepping an environment.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// A discrete action outside the action space.
    #[error("action {action} does not exist: there are {count} actions, from 0")]
    InvalidAction {
        /// The action.
        action: usize,
        /// The number of actions.
        count: usize,
    },

    /// A discrete action that is illegal now.
    #[error("action {action} is illegal at step {step}: `action_mask` is false for it; take an action of the mask")]
    IllegalAction {
        /// The action.
        action: usize,
        /// Steps since the reset, including this step; the first is 1.
        step: u64,
    },

    /// An action mask of another length than there are actions.
    #[error("after step {step} `action_mask` has {len} values, but there are {expected} actions: return one for each")]
    ActionMaskLength {
        /// Steps since the reset; 0 is the reset itself.
        step: u64,
        /// The mask's length.
        len: usize,
        /// The number of actions.
        expected: usize,
    },

    /// An action mask without a legal action, before the episode terminated.
    #[error(
        "after step {step} `action_mask` has no legal action: make one legal, or return `terminated` where the episode is over"
    )]
    NoLegalAction {
        /// Steps since the reset; 0 is the reset itself.
        step: u64,
    },

    /// A continuous action for a discrete action space.
    #[error("the action space is discrete: call `step`, not `step_continuous`")]
    NeedsDiscreteAction,

    /// A discrete action for a continuous action space.
    #[error("the action space is continuous: call `step_continuous` with {dim} numbers, not `step`")]
    NeedsContinuousAction {
        /// The numbers of an action.
        dim: usize,
    },

    /// A continuous action of the wrong length.
    #[error("the action has {len} numbers, but the action space has {expected}")]
    ActionLength {
        /// The action's length.
        len: usize,
        /// The action space's dimension.
        expected: usize,
    },

    /// A continuous action with NaN.
    #[error("the action's number {index} is NaN")]
    ActionNaN {
        /// The index in the action.
        index: usize,
    },

    /// A step before the first reset, or after a failed call.
    #[error("step without an episode: call reset first")]
    StepBeforeReset,

    /// A step after the end of the episode.
    #[error("step after the end of the episode (it had {steps} steps): call reset first")]
    StepAfterEnd {
        /// The length of the episode.
        steps: u64,
    },

    /// An observation of another length than the environment declares.
    #[error("after step {step} the observation has {len} values, but `obs_dim` is {expected}")]
    ObservationLength {
        /// Steps since the reset; 0 is the reset itself.
        step: u64,
        /// The observation's length.
        len: usize,
        /// The observation space's dimension.
        expected: usize,
    },

    /// Another number of values in the observation space than `obs_dim`.
    #[error("`obs_dim` is {obs_dim}, but the observation space {space} has {} values: make them equal", .space.len())]
    ObservationSpaceLength {
        /// The declared number of values.
        obs_dim: usize,
        /// The observation space.
        space: ObservationSpace,
    },

    /// An observation of another dtype than its space.
    #[error(
        "after step {step} the observation is of {dtype}, but the observation space is {space}: override \
         `observation_space` and `typed_observation` with one dtype"
    )]
    ObservationDtype {
        /// Steps since the reset; 0 is the reset itself.
        step: u64,
        /// The observation's dtype.
        dtype: ObservationDtype,
        /// The observation space.
        space: ObservationSpace,
    },

    /// A non-finite observation.
    #[error("after step {step} the observation's value {index} is {value}")]
    ObservationNotFinite {
        /// Steps since the reset; 0 is the reset itself.
        step: u64,
        /// The index in the observation.
        index: usize,
        /// The value.
        value: f32,
    },

    /// A non-finite reward.
    #[error("the reward of step {step} is {value}")]
    RewardNotFinite {
        /// Steps since the reset; the first is 1.
        step: u64,
        /// The reward.
        value: f64,
    },

    /// An episode that was played again, with another result.
    #[error(
        "the episode with seed {seed} had another observation after {steps} steps when its actions were taken again: the \
         environment must depend on nothing but its seed and actions (`env check` shows whether it does); a training run \
         in it can't be resumed"
    )]
    NotRepeated {
        /// The seed of the episode.
        seed: u64,
        /// Its number of steps.
        steps: usize,
    },

    /// A panic of the environment.
    #[error("{} panicked: {message}", if *.step == 0 { "reset".into() } else { format!("step {step}") })]
    Panicked {
        /// Steps since the reset; 0 is the reset itself.
        step: u64,
        /// The panic's message.
        message: String,
    },

    /// An error of an environment from a registry, with its name.
    #[error("environment `{name}`: {source}")]
    InEnvironment {
        /// The environment's name.
        name: String,
        /// The environment's error.
        source: Box<EnvironmentError>,
    },

    /// A name that is registered already.
    #[error("there are two environments named `{name}`: rename one")]
    DuplicateName {
        /// The name.
        name: String,
    },

    /// A name that isn't registered.
    #[error("there is no environment `{name}`: {}", suggestion(.nearest, .known))]
    UnknownEnvironment {
        /// The name.
        name: String,
        /// Similar registered names, the most similar first.
        nearest: Vec<String>,
        /// All registered names.
        known: Vec<String>,
    },

    /// Too few or too many torques for a pendulum with discrete actions.
    #[cfg(feature = "gym")]
    #[error("torques = {torques}: a pendulum needs at least 2, one in each direction, and at most {max}")]
    TorqueCount {
        /// The number of torques.
        torques: usize,
        /// The largest number.
        max: usize,
    },

    /// An error of one environment of a vector environment.
    #[error("environment {index}: {source}")]
    InVectorEnv {
        /// The environment's index, from 0.
        index: usize,
        /// The environment's error.
        source: Box<EnvironmentError>,
    },

    /// Another number of actions than a vector environment has environments.
    #[error("{actions} actions for {num_envs} environments: give one action for each")]
    ActionCount {
        /// The number of actions.
        actions: usize,
        /// The number of environments.
        num_envs: usize,
    },

    /// A vector environment of environments with different spaces.
    #[error("environment {index} has another observation or action space than environment 0")]
    MismatchedSpaces {
        /// The environment's index, from 0.
        index: usize,
    },

    /// A setting that the environment doesn't have.
    #[error("`{setting}` is not a setting of `{name}`: it has {}", quoted(.known))]
    UnknownSetting {
        /// The environment's name.
        name: String,
        /// The setting.
        setting: String,
        /// The environment's settings, the nearest first.
        known: Vec<String>,
    },

    /// A setting of the wrong type.
    #[error("{setting} = {value}: {problem}")]
    SettingType {
        /// The setting.
        setting: String,
        /// The value.
        value: String,
        /// The problem.
        problem: String,
    },

    /// A setting outside its range.
    #[error("{setting} = {value}: must be {range}")]
    SettingOutOfRange {
        /// The setting.
        setting: &'static str,
        /// The value.
        value: f64,
        /// The range.
        range: &'static str,
    },

    /// An error specific to an environment.
    #[error(transparent)]
    Other(#[from] Box<dyn Error + Send + Sync>),
}

impl From<&str> for EnvironmentError {
    fn from(message: &str) -> Self {
        Self::Other(message.into())
    }
}

impl From<String> for EnvironmentError {
    fn from(message: String) -> Self {
        Self::Other(message.into())
    }
}

impl EnvironmentError {
    /// Adds the index of the environment, unless there is only one.
    pub(crate) fn in_vector_env(self, index: usize, num_envs: usize) -> Self {
        if num_envs == 1 { self } else { Self::InVectorEnv { index, source: self.into() } }
    }
}

fn suggestion(nearest: &[String], known: &[String]) -> String {
    match nearest {
        [] => format!("known are {}", quoted(known)),
        _ => format!("did you mean {}?", quoted(nearest)),
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
