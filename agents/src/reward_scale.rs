//! The scale of rewards, found while they come in.
//!
//! The heads' errors must be near the likelihood's width, or the Switch can't tell the heads apart and units learn
//! nothing: raw rewards of Pendulum make Alrao fail outright. So rewards are multiplied by whatever brings the root of
//! their mean square so far to a fixed size. Whoever reads a value of the network divides by the same factor.

use serde::{Deserialize, Serialize};

/// Running root mean square of rewards.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewardScale {
    /// The root mean square that scaled rewards have.
    rms: f64,
    rewards: u64,
    sum_of_squares: f64,
}

impl RewardScale {
    /// A scale that brings rewards to this root mean square.
    pub fn new(rms: f64) -> Self {
        RewardScale { rms, rewards: 0, sum_of_squares: 0.0 }
    }

    /// Takes in one raw reward.
    pub fn observe(&mut self, reward: f64) {
        self.rewards += 1;
        self.sum_of_squares += reward * reward;
    }

    /// What raw rewards are multiplied by; 1 as long as all of them were zero.
    pub fn factor(&self) -> f64 {
        if self.sum_of_squares > 0.0 { self.rms / (self.sum_of_squares / self.rewards as f64).sqrt() } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaled_rewards_have_the_same_size_whatever_the_raw_ones() {
        for size in [1e-3, 1.0, 1e3] {
            let mut scale = RewardScale::new(0.3);
            assert_eq!(scale.factor(), 1.0);
            [3.0, -4.0].iter().for_each(|r| scale.observe(r * size));
            let scaled = [3.0 * size * scale.factor(), -4.0 * size * scale.factor()];
            let rms = (scaled.iter().map(|r| r * r).sum::<f64>() / 2.0).sqrt();
            assert!((rms - 0.3).abs() < 1e-12);
        }
    }
}
