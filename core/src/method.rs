//! The training method: learning rates, update rule, heads, averaging.
//!
//! Baselines are settings of the same method: SGD has one learning rate and one head.

use tch::{Kind, Tensor};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::averaging::Averaging;
use crate::optimizer::{AdamSettings, LrSchedule, SgdSettings, UpdateRule};
use crate::rates::{LrGranularity, LrRange};

/// Settings of the training method, apart from the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Learning-rate range of units and heads.
    pub lr_range: LrRange,
    /// Granularity of the body's learning rates.
    pub lr_per: LrGranularity,
    /// Number of heads, K.
    pub num_heads: i64,
    /// Update rule.
    pub rule: UpdateRule,
    /// Learning-rate schedule.
    pub lr_schedule: LrSchedule,
    /// Averaging of the heads.
    pub averaging: Averaging,
    /// Unit of one observation of the averaging.
    pub evidence: Evidence,
    /// Maximum norm of the body's gradient, and of each head's; unclipped if `None`.
    pub max_grad_norm: Option<f64>,
    /// Maximum root mean square of the change of a unit of the body in an update, relative to that of its parameters, now or
    /// initially, whichever is less; the learning rates' schedule multiplies it. Unbounded if `None` or 0; must not be
    /// negative.
    pub max_relative_update: Option<f64>,
    /// Whether non-finite heads and units are skipped rather than left to diverge.
    pub guarded: bool,
}

/// Reduction of a batch's log-likelihoods to the evidence of one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// Mean, as in the authors' code: a batch counts as one observation.
    #[default]
    Mean,
    /// Sum: each sample counts as one observation.
    Sum,
}

impl Evidence {
    /// Reduces the samples' `log p_j`, `[K, B]`, to the evidence of each head, `[K]` f64.
    pub(crate) fn reduce(self, log_p: &Tensor) -> Tensor {
        match self {
            Evidence::Mean => log_p.mean_dim([1].as_slice(), false, Kind::Double),
            Evidence::Sum => log_p.sum_dim_intlist([1].as_slice(), false, Kind::Double),
        }
    }
}

impl Default for Method {
    /// Returns [`Method::alrao`], the paper's method; [`Method::alrao_adam`] is the default for observations that are
    /// vectors, and for text.
    fn default() -> Self {
        Self::alrao()
    }
}

impl Method {
    /// Returns the paper's method: SGD with learning rates from `[1e-5, 10]`, and 10 heads averaged by the Switch.
    pub fn alrao() -> Self {
        Method {
            lr_range: LrRange::default(),
            lr_per: LrGranularity::default(),
            num_heads: 10,
            rule: UpdateRule::Sgd(SgdSettings::default()),
            lr_schedule: LrSchedule::default(),
            averaging: Averaging::default(),
            evidence: Evidence::default(),
            max_grad_norm: None,
            max_relative_update: None,
            guarded: true,
        }
    }

    /// Returns [`Method::alrao`] with Adam's rule (paper, section 7), whose updates are about as large as the learning rate,
    /// whatever the gradient. Most of the interval is too large for Adam, so no hidden unit changes by more than 0.5 % of
    /// its size in an update. The `alrao` program uses it for agents of vectors and for language models by default.
    pub fn alrao_adam() -> Self {
        Method { rule: UpdateRule::Adam(AdamSettings::default()), max_relative_update: Some(5e-3), ..Self::alrao() }
    }

    /// Returns stochastic gradient descent with one learning rate and one head, unguarded.
    ///
    /// # Errors
    /// [`Error::LrRange`] unless `eta` is positive and finite.
    pub fn sgd(eta: f64) -> Result<Self, Error> {
        let lr_range = LrRange::new(eta, eta)?;
        Ok(Method { lr_range, num_heads: 1, guarded: false, ..Self::alrao() })
    }

    /// Returns Adam with one learning rate and one head, unguarded.
    ///
    /// # Errors
    /// [`Error::LrRange`] unless `eta` is positive and finite.
    pub fn adam(eta: f64) -> Result<Self, Error> {
        Ok(Method { rule: UpdateRule::Adam(AdamSettings::default()), ..Self::sgd(eta)? })
    }
}
