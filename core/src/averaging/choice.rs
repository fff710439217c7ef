//! The choice of an averaging method.

use serde::{Deserialize, Serialize};
use tch::Device;

use super::{Bayes, ModelAveraging, Switch};

/// Averaging method of the heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Averaging {
    /// The Switch, which follows changes of the best model: the paper's choice.
    #[default]
    Switch,
    /// Bayesian averaging, which assumes one best model throughout.
    Bayes,
}

impl Averaging {
    /// Creates the uniform prior over `k` models on `device`.
    pub fn build(self, k: i64, device: Device) -> Box<dyn ModelAveraging> {
        match self {
            Averaging::Switch => Box::new(Switch::new(k, device)),
            Averaging::Bayes => Box::new(Bayes::new(k, device)),
        }
    }
}
