//! How a network learns: which rates, which rule, which averaging.
//!
//! Alrao and its baselines are one thing: plain SGD is the interval of a single rate with a single head.

use tch::{Kind, Tensor};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::averaging::Averaging;
use crate::optimizer::{AdamRule, Rule, Schedule, SgdRule};
use crate::rates::{LrGranularity, RateInterval};

/// Everything about learning that isn't the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Where the rates of units and heads come from.
    pub interval: RateInterval,
    /// What has a rate of its own in the body.
    pub lr_per: LrGranularity,
    /// K, the number of heads.
    pub heads: i64,
    /// What is done with a gradient and a rate.
    pub rule: Rule,
    /// The time-dependent factor on all rates.
    pub schedule: Schedule,
    /// What averages the heads.
    pub averaging: Averaging,
    /// What counts as one observation of the averaging.
    pub evidence: Evidence,
    /// The longest that the gradient of the body, and that of each head, may be; none is left as it is.
    pub clip: Option<f64>,
    /// Whether heads and units with non-finite numbers are left out, rather than let diverge.
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
            interval: RateInterval::default(),
            lr_per: LrGranularity::default(),
            heads: 10,
            rule: Rule::Sgd(SgdRule::default()),
            schedule: Schedule::default(),
            averaging: Averaging::default(),
            evidence: Evidence::default(),
            clip: None,
            guarded: true,
        }
    }

    /// Stochastic gradient descent at one rate, with one head, unguarded.
    ///
    /// # Errors
    /// [`Error::RateInterval`] unless `eta` is a positive number.
    pub fn sgd(eta: f64) -> Result<Self, Error> {
        let interval = RateInterval::new(eta, eta)?;
        Ok(Method { interval, heads: 1, guarded: false, ..Self::alrao() })
    }

    /// Adam at one rate, with one head, unguarded.
    ///
    /// # Errors
    /// [`Error::RateInterval`] unless `eta` is a positive number.
    pub fn adam(eta: f64) -> Result<Self, Error> {
        Ok(Method { rule: Rule::Adam(AdamRule::default()), ..Self::sgd(eta)? })
    }
}
