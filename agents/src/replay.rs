//! Replay buffer, sampled uniformly (Mnih et al., 2015) or by priority.
//!
//! Each observation is stored once: the next observation of a transition is the observation of the one after it. Only
//! the final observation of an episode, from which no transition starts, is stored separately. n-step returns are
//! computed when a batch is sampled, so n costs no memory.

use std::collections::BTreeMap;

use alrao_core::Error;
use alrao_core::filled::{filled, filled_from};
use alrao_core::state_dict::StateDict;
use rand::{Rng, RngExt};
use tch::{Device, Tensor};

use crate::priority::{PrioritizedReplaySettings, SumTree};

/// The most recent transitions, up to a capacity.
#[derive(Debug)]
pub struct ReplayBuffer {
    capacity: usize,
    obs_dim: usize,
    /// `[len, obs_dim]`
    observations: Vec<f32>,
    actions: Vec<i32>,
    rewards: Vec<f32>,
    ends: Vec<End>,
    /// the final observation of each ended episode, by the slot of its last transition
    finals: BTreeMap<usize, Vec<f32>>,
    /// the observation after the newest transition
    latest: Vec<f32>,
    /// the slot of the next transition
    head: usize,
    /// priorities of the slots, for prioritized replay
    priorities: Option<SumTree>,
}

/// End of an episode after a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum End {
    /// The episode has not ended.
    NotDone = 0,
    /// The episode reached a terminal state, whose value is 0.
    Terminated = 1,
    /// The episode was truncated, for example by a time limit: targets bootstrap from the final observation.
    Truncated = 2,
}

/// One step of an agent in its environment.
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a> {
    /// Observation, `[obs_dim]`.
    pub observation: &'a [f32],
    /// Index of the action taken.
    pub action: usize,
    /// Raw reward.
    pub reward: f64,
    /// Next observation, `[obs_dim]`.
    pub next: &'a [f32],
    /// Whether and how the episode ended.
    pub end: End,
}

/// Settings of n-step returns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NStep {
    /// Rewards summed before bootstrapping, n; fewer where the episode or the buffer ends earlier.
    pub n: usize,
    /// Discount factor.
    pub gamma: f64,
}

/// B transitions, each over m <= n steps.
#[derive(Debug)]
pub struct Batch {
    /// Observations before the m steps and, below them, those after, `[2B, obs_dim]`.
    pub both: Tensor,
    /// Indices of actions, `[B]`.
    pub actions: Tensor,
    /// Discounted sums of raw rewards, `r_1 + gamma r_2 + .. + gamma^(m-1) r_m`, `[B]`.
    pub returns: Vec<f32>,
    /// Bootstrap factors: `gamma^m`, or 0 where the episode terminated, `[B]`.
    pub discounts: Vec<f32>,
    /// Importance weights, `[B]`; `None` for uniform sampling.
    pub weights: Option<Tensor>,
    /// Slots of the transitions, for [`ReplayBuffer::set_priorities`].
    pub slots: Vec<usize>,
}

/// The n-step return of a transition.
struct NStepReturn {
    /// the discounted sum of the rewards
    sum: f64,
    /// the bootstrap factor
    discount: f64,
    /// the slot of the last transition in the sum
    last: usize,
}

impl Batch {
    /// Returns the observations before the m steps, `[B, obs_dim]`.
    pub fn observations(&self) -> Tensor {
        self.both.narrow(0, 0, self.samples())
    }

    /// Returns the observations after the m steps, `[B, obs_dim]`.
    pub fn next(&self) -> Tensor {
        self.both.narrow(0, self.samples(), self.samples())
    }

    /// Returns the number of transitions, B.
    pub fn samples(&self) -> i64 {
        self.slots.len() as i64
    }
}

/// Reserves space for `all` items, if the system grants it; unused space takes no memory. A vector that grows as it is
/// filled leaves copies of itself behind, which the allocator keeps.
fn with_reserved<T>(mut items: Vec<T>, all: usize) -> Vec<T> {
    let _ = items.try_reserve_exact(all.saturating_sub(items.len())); // on failure, the vector grows instead
    items
}

