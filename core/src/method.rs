//! How a network learns: learning rates, update rule, averaging.
//!
//! Alrao and its baselines are one thing: plain SGD is the interval of a single rate with a single head.

use tch::{Kind, Tensor};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::averaging::Averaging;
use crate::optimizer::{AdamSettings, LrSchedule, SgdSettings, UpdateRule};
use crate::rates::{LrGranularity, LrRange};

/// Settings of learning, apart from the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Learning-rate range of units and heads.
    pub lr_range: LrRange,
    /// Granularity of the body's learning rates.
    pub lr_per: LrGranularity,
    /// Scalar of heads, K.
    pub num_heads: i64,
    /// Update rule.
    pub rule: UpdateRule,
    /// Learning-rate schedule.
    pub lr_schedule: LrSchedule,
    /// Averaging of the heads.
    pub averaging: Averaging,
    /// What counts as one observation of the averaging.
    pub evidence: Evidence,
    /// Maximum norm of the body's gradient, and of each head's; unclipped if `None`.
    pub max_grad_norm: Option<f64>,
    /// Whether non-finite heads and units are skipped rather than left to diverge.
    pub guarded: bool,
}

/// The evidence of a step, from the log-likelihoods of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// Their mean, as in the authors' code: a batch counts as one observation.
    #[default]
    Mean,
    /// Their sum: each sample counts as one.
    Sum,
}

impl Evidence {
    /// What the samples' `log p_j`, `[K, B]`, say about each head, `[K]` f64.
    pub(crate) fn of(self, log_p: &Tensor) -> Tensor {
        match self {
            Evidence::Mean => log_p.mean_dim([1].as_slice(), false, Kind::Double),
            Evidence::Sum => log_p.sum_dim_intlist([1].as_slice(), false, Kind::Double),
        }
    }
}

impl Default for Method {
    /// [`Method::alrao`].
    fn default() -> Self {
        Self::alrao()
    }
}

impl Method {
    /// The paper's: SGD at rates from `[1e-5, 10]`, 10 heads, averaged by the Switch.
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
            guarded: true,
        }
    }

    /// Stochastic gradient descent at one rate, with one head, unguarded.
    ///
    /// # Errors
    /// [`Error::LrRange`] unless `eta` is a positive number.
    pub fn sgd(eta: f64) -> Result<Self, Error> {
        let lr_range = LrRange::new(eta, eta)?;
        Ok(Method { lr_range, num_heads: 1, guarded: false, ..Self::alrao() })
    }

    /// Adam at one rate, with one head, unguarded.
    ///
    /// # Errors
    /// [`Error::LrRange`] unless `eta` is a positive number.
    pub fn adam(eta: f64) -> Result<Self, Error> {
        Ok(Method { rule: UpdateRule::Adam(AdamSettings::default()), ..Self::sgd(eta)? })
    }
}
