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
    /// Takes in one number.
    pub fn update(&mut self, x: f64) {
        self.count += 1;
        let deviation = x - self.mean;
        self.mean += deviation / self.count as f64;
        self.sum_of_squares += deviation * (x - self.mean);
    }

    /// Returns how many numbers were taken in.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns their mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Returns their standard deviation; 0 for none.
    pub fn std(&self) -> f64 {
        (self.sum_of_squares / self.count.max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_by_hand() {
        let mut moments = RunningMeanStd::default();
        assert_eq!((moments.count(), moments.std()), (0, 0.0));
        [1.0, 3.0, 8.0].into_iter().for_each(|x| moments.update(x));
        assert_eq!((moments.count(), moments.mean()), (3, 4.0));
        assert!((moments.std() - (26.0f64 / 3.0).sqrt()).abs() < 1e-12);
    }
}
