//! Settings of a Q-network, the section `[agent.network]` of a configuration.

use serde::{Deserialize, Serialize};

/// The name that stands for a body chosen by the observations' shape.
pub(crate) const AUTO: &str = "auto";

/// Architecture and likelihood of a Q-network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QNetworkSettings {
    /// Name of the body, one of [`Bodies`](crate::bodies::Bodies), or `auto`, which chooses by the observations' shape.
    pub body: String,
    /// Units of each hidden layer of an MLP.
    pub hidden_sizes: Vec<i64>,
    /// Factor on the numbers of units.
    pub width_factor: f64,
    /// Whether hidden layers have layer normalization.
    pub layer_norm: bool,
    /// Whether heads are dueling: half of the features give the state's value, the other half the actions' advantages.
    pub dueling: bool,
    /// Scale sigma of the likelihood, in units of the targets; larger errors have bounded influence.
    pub sigma: f64,
}

impl Default for QNetworkSettings {
    fn default() -> Self {
        QNetworkSettings {
            body: AUTO.into(),
            hidden_sizes: vec![256, 256],
            width_factor: 1.0,
            layer_norm: true,
            dueling: false,
            sigma: 1.0,
        }
    }
}
