//! What a run says about learning rates, in a few numbers read from the posterior over heads and from the units.

use serde::{Deserialize, Serialize};

use crate::averaging::effective_number;
use crate::rates::RateInterval;

/// The end of an interval of rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// `eta_min`
    Low,
    /// `eta_max`
    High,
}

/// A report on the rates of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// The heads' rates `eta_j`, `[K]`.
    pub head_rates: Vec<f64>,
    /// The posterior over heads, `[K]`.
    pub posterior: Vec<f64>,
    /// How many heads carry the weight, between 1 and K.
    pub effective_heads: f64,
    /// The rate of the heaviest head.
    pub best_rate: f64,
    /// The single rate that the run suggests for SGD: the mean of `log eta_j` under the posterior.
    pub suggested_rate: f64,
    /// The end of the interval that most of the weight sits at, if it does: the interval should be widened there.
    pub at_end: Option<End>,
    /// Units whose weights have left a sane range: not finite, or 100 times the size they began with.
    pub units_out_of_range: usize,
    /// Units of the body.
    pub units: usize,
}

impl Diagnosis {
    /// Reads the posterior and the sizes of units, each as a multiple of its first size, `[units]`.
    pub(crate) fn read(interval: RateInterval, posterior: Vec<f64>, growth: &[f64]) -> Self {
        let head_rates = interval.spaced(posterior.len());
        let best = (0..posterior.len()).max_by(|&i, &j| posterior[i].total_cmp(&posterior[j])).expect("a head");
        let mean_log: f64 = head_rates.iter().zip(&posterior).map(|(eta, a)| a * eta.ln()).sum();
        let last = posterior.len() - 1;
        let at_end = match best {
            _ if last == 0 || posterior[best] <= 0.5 => None,
            0 => Some(End::Low),
            best if best == last => Some(End::High),
            _ => None,
        };
        Diagnosis {
            effective_heads: effective_number(&posterior),
            best_rate: head_rates[best],
            suggested_rate: mean_log.exp(),
            at_end,
            units_out_of_range: units_out_of_range(growth),
            units: growth.len(),
            head_rates,
            posterior,
        }
    }
}

/// How many units have left a sane range, by their sizes as multiples of their first ones, `[units]`.
pub(crate) fn units_out_of_range(growth: &[f64]) -> usize {
    const SANE_GROWTH: f64 = 100.0;
    growth.iter().filter(|growth| growth.is_nan() || **growth > SANE_GROWTH).count()
}

impl std::fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        writeln!(
            f,
            "the heaviest of {} heads learns at {:.1e}; {:.1} heads carry the weight",
            self.posterior.len(),
            self.best_rate,
            self.effective_heads
        )?;
        match self.at_end {
            Some(End::Low) => writeln!(f, "it is the slowest one: a smaller eta_min may do better")?,
            Some(End::High) => writeln!(f, "it is the fastest one: a larger eta_max may do better")?,
            None => {}
        }
        writeln!(f, "{} of {} units have left a sane range", self.units_out_of_range, self.units)?;
        write!(f, "a single rate for SGD: {:.1e}", self.suggested_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(posterior: &[f64], growth: &[f64]) -> Diagnosis {
        Diagnosis::read(RateInterval::new(1e-4, 1.0).unwrap(), posterior.to_vec(), growth)
    }

    #[test]
    fn the_report_by_hand() {
        let report = read(&[0.0, 0.5, 0.5, 0.0, 0.0], &[1.0, 99.0, 101.0, f64::NAN, f64::INFINITY]);
        assert_eq!((report.units_out_of_range, report.units, report.at_end), (3, 5, None));
        assert!((report.suggested_rate / 10f64.powf(-2.5) - 1.0).abs() < 1e-12);
        assert!((report.effective_heads - 2.0).abs() < 1e-12);
    }

    #[test]
    fn weight_at_an_end_asks_for_a_wider_interval() {
        assert_eq!(read(&[0.9, 0.1, 0.0], &[]).at_end, Some(End::Low));
        assert_eq!(read(&[0.0, 0.1, 0.9], &[]).at_end, Some(End::High));
        assert_eq!(read(&[0.4, 0.3, 0.3], &[]).at_end, None);
        assert_eq!(read(&[1.0], &[]).at_end, None);
        assert!(read(&[0.0, 0.1, 0.9], &[]).to_string().contains("a larger eta_max"));
    }
}
