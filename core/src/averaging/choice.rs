//! The methods of averaging, to choose from.

use serde::{Deserialize, Serialize};
use tch::Device;

use super::{Bayes, ModelAveraging, Switch};

/// Which method averages the heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Averaging {
    /// The Switch, which follows changes of the best model: the paper's choice.
    #[default]
    Switch,
    /// Bayesian averaging, which takes one of the models to be right all along.
    Bayes,
}

impl Averaging {
    /// The prior over `k` models, uniform.
    pub fn build(self, k: i64, device: Device) -> Box<dyn ModelAveraging> {
        match self {
            Averaging::Switch => Box::new(Switch::new(k, device)),
            Averaging::Bayes => Box::new(Bayes::new(k, device)),
        }
    }
}