impl ReplayBuffer {
    /// Creates an empty buffer for `capacity` transitions.
    pub fn new(capacity: usize, obs_dim: usize, priority: PrioritizedReplaySettings) -> Self {
        ReplayBuffer {
            priorities: (priority.alpha > 0.0).then(|| SumTree::new(priority, capacity)),
            capacity,
            obs_dim,
            observations: with_reserved(Vec::new(), capacity.saturating_mul(obs_dim)),
            actions: with_reserved(Vec::new(), capacity),
            rewards: with_reserved(Vec::new(), capacity),
            ends: with_reserved(Vec::new(), capacity),
            finals: BTreeMap::new(),
            latest: vec![0.0; obs_dim],
            head: 0,
        }
    }

    /// Returns the number of transitions stored.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether the buffer is empty.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a transition, which replaces the oldest if the buffer is full. Unless the previous transition ended its
    /// episode, the new one must start at the previous one's next observation.
    pub fn add(&mut self, transition: Transition) {
        let slot = self.head;
        let Transition { observation, action, reward, next, end } = transition;
        assert_eq!((observation.len(), next.len()), (self.obs_dim, self.obs_dim), "observation length");
        if slot == self.len() {
            self.observations.extend_from_slice(observation);
            self.actions.push(action as i32);
            self.rewards.push(reward as f32);
            self.ends.push(end);
        } else {
            self.observations[slot * self.obs_dim..][..self.obs_dim].copy_from_slice(observation);
            self.actions[slot] = action as i32;
            self.rewards[slot] = reward as f32;
            self.ends[slot] = end;
            self.finals.remove(&slot);
        }
        if end != End::NotDone {
            self.finals.insert(slot, next.to_vec());
        }
        if let Some(priorities) = &mut self.priorities {
            priorities.add(slot);
        }
        self.latest.copy_from_slice(next);
        self.head = (slot + 1) % self.capacity;
    }

    /// Samples `size` transitions with replacement, on `device`; `progress` is the fraction of the training completed,
    /// in [0, 1].
    pub fn sample(&self, size: usize, n_step: NStep, progress: f64, rng: &mut impl Rng, device: Device) -> Batch {
        let (slots, weights) = match &self.priorities {
            None => ((0..size).map(|_| rng.random_range(0..self.len())).collect::<Vec<_>>(), None),
            Some(priorities) => {
                let (slots, weights) = priorities.sample(size, self.len(), progress, rng);
                (slots, Some(Tensor::from_slice(&weights).to_device(device)))
            }
        };
        let ahead: Vec<NStepReturn> = slots.iter().map(|&slot| self.n_step_return(slot, n_step)).collect();
        let both = filled(&[2 * size as i64, self.obs_dim as i64], |rows| {
            let before = slots.iter().map(|&slot| self.observation(slot));
            let after = ahead.iter().map(|ahead| self.next(ahead.last));
            let rows = rows.chunks_exact_mut(self.obs_dim);
            rows.zip(before.chain(after)).for_each(|(row, observation)| row.copy_from_slice(observation));
        });
        let actions = slots.iter().map(|&slot| i64::from(self.actions[slot]));
        Batch {
            both: both.to_device(device),
            actions: filled_from(size, actions).to_device(device),
            returns: ahead.iter().map(|ahead| ahead.sum as f32).collect(),
            discounts: ahead.iter().map(|ahead| ahead.discount as f32).collect(),
            weights,
            slots,
        }
    }

    /// Updates the priorities of these slots from the TD errors of their transitions, in any unit; without prioritized
    /// replay, does nothing.
    pub fn set_priorities(&mut self, slots: &[usize], errors: &[f32]) {
        if let Some(priorities) = &mut self.priorities {
            slots.iter().zip(errors).for_each(|(&slot, &error)| priorities.set(slot, error));
        }
    }

    /// Adds the buffer's contents to `tensors` as `prefix.*`.
    pub fn save(&self, prefix: &str, tensors: &mut StateDict) {
        let ends: Vec<u8> = self.ends.iter().map(|&end| end as u8).collect();
        let final_slots: Vec<i64> = self.finals.keys().map(|&slot| slot as i64).collect();
        let finals: Vec<f32> = self.finals.values().flatten().copied().collect();
        tensors.insert_slice(format!("{prefix}.observations"), &self.observations);
        tensors.insert_slice(format!("{prefix}.actions"), &self.actions);
        tensors.insert_slice(format!("{prefix}.rewards"), &self.rewards);
        tensors.insert_slice(format!("{prefix}.ends"), &ends);
        tensors.insert_slice(format!("{prefix}.final_slots"), &final_slots);
        tensors.insert_slice(format!("{prefix}.finals"), &finals);
        tensors.insert_slice(format!("{prefix}.latest"), &self.latest);
        tensors.insert_slice(format!("{prefix}.head"), &[self.head as i64]);
        if let Some(priorities) = &self.priorities {
            priorities.save(&format!("{prefix}.priorities"), self.len(), tensors);
        }
    }

