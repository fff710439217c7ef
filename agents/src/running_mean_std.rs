//! Running mean and standard deviation (Welford, 1962).

use serde::{Deserialize, Serialize};

/// Running mean and standard deviation of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunningMeanStd {
    count: u64,
    mean: f64,
    sum_of_squares: f64,
}

impl RunningMeanStd {
    /// Adds one value.
    pub fn update(&mut self, x: f64) {
        self.count += 1;
        let deviation = x - self.mean;
        self.mean += deviation / self.count as f64;
        self.sum_of_squares += deviation * (x - self.mean);
    }

    /// Returns the number of values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the mean of the values.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Returns the standard deviation of the values, with n in the denominator; 0 without values.
    pub fn std(&self) -> f64 {
        (self.sum_of_squares / self.count.max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_match_values_by_hand() {
        let mut statistics = RunningMeanStd::default();
        assert_eq!((statistics.count(), statistics.std()), (0, 0.0));
        [1.0, 3.0, 8.0].into_iter().for_each(|x| statistics.update(x));
        assert_eq!((statistics.count(), statistics.mean()), (3, 4.0));
        assert!((statistics.std() - (26.0f64 / 3.0).sqrt()).abs() < 1e-12);
    }
}
