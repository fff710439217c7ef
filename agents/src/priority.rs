//! Prioritized replay (Schaul et al., 2016): transitions with a large TD error are sampled more often.
//!
//! Slot i is sampled with probability `P(i) = p_i^alpha / sum_k p_k^alpha`, where `p_i` is its last absolute TD error;
//! a new transition gets the largest priority so far. Importance weights `w_i = (N P(i))^-beta`, divided by the largest
//! of the batch, correct the bias; `beta` is annealed to 1.

use alrao_core::Error;
use alrao_core::state_dict::StateDict;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

/// Added to absolute TD errors, so that all priorities are positive; in units of scaled returns.
const MIN_ERROR: f64 = 1e-3;

/// Settings of prioritized replay.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrioritizedReplaySettings {
    /// Priority exponent; 0 samples uniformly.
    pub alpha: f64,
    /// Initial importance-sampling exponent, annealed to 1.
    pub beta: f64,
}

impl Default for PrioritizedReplaySettings {
    fn default() -> Self {
        PrioritizedReplaySettings { alpha: 0.0, beta: 0.4 }
    }
}

/// Priorities of a replay buffer's slots in a binary tree of sums.
#[derive(Debug)]
pub struct SumTree {
    settings: PrioritizedReplaySettings,
    leaves: usize,
    /// a binary tree as an array: node i is the sum of its children, nodes 2i and 2i + 1; the leaves, which come last, are
    /// `p^alpha` of each slot
    sums: Vec<f64>,
    largest: f64,
}

impl SumTree {
    /// Creates a tree without priorities for `capacity` slots.
    pub fn new(settings: PrioritizedReplaySettings, capacity: usize) -> Self {
        let leaves = capacity.next_power_of_two();
        SumTree { settings, leaves, sums: vec![0.0; 2 * leaves], largest: 1.0 }
    }

    /// Gives a slot with a new transition the largest priority so far.
    pub fn add(&mut self, slot: usize) {
        self.set_leaf(slot, self.largest);
    }

    /// Gives a slot the priority 0: it is not sampled.
    pub fn remove(&mut self, slot: usize) {
        self.set_leaf(slot, 0.0);
    }

    /// Sets the priority of a slot from its TD error; a non-finite error is ignored.
    pub fn set(&mut self, slot: usize, error: f32) {
        if error.is_finite() {
            let priority = (f64::from(error.abs()) + MIN_ERROR).powf(self.settings.alpha);
            self.largest = self.largest.max(priority);
            self.set_leaf(slot, priority);
        }
    }

    /// Samples `size` of the first `len` slots, one from each of `size` equal parts of the total, with their importance
    /// weights; `progress` is the fraction of the training completed, in [0, 1].
    pub fn sample(&self, size: usize, len: usize, progress: f64, rng: &mut impl Rng) -> (Vec<usize>, Vec<f32>) {
        let beta = self.settings.beta + (1.0 - self.settings.beta) * progress;
        let part = self.sums[1] / size as f64;
        let slots: Vec<usize> =
            (0..size).map(|i| self.find((i as f64 + rng.random::<f64>()) * part).min(len - 1)).collect();
        let leaf = |slot: usize| self.sums[self.leaves + slot];
        let min_priority = slots.iter().map(|&slot| leaf(slot)).fold(f64::INFINITY, f64::min);
        let weights = slots.iter().map(|&slot| (min_priority / leaf(slot)).powf(beta) as f32).collect();
        (slots, weights)
    }

    /// Adds the priorities of the first `len` slots to `tensors`.
    pub fn save(&self, prefix: &str, len: usize, tensors: &mut StateDict) {
        tensors.insert_slice(format!("{prefix}.leaves"), &self.sums[self.leaves..][..len]);
        tensors.insert_slice(format!("{prefix}.largest"), &[self.largest]);
    }

    /// Restores the state written by `save`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: no priorities were saved, or another number of them.
    pub fn load(&mut self, prefix: &str, len: usize, tensors: &StateDict) -> Result<(), Error> {
        let leaves = tensors.get_vec::<f64>(&format!("{prefix}.leaves"), len as i64)?;
        self.largest = tensors.get_vec::<f64>(&format!("{prefix}.largest"), 1)?[0];
        leaves.into_iter().enumerate().for_each(|(slot, priority)| self.set_leaf(slot, priority));
        Ok(())
    }

    fn set_leaf(&mut self, slot: usize, priority: f64) {
        let mut node = self.leaves + slot;
        self.sums[node] = priority;
        while node > 1 {
            node /= 2;
            self.sums[node] = self.sums[2 * node] + self.sums[2 * node + 1];
        }
    }

    /// Finds the slot whose interval of the cumulative priorities contains `at`.
    fn find(&self, mut at: f64) -> usize {
        let mut node = 1;
        while node < self.leaves {
            node *= 2;
            // rounding may move `at` past the last slot with a priority
            if at >= self.sums[node] && self.sums[node + 1] > 0.0 {
                at -= self.sums[node];
                node += 1;
            }
        }
        node - self.leaves
    }
}

#[cfg(test)]
mod tests {
    use alrao_core::streams::stream;

    use super::*;

    fn priorities(alpha: f64, errors: &[f32]) -> SumTree {
        let mut priorities = SumTree::new(PrioritizedReplaySettings { alpha, beta: 0.5 }, errors.len());
        errors.iter().enumerate().for_each(|(slot, &error)| priorities.set(slot, error));
        priorities
    }

    #[test]
    fn slots_are_sampled_in_proportion_to_their_priorities() {
        let errors = [0.1, 0.4, 0.0, 1.5, 1.0];
        for alpha in [0.5, 1.0] {
            let mut counts = [0.0; 5];
            let mut rng = stream(0, "replay");
            let (rounds, size) = (1_000, 30);
            for _ in 0..rounds {
                priorities(alpha, &errors).sample(size, 5, 0.0, &mut rng).0.into_iter().for_each(|i| counts[i] += 1.0);
            }
            let p = errors.map(|error| (f64::from(error) + MIN_ERROR).powf(alpha));
            for (count, p_i) in counts.iter().zip(p) {
                let expected = p_i / p.iter().sum::<f64>();
                assert!((count / f64::from(rounds * size as i32) - expected).abs() < 0.005, "{counts:?}");
            }
        }
    }

    #[test]
    fn importance_weights_match_the_definition() {
        let priorities = priorities(1.0, &[0.2, 0.8, 1.0]);
        let p = [0.2 + MIN_ERROR, 0.8 + MIN_ERROR, 1.0 + MIN_ERROR];
        for (progress, beta) in [(0.0, 0.5), (1.0, 1.0)] {
            let (slots, weights) = priorities.sample(30, 3, progress, &mut stream(0, "replay"));
            for (slot, weight) in slots.into_iter().zip(weights) {
                assert!((f64::from(weight) - (p[0] / p[slot]).powf(beta)).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn new_slots_get_the_largest_priority_and_nan_errors_are_ignored() {
        let mut priorities = priorities(1.0, &[0.2, 3.0, 0.0, 0.0]);
        priorities.add(2);
        assert_eq!(priorities.sums[priorities.leaves + 2], priorities.sums[priorities.leaves + 1]);
        priorities.set(2, f32::NAN);
        assert!((priorities.sums[1] - priorities.sums[priorities.leaves..].iter().sum::<f64>()).abs() < 1e-12);
    }
}