    /// Restores the state written by `save`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the saved observations have another length.
    pub fn load(&mut self, prefix: &str, tensors: &StateDict) -> Result<(), Error> {
        let name = |part: &str| format!("{prefix}.{part}");
        let latest = tensors.get_vec(&name("latest"), self.obs_dim as i64)?;
        let ends = tensors.get_vec::<u8>(&name("ends"), -1)?;
        let len = ends.len() as i64;
        let final_slots = tensors.get_vec::<i64>(&name("final_slots"), -1)?;
        let finals_len = (final_slots.len() * self.obs_dim) as i64;
        let finals = tensors.get_vec::<f32>(&name("finals"), finals_len)?;
        let finals = finals.chunks(self.obs_dim).map(<[f32]>::to_vec);
        if let Some(priorities) = &mut self.priorities {
            priorities.load(&name("priorities"), ends.len(), tensors)?;
        }
        let (capacity, obs_dim) = (self.capacity, self.obs_dim);
        let observations = tensors.get_vec(&name("observations"), len * obs_dim as i64)?;
        *self = ReplayBuffer {
            capacity,
            obs_dim,
            observations: with_reserved(observations, capacity.saturating_mul(obs_dim)),
            actions: with_reserved(tensors.get_vec(&name("actions"), len)?, capacity),
            rewards: with_reserved(tensors.get_vec(&name("rewards"), len)?, capacity),
            ends: with_reserved(ends.into_iter().map(End::from_byte).collect(), capacity),
            finals: final_slots.iter().map(|&slot| slot as usize).zip(finals).collect(),
            latest,
            head: tensors.get_vec::<i64>(&name("head"), 1)?[0] as usize,
            priorities: self.priorities.take(),
        };
        Ok(())
    }

    fn observation(&self, slot: usize) -> &[f32] {
        &self.observations[slot * self.obs_dim..][..self.obs_dim]
    }

    /// Computes the n-step return of a slot.
    fn n_step_return(&self, slot: usize, NStep { n, gamma }: NStep) -> NStepReturn {
        let (mut sum, mut factor, mut last) = (0.0, 1.0, slot);
        for m in 1..=n {
            sum += factor * f64::from(self.rewards[last]);
            factor *= gamma;
            let following = (last + 1) % self.capacity;
            if self.ends[last] != End::NotDone || following == self.head || m == n {
                break;
            }
            last = following;
        }
        NStepReturn { sum, discount: if self.ends[last] == End::Terminated { 0.0 } else { factor }, last }
    }

    fn next(&self, slot: usize) -> &[f32] {
        let following = (slot + 1) % self.capacity;
        match self.finals.get(&slot) {
            Some(last) => last,
            None if following == self.head => &self.latest,
            None => self.observation(following),
        }
    }
}

impl End {
    /// Converts the flags of an environment step; termination takes precedence over truncation.
    pub fn of(step: &alrao_envs::Step) -> Self {
        match step {
            alrao_envs::Step { terminated: true, .. } => End::Terminated,
            alrao_envs::Step { truncated: true, .. } => End::Truncated,
            _ => End::NotDone,
        }
    }

