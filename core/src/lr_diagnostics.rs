//! Diagnostics of a run's learning rates, from the posterior over heads and the units' weights.

use crate::json::{null_as_nan, nulls_as_nan};
use serde::{Deserialize, Serialize};

use crate::averaging::effective_number;
use crate::rates::LrRange;

/// A bound of the learning-rate range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// `eta_min`
    Lower,
    /// `eta_max`
    Upper,
}

/// Diagnostics of a run's learning rates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LrDiagnostics {
    /// Learning rates `eta_j` of the heads, `[K]`.
    #[serde(deserialize_with = "nulls_as_nan")]
    pub head_lrs: Vec<f64>,
    /// Posterior over the heads, `[K]`.
    #[serde(deserialize_with = "nulls_as_nan")]
    pub posterior: Vec<f64>,
    /// Effective number of heads, between 1 and K.
    #[serde(deserialize_with = "null_as_nan")]
    pub effective_heads: f64,
    /// Learning rate of the top-weighted head.
    #[serde(deserialize_with = "null_as_nan")]
    pub top_lr: f64,
    /// Single learning rate suggested for the same update rule, SGD's or Adam's: the geometric mean of the heads' learning
    /// rates, weighted by the posterior.
    #[serde(deserialize_with = "null_as_nan")]
    pub suggested_lr: f64,
    /// The bound whose head has most of the weight, if one has: the range should be widened there.
    pub at_bound: Option<Bound>,
    /// Units whose weights are non-finite or have grown 100-fold.
    pub exploded_units: usize,
    /// Units of the body.
    pub units: usize,
}

impl LrDiagnostics {
    /// Computes the diagnostics from the posterior, `[K]`, and each unit's RMS divided by its initial RMS, `[units]`.
    pub(crate) fn new(lr_range: LrRange, posterior: Vec<f64>, rms_ratio: &[f64]) -> Self {
        let head_lrs = lr_range.log_spaced(posterior.len());
        let best = (0..posterior.len()).max_by(|&i, &j| posterior[i].total_cmp(&posterior[j])).expect("a head");
        let mean_log: f64 = head_lrs.iter().zip(&posterior).map(|(eta, a)| a * eta.ln()).sum();
        let last = posterior.len() - 1;
        let at_bound = match best {
            _ if last == 0 || posterior[best] <= 0.5 => None,
            0 => Some(Bound::Lower),
            best if best == last => Some(Bound::Upper),
            _ => None,
        };
        LrDiagnostics {
            effective_heads: effective_number(&posterior),
            top_lr: head_lrs[best],
            suggested_lr: mean_log.exp(),
            at_bound,
            exploded_units: exploded_units(rms_ratio),
            units: rms_ratio.len(),
            head_lrs,
            posterior,
        }
    }
}

/// Counts exploded units, by their RMS divided by their initial RMS, `[units]`.
pub(crate) fn exploded_units(rms_ratio: &[f64]) -> usize {
    const MAX_RMS_RATIO: f64 = 100.0;
    rms_ratio.iter().filter(|rms_ratio| rms_ratio.is_nan() || **rms_ratio > MAX_RMS_RATIO).count()
}

impl std::fmt::Display for LrDiagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        writeln!(
            f,
            "top head {:.1e}, {:.1} of {} heads effective, suggested as single rate {:.1e}",
            self.top_lr,
            self.effective_heads,
            self.posterior.len(),
            self.suggested_lr
        )?;
        match self.at_bound {
            Some(Bound::Lower) => writeln!(f, "top head at the lower bound: a smaller lr_min may help")?,
            Some(Bound::Upper) => writeln!(f, "top head at the upper bound: a larger lr_max may help")?,
            None => {}
        }
        write!(f, "exploded units: {} of {}", self.exploded_units, self.units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(posterior: &[f64], rms_ratio: &[f64]) -> LrDiagnostics {
        LrDiagnostics::new(LrRange::new(1e-4, 1.0).unwrap(), posterior.to_vec(), rms_ratio)
    }

    #[test]
    fn diagnostics_match_values_by_hand() {
        let report = read(&[0.0, 0.5, 0.5, 0.0, 0.0], &[1.0, 99.0, 101.0, f64::NAN, f64::INFINITY]);
        assert_eq!((report.exploded_units, report.units, report.at_bound), (3, 5, None));
        assert!((report.suggested_lr / 10f64.powf(-2.5) - 1.0).abs() < 1e-12);
        assert!((report.effective_heads - 2.0).abs() < 1e-12);
    }

    #[test]
    fn weight_at_a_bound_suggests_a_wider_range() {
        assert_eq!(read(&[0.9, 0.1, 0.0], &[]).at_bound, Some(Bound::Lower));
        assert_eq!(read(&[0.0, 0.1, 0.9], &[]).at_bound, Some(Bound::Upper));
        assert_eq!(read(&[0.4, 0.3, 0.3], &[]).at_bound, None);
        assert_eq!(read(&[1.0], &[]).at_bound, None);
        assert!(read(&[0.0, 0.1, 0.9], &[]).to_string().contains("a larger lr_max"));
    }
}
