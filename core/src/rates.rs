//! Distribution of the learning rates (paper, section 4).
//!
//! | symbol | here | paper |
//! |---|---|---|
//! | `logU(eta_min, eta_max)` | [`LrRange`] as a distribution, for units | section 4.1 |
//! | parts with their own `eta` | [`LrGranularity`] | section 4.2 |
//! | `eta_j` of head j | [`LrRange::log_spaced`] | section 4.4, Algorithm 1 line 6 |

use rand::{Rng, RngExt};
use rand_distr::Distribution;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Granularity of the body's learning rates. `Unit` is the paper's; the other variants are controls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LrGranularity {
    /// One learning rate per unit, sampled once.
    #[default]
    Unit,
    /// One learning rate per parameter, sampled once.
    Parameter,
    /// One learning rate per unit, resampled at each update: in expectation, SGD at the mean rate (paper, footnote 1).
    UnitResampled,
}

/// Learning-rate range `[eta_min, eta_max]`. As a distribution, it is log-uniform: `log eta` is uniform.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrRange {
    eta_min: f64,
    eta_max: f64,
}

impl Default for LrRange {
    /// Returns the paper's range for all tasks, `[1e-5, 10]`.
    fn default() -> Self {
        LrRange { eta_min: 1e-5, eta_max: 10.0 }
    }
}

impl LrRange {
    /// Creates a range from its bounds. Equal bounds give all units and heads one learning rate.
    ///
    /// # Errors
    /// [`Error::LrRange`] unless `0 < eta_min <= eta_max < infinity` as 32-bit numbers, in which weights are updated.
    pub fn new(eta_min: f64, eta_max: f64) -> Result<Self, Error> {
        if eta_min as f32 > 0.0 && eta_min <= eta_max && (eta_max as f32).is_finite() {
            Ok(LrRange { eta_min, eta_max })
        } else {
            Err(Error::LrRange { min: eta_min, max: eta_max })
        }
    }

    /// Returns the lower bound, `eta_min`.
    pub fn min(&self) -> f64 {
        self.eta_min
    }

    /// Returns the upper bound, `eta_max`.
    pub fn max(&self) -> f64 {
        self.eta_max
    }

    /// Returns whether the range is a single learning rate, as SGD and Adam have.
    pub fn is_single(&self) -> bool {
        self.eta_min == self.eta_max
    }

    /// Returns `k` log-spaced learning rates, `[k]`, from the lower to the upper bound. For `k = 1` it is the bounds'
    /// geometric mean.
    pub fn log_spaced(&self, k: usize) -> Vec<f64> {
        match k {
            1 => vec![self.at(0.5)],
            _ => (0..k).map(|j| self.at(j as f64 / (k - 1) as f64)).collect(),
        }
    }

    /// Returns the learning rate at a fraction of the range on a log scale: exactly `eta_min` at 0, exactly `eta_max` at 1.
    fn at(&self, fraction: f64) -> f64 {
        if fraction == 1.0 || self.eta_min == self.eta_max {
            return self.eta_max;
        }
        self.eta_min * ((self.eta_max / self.eta_min).ln() * fraction).exp()
    }
}

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
    fn head_rates_are_log_spaced_over_the_papers_range() {
        let etas = LrRange::default().log_spaced(10);
        assert_eq!((etas[0], etas[9]), (1e-5, 10.0));
        for pair in etas.windows(2) {
            assert!((pair[1] / pair[0] - 1e6_f64.powf(1.0 / 9.0)).abs() < 1e-12);
        }
    }

    /// Kolmogorov-Smirnov test: the largest gap between the empirical distribution of `log eta` and the uniform one is
    /// below the 0.1 % critical value, 1.95 / sqrt(n).
    #[test]
    fn unit_rates_are_log_uniform() {
        let lr_range = LrRange::default();
        let n = 20_000;
        let rates = lr_range.sample_iter(stream(0, "rates"));
        let mut fractions: Vec<f64> = rates.take(n).map(|eta| (eta / 1e-5).ln() / 1e6_f64.ln()).collect();
        fractions.sort_by(f64::total_cmp);
        let gap = |(i, fraction): (usize, &f64)| (fraction - i as f64 / n as f64).abs();
        let largest = fractions.iter().enumerate().map(gap).fold(0.0, f64::max);
        assert!(largest < 1.95 / (n as f64).sqrt(), "{largest}");
    }

    #[test]
    fn invalid_ranges_are_rejected() {
        for (min, max) in [(1.0, 0.1), (0.0, 1.0), (-1.0, 1.0), (1.0, f64::INFINITY), (f64::NAN, 1.0)] {
            assert!(matches!(LrRange::new(min, max), Err(Error::LrRange { .. })), "{min} {max}");
        }
    }
}
