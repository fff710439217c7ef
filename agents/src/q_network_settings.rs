//! The settings of a Q-network, as `[agent.network]` has them.

use serde::{Deserialize, Serialize};

/// The shape of a Q-network and how it weighs errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QNetworkSettings {
    /// Name of the body, one of [`Bodies`](crate::bodies::Bodies).
    pub body: String,
    /// Units of each hidden layer.
    pub hidden_sizes: Vec<i64>,
    /// Factor on the hidden sizes.
    pub width_factor: f64,
    /// Whether hidden layers are normalised.
    pub layer_norm: bool,
    /// Whether half of the last layer tells the value of a state, the other half the advantages of actions.
    pub dueling: bool,
    /// Scale sigma of the likelihood, in units of the targets; larger errors have bounded influence.
    pub sigma: f64,
}

impl Default for QNetworkSettings {
    fn default() -> Self {
        QNetworkSettings {
            body: "mlp".into(),
            hidden_sizes: vec![256, 256],
            width_factor: 1.0,
            layer_norm: true,
            dueling: false,
            sigma: 1.0,
        }
    }
}
