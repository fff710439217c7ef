//! Replay memory: the transitions that batches are drawn from, uniformly (Mnih et al., 2015).
//!
//! Each observation is kept once: what follows a transition is the observation of the next one. Only the last
//! observation of an episode, which no transition starts from, is kept apart.

use std::collections::BTreeMap;

use alrao_core::Error;
use alrao_core::tensors::Tensors;
use rand::{Rng, RngExt};
use tch::{Device, Tensor};

/// The most recent transitions, up to a capacity.
#[derive(Debug)]
pub struct Replay {
    capacity: usize,
    observation_len: usize,
    /// `[len, observation_len]`
    observations: Vec<f32>,
    actions: Vec<i32>,
    rewards: Vec<f32>,
    ends: Vec<End>,
    /// the observation after each transition that ended an episode, by slot
    finals: BTreeMap<usize, Vec<f32>>,
    /// the observation after the newest transition
    latest: Vec<f32>,
    /// the slot that the next transition goes to
    head: usize,
}

/// Whether and how an episode ended with a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum End {
    /// It goes on.
    Open = 0,
    /// It is over: nothing follows, and no value either.
    Terminated = 1,
    /// It was cut off, by a time limit say: the value of the last observation still counts.
    Truncated = 2,
}

/// One step of an agent in its environment.
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a> {
    /// What the agent saw, `[observation_len]`.
    pub observation: &'a [f32],
    /// What it did.
    pub action: usize,
    /// The raw reward it got.
    pub reward: f64,
    /// What it saw next, `[observation_len]`.
    pub next: &'a [f32],
    /// Whether the episode ended.
    pub end: End,
}

/// B transitions as tensors.
#[derive(Debug)]
pub struct Batch {
    /// `[B, observation_len]`
    pub observations: Tensor,
    /// Indices of actions, `[B]`.
    pub actions: Tensor,
    /// Raw rewards, `[B]`.
    pub rewards: Tensor,
    /// `[B, observation_len]`
    pub next: Tensor,
    /// 1 where the episode goes on or was cut off, 0 where it terminated, `[B]`.
    pub continues: Tensor,
}

impl Replay {
    /// An empty memory for `capacity` transitions.
    pub fn new(capacity: usize, observation_len: usize) -> Self {
        Replay {
            capacity,
            observation_len,
            observations: Vec::new(),
            actions: Vec::new(),
            rewards: Vec::new(),
            ends: Vec::new(),
            finals: BTreeMap::new(),
            latest: vec![0.0; observation_len],
            head: 0,
        }
    }

    /// How many transitions there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a transition, in place of the oldest if the memory is full. Unless the one before ended its episode, it
    /// must start where that one led.
    pub fn push(&mut self, transition: Transition) {
        let slot = self.head;
        let Transition { observation, action, reward, next, end } = transition;
        assert_eq!((observation.len(), next.len()), (self.observation_len, self.observation_len), "observation length");
        if slot == self.len() {
            self.observations.extend_from_slice(observation);
            self.actions.push(action as i32);
            self.rewards.push(reward as f32);
            self.ends.push(end);
        } else {
            self.observations[slot * self.observation_len..][..self.observation_len].copy_from_slice(observation);
            self.actions[slot] = action as i32;
            self.rewards[slot] = reward as f32;
            self.ends[slot] = end;
            self.finals.remove(&slot);
        }
        if end != End::Open {
            self.finals.insert(slot, next.to_vec());
        }
        self.latest.copy_from_slice(next);
        self.head = (slot + 1) % self.capacity;
    }

    /// `size` transitions drawn uniformly with replacement, on `device`.
    pub fn sample(&self, size: usize, rng: &mut impl Rng, device: Device) -> Batch {
        let slots: Vec<usize> = (0..size).map(|_| rng.random_range(0..self.len())).collect();
        let mut observations = Vec::with_capacity(size * self.observation_len);
        let mut next = Vec::with_capacity(size * self.observation_len);
        for &slot in &slots {
            observations.extend_from_slice(self.observation(slot));
            next.extend_from_slice(self.next(slot));
        }
        let rows = |values: &[f32]| Tensor::from_slice(values).view([size as i64, -1]).to_device(device);
        Batch {
            observations: rows(&observations),
            actions: column(&slots, device, |slot| i64::from(self.actions[slot])),
            rewards: column(&slots, device, |slot| self.rewards[slot]),
            next: rows(&next),
            continues: column(&slots, device, |slot| f32::from(self.ends[slot] != End::Terminated)),
        }
    }

    /// Adds everything to `tensors`, as `prefix.*`.
    pub fn save(&self, prefix: &str, tensors: &mut Tensors) {
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
    }

