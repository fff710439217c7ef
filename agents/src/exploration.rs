//! Epsilon-greedy exploration: the share of random actions falls linearly, then stays.

use serde::{Deserialize, Serialize};

/// The schedule of epsilon, the probability of a random action.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exploration {
    /// Epsilon at the first step.
    pub start: f64,
    /// Epsilon at the end of the decay and from then on.
    pub end: f64,
    /// How much of the budget of environment steps the decay takes, in (0, 1].
    pub share: f64,
}

impl Default for Exploration {
    fn default() -> Self {
        Exploration { start: 1.0, end: 0.05, share: 0.2 }
    }
}

impl Exploration {
    /// Epsilon at an environment step, out of a budget of `budget` steps.
    pub fn epsilon(&self, step: u64, budget: u64) -> f64 {
        let decayed = (step as f64 / (self.share * budget as f64)).min(1.0);
        self.start * (1.0 - decayed) + self.end * decayed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epsilon_falls_linearly_and_stays() {
        let exploration = Exploration { start: 1.0, end: 0.2, share: 0.5 };
        let at = |step| exploration.epsilon(step, 1000);
        assert_eq!([at(0), at(250), at(500), at(1000)], [1.0, 0.6, 0.2, 0.2]);
    }
}
