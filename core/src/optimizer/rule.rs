//! The rules of descent, to choose from.

use tch::Tensor;

use super::{Adam, AdamRule, Optimizer, Sgd, SgdRule};

/// A rule of descent, with its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// Stochastic gradient descent.
    Sgd(SgdRule),
    /// Adam.
    Adam(AdamRule),
}

impl Rule {
    /// The rule at the rates `eta`, `[P]`.
    pub fn at(&self, eta: &Tensor) -> Box<dyn Optimizer> {
        match self {
            Rule::Sgd(rule) => Box::new(Sgd::new(*rule, eta)),
            Rule::Adam(rule) => Box::new(Adam::new(*rule, eta)),
        }
    }
}
