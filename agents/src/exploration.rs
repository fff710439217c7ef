//! Exploration: epsilon-greedy with a linear decay, preceded by repeated random actions while all returns are equal.
//!
//! While every episode returns the same, rewards say nothing about actions, and independent random actions cancel out:
//! MountainCar never reaches its goal. Until returns have changed a few times, all actions are random and each is
//! repeated for a random number of steps, as in ez-greedy (Dabney et al., 2021). In most environments returns differ
//! from the start, and this ends after a few episodes.

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::mask::{Mask, random_action};

/// Changes of the return, from one episode to the next, after which repeats end.
const CHANGES: u32 = 10;

/// Schedule of epsilon, the probability of a random action.
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
    /// Returns epsilon at environment step `step` of `budget`.
    pub fn epsilon(&self, step: u64, budget: u64) -> f64 {
        let decayed = (step as f64 / (self.fraction * budget as f64)).min(1.0);
        self.initial_eps * (1.0 - decayed) + self.final_eps * decayed
    }
}

/// Repeated random actions of some environments, and whether returns have changed often enough to end them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ActionRepeat {
    last_return: Option<f64>,
    changes: u32,
    /// each environment's action, `[num_envs]`
    held: Vec<Held>,
}

/// An action that is repeated.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Held {
    action: usize,
    /// remaining environment steps of the action
    left: u32,
}

impl ActionRepeat {
    /// Creates the repeats of `num_envs` environments, before their first actions.
    pub fn new(num_envs: usize) -> Self {
        ActionRepeat { last_return: None, changes: 0, held: vec![Held::default(); num_envs] }
    }

    /// Returns whether actions are still random and repeated.
    pub fn is_active(&self, exploration: &Exploration) -> bool {
        exploration.max_repeat > 0 && self.changes < CHANGES
    }

    /// Returns an environment's next of `actions` actions: the repeated one while it is legal, or a new one with a
    /// log-uniform number of repeats.
    pub fn action(
        &mut self,
        env: usize,
        exploration: &Exploration,
        actions: usize,
        mask: Mask,
        rng: &mut impl Rng,
    ) -> usize {
        let held = &mut self.held[env];
        if held.left == 0 || mask.is_some_and(|mask| !mask[held.action]) {
            held.action = random_action(actions, mask, rng);
            held.left = f64::from(exploration.max_repeat + 1).powf(rng.random()) as u32;
        }
        held.left -= 1;
        held.action
    }

    /// Records the return of an environment's ended episode.
    pub fn end_episode(&mut self, env: usize, episode_return: f64) {
        self.changes += u32::from(self.last_return.is_some_and(|last| last != episode_return));
        self.last_return = Some(episode_return);
        self.held[env].left = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alrao_core::streams::stream;

    #[test]
    fn epsilon_decays_linearly_then_stays_constant() {
        let exploration = Exploration { initial_eps: 1.0, final_eps: 0.2, fraction: 0.5, ..Default::default() };
        let at = |step| exploration.epsilon(step, 1000);
        assert_eq!([at(0), at(250), at(500), at(1000)], [1.0, 0.6, 0.2, 0.2]);
    }

    #[test]
    fn repeats_end_when_returns_have_changed_often_enough() {
        let exploration = Exploration::default();
        let mut repeat = ActionRepeat::new(1);
        (0..50).for_each(|_| repeat.end_episode(0, -200.0));
        assert!(repeat.is_active(&exploration));
        for _ in 0..CHANGES / 2 {
            assert!(repeat.is_active(&exploration));
            [-170.0, -200.0].iter().for_each(|r| repeat.end_episode(0, *r)); // a single different return is two changes
        }
        assert!(!repeat.is_active(&exploration));
        assert!(!ActionRepeat::new(1).is_active(&Exploration { max_repeat: 0, ..exploration }));
    }

    #[test]
    fn actions_are_repeated_for_any_number_of_steps() {
        let (exploration, mut repeat) = (Exploration { max_repeat: 4, ..Default::default() }, ActionRepeat::new(2));
        let mut rng = stream(0, "exploration");
        let mut lengths = [0i32; 6];
        for i in 0..1000 {
            let env = i % 2;
            assert_eq!(repeat.held[env].left, 0);
            let action = repeat.action(env, &exploration, 3, None, &mut rng);
            let left = repeat.held[env].left;
            lengths[left as usize + 1] += 1;
            repeat.action(1 - env, &exploration, 3, None, &mut rng); // which the other environment doesn't notice
            repeat.end_episode(1 - env, 0.0);
            (0..left).for_each(|_| assert_eq!(repeat.action(env, &exploration, 3, None, &mut rng), action));
        }
        // a fraction ln((n + 1) / n) / ln 5 of the actions is repeated for n steps
        for (n, expected) in [(1, 431), (2, 252), (3, 179), (4, 139)] {
            assert!((lengths[n] - expected).abs() < 50, "{lengths:?}");
        }
        repeat.action(0, &exploration, 3, None, &mut rng);
        repeat.end_episode(0, 0.0);
        assert_eq!(repeat.held[0].left, 0, "an ended episode ends the repeats");
        for legal in [0, 1, 2, 0, 1, 2] {
            let mask = [0, 1, 2].map(|action| action == legal);
            assert_eq!(repeat.action(0, &exploration, 3, Some(&mask), &mut rng), legal);
        }
    }
}
