//! Exploration: epsilon-greedy, with the share of random actions falling linearly and then staying; and before that,
//! if need be, a search for anything to learn from.
//!
//! As long as every episode returns the same, rewards say nothing about actions, and actions that are drawn one by one
//! cancel each other out: no car gets up a mountain so. Until returns have changed a few times, all actions are random
//! and each is kept up for a random number of steps (after Dabney et al., 2021). Where returns differ from the first, as
//! they mostly do, that is over after a few episodes.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// How often the return of an episode must have differed from that of the one before until there is something to learn
/// from.
const CHANGES: u32 = 10;

/// The schedule of epsilon, the probability of a random action.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Exploration {
    /// Epsilon at the first step.
    pub initial_eps: f64,
    /// Epsilon after the decay.
    pub final_eps: f64,
    /// Fraction of the training over which epsilon decays, in (0, 1].
    pub fraction: f64,
    /// Maximum repeats of a random action while all returns are equal; 0 turns repeats off.
    pub max_repeat: u32,
}

impl Default for Exploration {
    fn default() -> Self {
        Exploration { initial_eps: 1.0, final_eps: 0.05, fraction: 0.2, max_repeat: 50 }
    }
}

impl Exploration {
    /// Epsilon at an environment step, out of a budget of `budget` steps.
    pub fn epsilon(&self, step: u64, budget: u64) -> f64 {
        let decayed = (step as f64 / (self.fraction * budget as f64)).min(1.0);
        self.initial_eps * (1.0 - decayed) + self.final_eps * decayed
    }
}

/// Whether episodes return anything but the same, and the action that is kept up.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Search {
    last_return: Option<f64>,
    changes: u32,
    action: usize,
    /// environment steps that the action is still to be taken
    left: u32,
}

impl Search {
    /// Whether there is nothing to learn from yet.
    pub fn goes_on(&self, exploration: &Exploration) -> bool {
        exploration.max_repeat > 0 && self.changes < CHANGES
    }

    /// The next of `actions` actions: the one that is kept up, or another, drawn with its number of steps. Numbers of
    /// steps are log-uniform.
    pub fn action(&mut self, exploration: &Exploration, actions: usize, rng: &mut impl Rng) -> usize {
        if self.left == 0 {
            self.action = rng.random_range(0..actions);
            self.left = f64::from(exploration.max_repeat + 1).powf(rng.random()) as u32;
        }
        self.left -= 1;
        self.action
    }

    /// An episode is over.
    pub fn end_episode(&mut self, episode_return: f64) {
        self.changes += u32::from(self.last_return.is_some_and(|last| last != episode_return));
        self.last_return = Some(episode_return);
        self.left = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alrao_core::streams::stream;

    #[test]
    fn epsilon_falls_linearly_and_stays() {
        let exploration = Exploration { initial_eps: 1.0, final_eps: 0.2, fraction: 0.5, ..Default::default() };
        let at = |step| exploration.epsilon(step, 1000);
        assert_eq!([at(0), at(250), at(500), at(1000)], [1.0, 0.6, 0.2, 0.2]);
    }

    #[test]
    fn the_search_is_over_when_returns_have_changed_often_enough() {
        let exploration = Exploration::default();
        let mut search = Search::default();
        (0..50).for_each(|_| search.end_episode(-200.0));
        assert!(search.goes_on(&exploration));
        for _ in 0..CHANGES / 2 {
            assert!(search.goes_on(&exploration));
            [-170.0, -200.0].iter().for_each(|r| search.end_episode(*r)); // one that stands out changes it twice
        }
        assert!(!search.goes_on(&exploration));
        assert!(!Search::default().goes_on(&Exploration { max_repeat: 0, ..exploration }));
    }

    #[test]
    fn actions_are_kept_up_for_any_number_of_steps() {
        let (exploration, mut search) = (Exploration { max_repeat: 4, ..Default::default() }, Search::default());
        let mut rng = stream(0, "exploration");
        let mut holds = [0i32; 6];
        for _ in 0..1000 {
            assert_eq!(search.left, 0);
            search.action(&exploration, 3, &mut rng);
            holds[search.left as usize + 1] += 1;
            (0..search.left).for_each(|_| assert_eq!(search.action(&exploration, 3, &mut rng), search.action));
        }
        // ln((n + 1) / n) / ln 5 of them are held for n steps
        for (n, expected) in [(1, 431), (2, 252), (3, 179), (4, 139)] {
            assert!((holds[n] - expected).abs() < 50, "{holds:?}");
        }
        search.action(&exploration, 3, &mut rng);
        search.end_episode(0.0);
        assert_eq!(search.left, 0, "a new episode is begun afresh");
    }
}