    fn from_byte(byte: u8) -> Self {
        match byte {
            0 => End::NotDone,
            1 => End::Terminated,
            _ => End::Truncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alrao_core::streams::stream;

    const ONE_STEP: NStep = NStep { n: 1, gamma: 0.9 };

    /// Fills a buffer; transition i goes from observation [i] to [i + 1], and episodes have `length` transitions.
    fn filled(capacity: usize, transitions: usize, length: usize, end: End) -> ReplayBuffer {
        let mut replay = ReplayBuffer::new(capacity, 1, PrioritizedReplaySettings::default());
        for i in 0..transitions {
            let (at, next) = ([i as f32], [i as f32 + 1.0]);
            // the final observation of an episode differs from the first of the next
            let end = if (i + 1) % length == 0 { end } else { End::NotDone };
            let next = if end == End::NotDone { next } else { [next[0] + 0.5] };
            replay.add(Transition { observation: &at, action: i % 5, reward: -(i as f64), next: &next, end });
        }
        replay
    }

    #[test]
    fn next_observations_are_right_after_wrap_around_and_episode_ends() {
        for transitions in [1, 3, 7, 8, 9, 20, 23] {
            let replay = filled(8, transitions, 3, End::Truncated);
            assert_eq!(replay.len(), transitions.min(8));
            for slot in 0..replay.len() {
                let i = replay.observation(slot)[0] as usize;
                let expected = if (i + 1).is_multiple_of(3) { i as f32 + 1.5 } else { i as f32 + 1.0 };
                assert_eq!(replay.next(slot), [expected], "slot {slot} after {transitions}");
                assert!(i + 8 >= transitions, "the oldest is replaced first");
            }
        }
    }

    #[test]
    fn batches_contain_whole_transitions_and_distinguish_ends() {
        for (end, discount_at_end) in [(End::Truncated, 0.9), (End::Terminated, 0.0)] {
            let replay = filled(100, 50, 10, end);
            let batch = replay.sample(200, ONE_STEP, 0.0, &mut stream(0, "replay"), Device::Cpu);
            assert_eq!((batch.observations().size(), batch.next().size()), (vec![200, 1], vec![200, 1]));
            let mut seen = std::collections::BTreeSet::new();
            for b in 0..200 {
                let i = batch.observations().double_value(&[b, 0]);
                let last = (i as i64 + 1) % 10 == 0;
                assert_eq!(f64::from(batch.returns[b as usize]), -i);
                assert_eq!(batch.actions.int64_value(&[b]), i as i64 % 5);
                assert_eq!(batch.next().double_value(&[b, 0]), if last { i + 1.5 } else { i + 1.0 });
                let discount = if last { discount_at_end } else { 0.9 };
                assert!((f64::from(batch.discounts[b as usize]) - discount).abs() < 1e-7);
                seen.insert(i as i64);
            }
            assert!(seen.len() > 40, "200 samples of 50 transitions miss few");
        }
    }

    /// Rewards are -i, so a sum identifies its terms; episodes have 5 transitions, and the 23rd transition is the
    /// newest.
    #[test]
    fn n_step_returns_stop_at_the_end_of_the_episode_or_the_buffer() {
        for (end, after_end) in [(End::Truncated, 1.0), (End::Terminated, 0.0)] {
            let replay = filled(16, 23, 5, end);
            for slot in 0..16 {
                let NStepReturn { sum, discount, last } = replay.n_step_return(slot, NStep { n: 3, gamma: 0.5 });
                let i = replay.observation(slot)[0] as usize;
                let m = 3.min(5 - i % 5).min(23 - i);
                let expected: f64 = (0..m).map(|k| -((i + k) as f64) * 0.5f64.powi(k as i32)).sum();
                assert_eq!(sum, expected, "from {i}");
                let ended = (i + m).is_multiple_of(5);
                assert_eq!(discount, 0.5f64.powi(m as i32) * if ended { after_end } else { 1.0 }, "from {i}");
                let after = (i + m) as f32 + if ended { 0.5 } else { 0.0 };
                assert_eq!(replay.next(last), [after], "from {i}");
            }
        }
    }

    #[test]
    fn a_loaded_buffer_continues_identically() {
        let (mut replay, mut again) =
            (filled(8, 21, 3, End::Terminated), ReplayBuffer::new(8, 1, PrioritizedReplaySettings::default()));
        let mut tensors = StateDict::default();
        replay.save("replay", &mut tensors);
        again.load("replay", &tensors).unwrap();
        for replay in [&mut replay, &mut again] {
            replay.add(Transition { observation: &[21.0], action: 0, reward: 0.0, next: &[22.0], end: End::NotDone });
        }
        assert_eq!(format!("{replay:?}"), format!("{again:?}"));
        assert!(
            ReplayBuffer::new(8, 2, PrioritizedReplaySettings::default())
                .load("replay", &tensors)
                .unwrap_err()
                .to_string()
                .contains("replay.latest")
        );
    }
}
