//! Return scaling, from running statistics.
//!
//! Raw returns may be of any size, but the heads' errors must be about as large as the likelihood's sigma, or the
//! Switch can't tell the heads apart and units learn nothing: with raw rewards of Pendulum Alrao fails. So rewards are
//! scaled to give all discounted returns so far a fixed standard deviation, in units of sigma, and values are divided
//! by the same factor.
//!
//! The standard deviation serves rather than the mean square, because only differences between returns tell actions
//! apart; of returns rather than rewards, because where every reward is 1 only the end of an episode is informative.

use serde::{Deserialize, Serialize};

use crate::running_mean_std::RunningMeanStd;

/// Environment steps after which a longer episode is split.
const MAX_LENGTH: usize = 1_000;

/// Running statistics of discounted returns, in raw units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReturnScale {
    /// target standard deviation of scaled returns
    std: f64,
    gamma: f64,
    /// rewards of each environment's episode that are not in the statistics yet
    rewards: Vec<Vec<f64>>,
    returns: RunningMeanStd,
}

impl ReturnScale {
    /// Creates a scale that gives returns of `num_envs` environments, discounted by `gamma`, the standard deviation `std`.
    pub fn new(std: f64, gamma: f64, num_envs: usize) -> Self {
        ReturnScale { std, gamma, rewards: vec![Vec::new(); num_envs], returns: RunningMeanStd::default() }
    }

    /// Adds one raw reward of an environment, and whether the episode ended with it.
    pub fn update(&mut self, env: usize, reward: f64, ended: bool) {
        let rewards = &mut self.rewards[env];
        rewards.push(reward);
        if ended || rewards.len() == MAX_LENGTH {
            let mut discounted = 0.0;
            for reward in rewards.drain(..).rev() {
                discounted = reward + self.gamma * discounted;
                self.returns.update(discounted);
            }
        }
    }

    /// Returns the factor on raw rewards; 1 while all returns are equal.
    pub fn factor(&self) -> f64 {
        let std = self.returns.std();
        if std > 0.0 { self.std / std } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scaled_returns_have_the_target_standard_deviation() {
        for size in [1e-3, 1.0, 1e3] {
            let mut scale = ReturnScale::new(3.0, 0.5, 2);
            assert_eq!(scale.factor(), 1.0);
            scale.update(0, -4.0 * size, false);
            assert_eq!(scale.factor(), 1.0, "the episode has not ended");
            scale.update(1, 1.0 * size, true);
            scale.update(0, 8.0 * size, true);
            // returns 8, -4 + 8/2 = 0 and 1: mean 3, variance (25 + 9 + 4) / 3
            let std = (38.0f64 / 3.0).sqrt() * size;
            assert!((scale.factor() * std - 3.0).abs() < 1e-12);
        }
    }

    #[test]
    fn long_episodes_are_split() {
        let mut scale = ReturnScale::new(1.0, 0.9, 1);
        (0..MAX_LENGTH).for_each(|i| scale.update(0, f64::from(i % 2 == 0), false));
        assert!(scale.factor() > 1.0);
    }
}