    /// Takes back what was saved.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: what was saved had other observations.
    pub fn load(&mut self, prefix: &str, tensors: &Tensors) -> Result<(), Error> {
        let name = |part: &str| format!("{prefix}.{part}");
        let latest = tensors.get_vec(&name("latest"), self.observation_len as i64)?;
        let ends = tensors.get_vec::<u8>(&name("ends"), -1)?;
        let len = ends.len() as i64;
        let final_slots = tensors.get_vec::<i64>(&name("final_slots"), -1)?;
        let finals_len = (final_slots.len() * self.observation_len) as i64;
        let finals = tensors.get_vec::<f32>(&name("finals"), finals_len)?;
        let finals = finals.chunks(self.observation_len).map(<[f32]>::to_vec);
        *self = Replay {
            capacity: self.capacity,
            observation_len: self.observation_len,
            observations: tensors.get_vec(&name("observations"), len * self.observation_len as i64)?,
            actions: tensors.get_vec(&name("actions"), len)?,
            rewards: tensors.get_vec(&name("rewards"), len)?,
            ends: ends.into_iter().map(End::from_byte).collect(),
            finals: final_slots.iter().map(|&slot| slot as usize).zip(finals).collect(),
            latest,
            head: tensors.get_vec::<i64>(&name("head"), 1)?[0] as usize,
        };
        Ok(())
    }

    fn observation(&self, slot: usize) -> &[f32] {
        &self.observations[slot * self.observation_len..][..self.observation_len]
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
    /// How a step of an environment ended; termination counts where both happen at once.
    pub fn of(step: &alrao_envs::Step) -> Self {
        match step {
            alrao_envs::Step { terminated: true, .. } => End::Terminated,
            alrao_envs::Step { truncated: true, .. } => End::Truncated,
            _ => End::Open,
        }
    }

    fn from_byte(byte: u8) -> Self {
        match byte {
            0 => End::Open,
            1 => End::Terminated,
            _ => End::Truncated,
        }
    }
}

fn column<T: tch::kind::Element>(slots: &[usize], device: Device, of: impl Fn(usize) -> T) -> Tensor {
    Tensor::from_slice(&slots.iter().map(|&slot| of(slot)).collect::<Vec<T>>()).to_device(device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alrao_core::streams::stream;

    /// Transition i goes from observation [i] to [i + 1]; every episode has `length` of them.
    fn filled(capacity: usize, transitions: usize, length: usize, end: End) -> Replay {
        let mut replay = Replay::new(capacity, 1);
        for i in 0..transitions {
            let (at, next) = ([i as f32], [i as f32 + 1.0]);
            // the last observation of an episode is not where the next one starts
            let end = if (i + 1) % length == 0 { end } else { End::Open };
            let next = if end == End::Open { next } else { [next[0] + 0.5] };
            replay.push(Transition { observation: &at, action: i % 5, reward: -(i as f64), next: &next, end });
        }
        replay
    }

    #[test]
    fn what_follows_a_transition_survives_wrap_around_and_ends() {
        for transitions in [1, 3, 7, 8, 9, 20, 23] {
            let replay = filled(8, transitions, 3, End::Truncated);
            assert_eq!(replay.len(), transitions.min(8));
            for slot in 0..replay.len() {
                let i = replay.observation(slot)[0] as usize;
                let expected = if (i + 1).is_multiple_of(3) { i as f32 + 1.5 } else { i as f32 + 1.0 };
                assert_eq!(replay.next(slot), [expected], "slot {slot} after {transitions}");
                assert!(i + 8 >= transitions, "the oldest went first");
            }
        }
    }

    #[test]
    fn a_batch_holds_whole_transitions_and_tells_ends_apart() {
        for (end, continues_at_end) in [(End::Truncated, 1.0), (End::Terminated, 0.0)] {
            let replay = filled(100, 50, 10, end);
            let batch = replay.sample(200, &mut stream(0, "replay"), Device::Cpu);
            assert_eq!((batch.observations.size(), batch.next.size()), (vec![200, 1], vec![200, 1]));
            let mut seen = std::collections::BTreeSet::new();
            for b in 0..200 {
                let i = batch.observations.double_value(&[b, 0]);
                let last = (i as i64 + 1) % 10 == 0;
                assert_eq!(batch.rewards.double_value(&[b]), -i);
                assert_eq!(batch.actions.int64_value(&[b]), i as i64 % 5);
                assert_eq!(batch.next.double_value(&[b, 0]), if last { i + 1.5 } else { i + 1.0 });
                assert_eq!(batch.continues.double_value(&[b]), if last { continues_at_end } else { 1.0 });
                seen.insert(i as i64);
            }
            assert!(seen.len() > 40, "200 draws of 50 miss few");
        }
    }

    #[test]
    fn a_saved_memory_goes_on_the_same() {
        let (mut replay, mut again) = (filled(8, 21, 3, End::Terminated), Replay::new(8, 1));
        let mut tensors = Tensors::default();
        replay.save("replay", &mut tensors);
        again.load("replay", &tensors).unwrap();
        for replay in [&mut replay, &mut again] {
            replay.push(Transition { observation: &[21.0], action: 0, reward: 0.0, next: &[22.0], end: End::Open });
        }
        assert_eq!(format!("{replay:?}"), format!("{again:?}"));
        assert!(Replay::new(8, 2).load("replay", &tensors).unwrap_err().to_string().contains("replay.latest"));
    }
}
