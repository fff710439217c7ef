//! Learning-rate schedules: one time-dependent factor on all learning rates (paper, section 7).

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// Learning-rate schedule: a linear warm-up, then a decay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LrSchedule {
    /// Updates of the warm-up; 0 for none.
    pub warm_up: u64,
    /// Decay after the warm-up.
    pub decay: Decay,
}

/// Decay of the learning rates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Decay {
    /// No decay.
    #[default]
    Constant,
    /// Multiplication by `factor` every `every` updates.
    Step {
        /// Interval, in updates.
        every: u64,
        /// Factor on the learning rates.
        factor: f64,
    },
    /// Half a cosine, to zero after `updates` updates.
    Cosine {
        /// Length, in updates.
        updates: u64,
    },
    /// Decay as `1 / sqrt(1 + t / updates)` at update t.
    InverseSqrt {
        /// Updates until the factor is `1 / sqrt(2)`.
        updates: u64,
    },
}

/// The schedule of learning rates over a whole training, as configurations name it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LrScheduleKind {
    /// Learning rates follow the method's own schedule, which is constant unless set.
    #[default]
    Constant,
    /// Learning rates fall along half a cosine, to zero at the end of the training.
    Cosine,
}

impl LrSchedule {
    /// Returns the factor at update `t`, from 0.
    pub fn factor(&self, t: u64) -> f64 {
        let warmed_up = if t < self.warm_up { (t + 1) as f64 / self.warm_up as f64 } else { 1.0 };
        let decayed = match self.decay {
            Decay::Constant => 1.0,
            Decay::Step { every, factor } => factor.powf((t / every) as f64),
            Decay::Cosine { updates } => 0.5 * (1.0 + (PI * (t as f64 / updates as f64).min(1.0)).cos()),
            Decay::InverseSqrt { updates } => (1.0 + t as f64 / updates as f64).powf(-0.5),
        };
        warmed_up * decayed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_match_values_by_hand() {
        let at = |decay, t| LrSchedule { warm_up: 0, decay }.factor(t);
        assert_eq!(at(Decay::Constant, 1_000_000), 1.0);
        let step = Decay::Step { every: 10, factor: 0.5 };
        assert_eq!([at(step, 0), at(step, 9), at(step, 10), at(step, 25)], [1.0, 1.0, 0.5, 0.25]);
        let cosine = Decay::Cosine { updates: 100 };
        assert_eq!([at(cosine, 0), at(cosine, 100), at(cosine, 200)], [1.0, 0.0, 0.0]);
        assert!((at(cosine, 50) - 0.5).abs() < 1e-15);
        assert_eq!(at(Decay::InverseSqrt { updates: 10 }, 30), 0.5);
        let warm = LrSchedule { warm_up: 4, decay: step };
        assert_eq!([warm.factor(0), warm.factor(1), warm.factor(3), warm.factor(10)], [0.25, 0.5, 1.0, 0.5]);
    }
}
