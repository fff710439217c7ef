//! The choice of an update rule.

use tch::Tensor;

use super::{Adam, AdamSettings, Optimizer, Sgd, SgdSettings};

/// An update rule with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum UpdateRule {
    /// Stochastic gradient descent.
    Sgd(SgdSettings),
    /// Adam.
    Adam(AdamSettings),
}

impl UpdateRule {
    /// Creates the optimizer for the learning rates `eta`, `[P]`.
    pub fn build(&self, eta: &Tensor) -> Box<dyn Optimizer> {
        match self {
            UpdateRule::Sgd(rule) => Box::new(Sgd::new(*rule, eta)),
            UpdateRule::Adam(rule) => Box::new(Adam::new(*rule, eta)),
        }
    }
}
