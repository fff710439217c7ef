//! Where learning rates come from (paper, section 4).
//!
//! | symbol | here | paper |
//! |---|---|---|
//! | `logU(eta_min, eta_max)` | [`LrRange`] as a distribution | section 4.1 |
//! | what draws one | [`LrGranularity`] | section 4.2 |
//! | `eta_j` of head j | [`LrRange::log_spaced`] | section 4.4, Algorithm 1 line 6 |

use rand::{Rng, RngExt};
use rand_distr::Distribution;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Granularity of the body's learning rates. `Unit` is the paper's, the others are for comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LrGranularity {
    /// Every unit, from the beginning to the end.
    #[default]
    Unit,
    /// Every parameter, from the beginning to the end.
    Parameter,
    /// Every unit, drawn anew at each step, which is in expectation SGD at the mean rate (paper, footnote 1).
    UnitResampled,
}

/// The interval `[eta_min, eta_max]` that all learning rates come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrRange {
    eta_min: f64,
    eta_max: f64,
}

impl Default for LrRange {
    /// The paper's interval, the same for every task: `[1e-5, 10]`.
    fn default() -> Self {
        LrRange { eta_min: 1e-5, eta_max: 10.0 }
    }
}

impl LrRange {
    /// The interval with these ends; equal ends give one rate everywhere, that is plain SGD.
    ///
    /// # Errors
    /// [`Error::LrRange`] unless `0 < eta_min <= eta_max < infinity`.
    pub fn new(eta_min: f64, eta_max: f64) -> Result<Self, Error> {
        if eta_min > 0.0 && eta_min <= eta_max && eta_max.is_finite() {
            Ok(LrRange { eta_min, eta_max })
        } else {
            Err(Error::LrRange { min: eta_min, max: eta_max })
        }
    }

    /// The lower end.
    pub fn min(&self) -> f64 {
        self.eta_min
    }

    /// The upper end.
    pub fn max(&self) -> f64 {
        self.eta_max
    }

    /// `k` rates, evenly spaced in `log eta` from one end to the other: one for each head.
    /// A single rate is the interval's geometric mean.
    pub fn log_spaced(&self, k: usize) -> Vec<f64> {
        match k {
            1 => vec![self.at(0.5)],
            _ => (0..k).map(|j| self.at(j as f64 / (k - 1) as f64)).collect(),
        }
    }

    /// The rate at a share of the way from `log eta_min` to `log eta_max`; exact at both ends.
    fn at(&self, fraction: f64) -> f64 {
        if fraction == 1.0 || self.eta_min == self.eta_max {
            return self.eta_max;
        }
        self.eta_min * ((self.eta_max / self.eta_min).ln() * fraction).exp()
    }
}

/// The log-uniform distribution `logU(eta_min, eta_max)`: `log eta` is uniform between the logarithms of the ends.
impl Distribution<f64> for LrRange {
    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> f64 {
        self.at(rng.random::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::stream;

    #[test]
    fn heads_rates_are_spaced_by_a_factor_over_the_papers_interval() {
        let etas = LrRange::default().log_spaced(10);
        assert_eq!((etas[0], etas[9]), (1e-5, 10.0));
        for pair in etas.windows(2) {
            assert!((pair[1] / pair[0] - 1e6_f64.powf(1.0 / 9.0)).abs() < 1e-12);
        }
    }

    /// Kolmogorov-Smirnov: the largest gap between the sample's distribution of `log eta` and the uniform one stays
    /// under the 0.1 % critical value, 1.95 / sqrt(n).
    #[test]
    fn unit_rates_are_log_uniform() {
        let lr_range = LrRange::default();
        let n = 20_000;
        let rates = lr_range.sample_iter(stream(0, "rates"));
        let mut shares: Vec<f64> = rates.take(n).map(|eta| (eta / 1e-5).ln() / 1e6_f64.ln()).collect();
        shares.sort_by(f64::total_cmp);
        let gap = |(i, share): (usize, &f64)| (share - i as f64 / n as f64).abs();
        let largest = shares.iter().enumerate().map(gap).fold(0.0, f64::max);
        assert!(largest < 1.95 / (n as f64).sqrt(), "{largest}");
    }

    #[test]
    fn an_interval_without_rates_is_refused() {
        for (min, max) in [(1.0, 0.1), (0.0, 1.0), (-1.0, 1.0), (1.0, f64::INFINITY), (f64::NAN, 1.0)] {
            assert!(matches!(LrRange::new(min, max), Err(Error::LrRange { .. })), "{min} {max}");
        }
    }
}
