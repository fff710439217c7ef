//! Replay buffer, sampled uniformly (Mnih et al., 2015) or by priority.
//!
//! Each observation is stored once, in its dtype: the next observation of a transition is the observation of the one after
//! it. Only the final observation of an episode, from which no transition starts, is stored separately. n-step returns
//! and stacks of k frames are made when a batch is sampled, so n and k cost no memory.
//!
//! Masks of legal actions are stored from the first one on; without masks, they take no memory.
//!
//! N environments take turns in one ring: an environment's next transition is N slots after its last one.

use std::collections::BTreeMap;
use std::iter::repeat_with;
use std::rc::Rc;

use alrao_core::Error;
use alrao_core::device::readable_without_sync;
use alrao_core::filled::{filled, filled_from};
use alrao_core::state_dict::StateDict;
use alrao_envs::{ObservationBuffer, ObservationDtype, ObservationRef, ObservationSpace};
use rand::{Rng, RngExt};
use tch::kind::Element;
use tch::{Device, Kind, Tensor};

use crate::frames::Frames;
use crate::inputs::{Inputs, write_inputs};
use crate::mask::Mask;
use crate::mask_buffer::MaskBuffer;
use crate::priority::{PrioritizedReplaySettings, SumTree};
use crate::reserved::with_reserved;

/// The most recent transitions, up to a capacity.
#[derive(Debug)]
pub struct ReplayBuffer {
    capacity: usize,
    num_envs: usize,
    inputs: Inputs,
    /// `[len, obs_dim]`; shared with a checkpoint while it is written
    observations: Rc<Frames>,
    actions: Vec<i32>,
    rewards: Vec<f32>,
    ends: Vec<End>,
    /// none before the first mask
    masks: Option<MaskBuffer>,
    /// the final observation of each ended episode, by the slot of its last transition
    finals: BTreeMap<usize, ObservationBuffer>,
    /// the observation after each environment's newest transition, `[num_envs, obs_dim]`
    latest: ObservationBuffer,
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
    /// Observation, `[obs_dim]`; one frame, if the agent stacks frames.
    pub observation: ObservationRef<'a>,
    /// Actions that were legal.
    pub mask: Mask<'a>,
    /// Index of the action taken.
    pub action: usize,
    /// Raw reward.
    pub reward: f64,
    /// Next observation, `[obs_dim]`.
    pub next: ObservationRef<'a>,
    /// Actions that are legal after the step; of no use after a terminal state.
    pub next_mask: Mask<'a>,
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
    /// Inputs of the network before the m steps and, below them, those after, `[2B, len]`.
    pub both: Tensor,
    /// Which actions are legal before the m steps and, below, after them, `[2B, A]` in one vector; `None` if all are.
    pub masks: Option<Vec<bool>>,
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
    /// Returns the inputs before the m steps, `[B, len]`.
    pub fn observations(&self) -> Tensor {
        self.both.narrow(0, 0, self.samples())
    }

    /// Returns the inputs after the m steps, `[B, len]`.
    pub fn next(&self) -> Tensor {
        self.both.narrow(0, self.samples(), self.samples())
    }

    /// Returns the mask of a row of `both`, of `actions` actions.
    pub fn mask(&self, row: usize, actions: usize) -> Mask<'_> {
        self.masks.as_ref().map(|masks| &masks[row * actions..(row + 1) * actions])
    }

    /// Returns the number of transitions, B.
    pub fn samples(&self) -> i64 {
        self.slots.len() as i64
    }
}

impl ReplayBuffer {
    /// Creates an empty buffer for `capacity` transitions, rounded down to a multiple of `num_envs`, from which these inputs
    /// of a network are sampled.
    ///
    /// # Panics
    /// If the frames of one input of each environment exceed the capacity.
    pub fn new(capacity: usize, num_envs: usize, inputs: Inputs, priority: PrioritizedReplaySettings) -> Self {
        let capacity = capacity - capacity % num_envs;
        assert!(inputs.frame_stack * num_envs <= capacity, "{} x {num_envs} from {capacity}", inputs.frame_stack);
        let space = inputs.space;
        let reserved = ObservationBuffer::with_capacity(space.dtype, capacity.saturating_mul(space.len()));
        ReplayBuffer {
            priorities: (priority.alpha > 0.0).then(|| SumTree::new(priority, capacity)),
            capacity,
            num_envs,
            inputs,
            observations: Rc::new(Frames(reserved)),
            actions: with_reserved(Vec::new(), capacity),
            rewards: with_reserved(Vec::new(), capacity),
            ends: with_reserved(Vec::new(), capacity),
            masks: None,
            finals: BTreeMap::new(),
            latest: ObservationBuffer::zeros(space.dtype, num_envs * space.len()),
            head: 0,
        }
    }

    /// Returns the bytes of a buffer for `capacity` transitions, to which so many are added.
    pub fn bytes(capacity: usize, added: u64, space: &ObservationSpace, priority: PrioritizedReplaySettings) -> f64 {
        let number = match space.dtype {
            ObservationDtype::F32 => size_of::<f32>(),
            ObservationDtype::U8 | ObservationDtype::Bool => size_of::<u8>(),
        };
        let transition = number * space.len() + size_of::<i32>() + size_of::<f32>() + size_of::<End>();
        let priorities = if priority.alpha > 0.0 { 2.0 * size_of::<f64>() as f64 * capacity as f64 } else { 0.0 };
        (capacity as f64).min(added as f64) * transition as f64 + priorities
    }

    /// Returns the number of transitions stored.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether the buffer is empty.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the index of the environment whose transition is added next.
    pub fn next_env(&self) -> usize {
        self.head % self.num_envs
    }

    /// Adds a transition, which replaces the oldest if the buffer is full; environments take turns. Unless the previous
    /// transition of the environment ended its episode, the new one must start at the previous one's next observation.
    pub fn add(&mut self, transition: Transition) {
        let slot = self.head;
        let Transition { observation, mask, action, reward, next, next_mask, end } = transition;
        let obs_dim = self.inputs.space.len();
        assert_eq!((observation.len(), next.len()), (obs_dim, obs_dim), "observation length");
        if let (None, Some(first)) = (&self.masks, mask.or(next_mask)) {
            self.masks = Some(MaskBuffer::new(first.len(), self.len(), self.capacity));
        }
        if let Some(masks) = &mut self.masks {
            masks.write(slot, [mask, next_mask]);
        }
        let Frames(observations) = Rc::make_mut(&mut self.observations);
        if slot == self.ends.len() {
            observations.extend(observation);
            self.actions.push(action as i32);
            self.rewards.push(reward as f32);
            self.ends.push(end);
        } else {
            observations.write(slot * obs_dim, observation);
            self.actions[slot] = action as i32;
            self.rewards[slot] = reward as f32;
            self.ends[slot] = end;
            self.finals.remove(&slot);
        }
        if end != End::NotDone {
            self.finals.insert(slot, next.to_buffer());
        }
        self.latest.write(self.next_env() * obs_dim, next);
        self.head = (slot + 1) % self.capacity;
        let replaced = if self.len() == self.capacity { (self.inputs.frame_stack - 1) * self.num_envs } else { 0 };
        let oldest = (0..replaced).map(|i| (self.head + i) % self.capacity); // of all: they change when the buffer fills up
        let incomplete: Vec<usize> = oldest.filter(|&slot| !self.is_complete(slot)).collect();
        if let Some(priorities) = &mut self.priorities {
            priorities.add(slot);
            incomplete.into_iter().for_each(|slot| priorities.remove(slot));
        }
    }

    /// Samples `size` transitions with replacement, on `device`, of those whose stack of frames is still in the buffer; `progress` is the fraction of the training completed,
    /// in [0, 1].
    pub fn sample(&self, size: usize, n_step: NStep, progress: f64, rng: &mut impl Rng, device: Device) -> Batch {
        let (slots, weights) = match &self.priorities {
            None => {
                let drawn = repeat_with(|| rng.random_range(0..self.len())).filter(|&slot| self.is_complete(slot));
                (drawn.take(size).collect::<Vec<_>>(), None)
            }
            Some(priorities) => {
                let (slots, weights) = priorities.sample(size, self.len(), progress, rng);
                (slots, Some(Tensor::from_slice(&weights).to_device(device)))
            }
        };
        let ahead: Vec<NStepReturn> = slots.iter().map(|&slot| self.n_step_return(slot, n_step)).collect();
        let actions = slots.iter().map(|&slot| i64::from(self.actions[slot]));
        Batch {
            both: self.both(&slots, &ahead, device),
            masks: self.masks.as_ref().map(|masks| {
                let before = slots.iter().flat_map(|&slot| masks.before(slot));
                before.chain(ahead.iter().flat_map(|ahead| masks.after(ahead.last))).collect()
            }),
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
        let of_finals = self.finals.len() * self.inputs.space.len();
        let mut finals = ObservationBuffer::with_capacity(self.inputs.space.dtype, of_finals);
        self.finals.values().for_each(|observation| finals.extend(observation.as_ref()));
        tensors.insert_shared(format!("{prefix}.observations"), self.observations.clone());
        tensors.insert_slice(format!("{prefix}.actions"), &self.actions);
        tensors.insert_slice(format!("{prefix}.rewards"), &self.rewards);
        tensors.insert_slice(format!("{prefix}.ends"), &ends);
        tensors.insert_slice(format!("{prefix}.final_slots"), &final_slots);
        tensors.insert_shared(format!("{prefix}.finals"), Rc::new(Frames(finals)));
        tensors.insert_shared(format!("{prefix}.latest"), Rc::new(Frames(self.latest.clone())));
        tensors.insert_slice(format!("{prefix}.head"), &[self.head as i64]);
        if let Some(masks) = &self.masks {
            masks.save(&format!("{prefix}.masks"), tensors);
        }
        if let Some(priorities) = &self.priorities {
            priorities.save(&format!("{prefix}.priorities"), self.len(), tensors);
        }
    }

    /// Restores the state written by `save`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`], [`Error::TensorDtype`]: the saved observations have another length
    /// or dtype.
    pub fn load(&mut self, prefix: &str, tensors: &StateDict) -> Result<(), Error> {
        let name = |part: &str| format!("{prefix}.{part}");
        let (capacity, num_envs, inputs) = (self.capacity, self.num_envs, self.inputs);
        let (obs_dim, dtype) = (inputs.space.len(), inputs.space.dtype);
        let Frames(latest) = Frames::load(dtype, &name("latest"), (num_envs * obs_dim) as i64, tensors)?;
        let ends = tensors.get_vec::<u8>(&name("ends"), -1)?;
        let len = ends.len() as i64;
        let final_slots = tensors.get_vec::<i64>(&name("final_slots"), -1)?;
        let Frames(finals) = Frames::load(dtype, &name("finals"), (final_slots.len() * obs_dim) as i64, tensors)?;
        let finals = (0..final_slots.len()).map(|i| finals.slice(i * obs_dim..(i + 1) * obs_dim).to_buffer());
        if let Some(priorities) = &mut self.priorities {
            priorities.load(&name("priorities"), ends.len(), tensors)?;
        }
        let mut observations = Frames::load(dtype, &name("observations"), len * obs_dim as i64, tensors)?;
        observations.0.reserve(capacity.saturating_mul(obs_dim));
        *self = ReplayBuffer {
            capacity,
            num_envs,
            inputs,
            observations: Rc::new(observations),
            actions: with_reserved(tensors.get_vec(&name("actions"), len)?, capacity),
            rewards: with_reserved(tensors.get_vec(&name("rewards"), len)?, capacity),
            masks: MaskBuffer::load(&name("masks"), ends.len(), capacity, tensors)?,
            ends: with_reserved(ends.into_iter().map(End::from_byte).collect(), capacity),
            finals: final_slots.iter().map(|&slot| slot as usize).zip(finals).collect(),
            latest,
            head: tensors.get_vec::<i64>(&name("head"), 1)?[0] as usize,
            priorities: self.priorities.take(),
        };
        Ok(())
    }

    /// Returns the network's inputs before and after the steps from these slots, `[2B, len]`.
    fn both(&self, slots: &[usize], ahead: &[NStepReturn], device: Device) -> Tensor {
        let shape = [2 * slots.len() as i64, self.inputs.len() as i64];
        if readable_without_sync(device) || self.inputs.space.dtype == ObservationDtype::F32 {
            return filled(&shape, |rows| self.write_both(rows, slots, ahead, write_inputs)).to_device(device);
        }
        // bytes are a quarter of the transfer
        let bytes = filled(&shape, |rows: &mut [u8]| {
            self.write_both(rows, slots, ahead, |frame, to| match frame {
                ObservationRef::U8(values) => to.copy_from_slice(values),
                ObservationRef::Bool(values) => to.iter_mut().zip(values).for_each(|(to, &value)| *to = value.into()),
                ObservationRef::F32(_) => unreachable!("bytes"),
            });
        });
        let inputs = bytes.to_device(device).to_kind(Kind::Float);
        if self.inputs.space.dtype == ObservationDtype::U8 { inputs / 255.0 } else { inputs }
    }

    /// Writes the stacks of frames before and, below them, after the steps from these slots, `[2B, len]`.
    fn write_both<T: Element>(
        &self,
        rows: &mut [T],
        slots: &[usize],
        ahead: &[NStepReturn],
        write: impl Fn(ObservationRef<'_>, &mut [T]),
    ) {
        let (stack, obs_dim) = (self.inputs.frame_stack, self.inputs.space.len());
        let (before, after) = rows.split_at_mut(slots.len() * self.inputs.len());
        for (row, &slot) in before.chunks_exact_mut(self.inputs.len()).zip(slots) {
            self.write_frames(row, slot, &write);
        }
        for (row, ahead) in after.chunks_exact_mut(self.inputs.len()).zip(ahead) {
            let (earlier, newest) = row.split_at_mut((stack - 1) * obs_dim);
            self.write_frames(earlier, ahead.last, &write);
            write(self.next(ahead.last), newest);
        }
    }

    /// Writes the frames up to a slot, as many as the row has, oldest first; the episode's first one is repeated.
    fn write_frames<T: Element>(&self, row: &mut [T], slot: usize, write: &impl Fn(ObservationRef<'_>, &mut [T])) {
        let obs_dim = self.inputs.space.len();
        let Some(back) = (row.len() / obs_dim).checked_sub(1) else { return };
        let earlier = self.earlier(slot, back).expect("only complete stacks are sampled");
        for (i, frame) in row.chunks_exact_mut(obs_dim).enumerate() {
            let back = (back - i).min(earlier) * self.num_envs;
            write(self.observation((slot + self.capacity - back) % self.capacity), frame);
        }
    }

    /// Returns the number of frames of a slot's episode before it, at most `count`; `None` if some of them were replaced.
    fn earlier(&self, slot: usize, count: usize) -> Option<usize> {
        let full = self.len() == self.capacity;
        let mut at = slot;
        for earlier in 0..count {
            let is_oldest = self.age(at) + self.num_envs >= self.len();
            if is_oldest {
                return (!full).then_some(earlier);
            }
            let before = (at + self.capacity - self.num_envs) % self.capacity;
            if self.ends[before] != End::NotDone {
                return Some(earlier);
            }
            at = before;
        }
        Some(count)
    }

    /// Returns whether all frames of a slot's stack are in the buffer.
    fn is_complete(&self, slot: usize) -> bool {
        self.earlier(slot, self.inputs.frame_stack - 1).is_some()
    }

    fn observation(&self, slot: usize) -> ObservationRef<'_> {
        let obs_dim = self.inputs.space.len();
        self.observations.0.slice(slot * obs_dim..(slot + 1) * obs_dim)
    }

    /// Computes the n-step return of a slot.
    fn n_step_return(&self, slot: usize, NStep { n, gamma }: NStep) -> NStepReturn {
        let (mut sum, mut factor, mut last) = (0.0, 1.0, slot);
        for m in 1..=n {
            sum += factor * f64::from(self.rewards[last]);
            factor *= gamma;
            if self.ends[last] != End::NotDone || self.is_newest(last) || m == n {
                break;
            }
            last = self.following(last);
        }
        NStepReturn { sum, discount: if self.ends[last] == End::Terminated { 0.0 } else { factor }, last }
    }

    fn next(&self, slot: usize) -> ObservationRef<'_> {
        let (env, obs_dim) = (slot % self.num_envs, self.inputs.space.len());
        match self.finals.get(&slot) {
            Some(last) => last.as_ref(),
            None if self.is_newest(slot) => self.latest.slice(env * obs_dim..(env + 1) * obs_dim),
            None => self.observation(self.following(slot)),
        }
    }

    /// Returns the slot of the same environment's next transition.
    fn following(&self, slot: usize) -> usize {
        (slot + self.num_envs) % self.capacity
    }

    /// Returns whether a slot has the newest transition of its environment.
    fn is_newest(&self, slot: usize) -> bool {
        self.age(slot) < self.num_envs
    }

    /// Returns the number of transitions added after a slot's.
    fn age(&self, slot: usize) -> usize {
        (self.head + self.capacity - 1 - slot) % self.capacity
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
    use alrao_core::device::via_libtorch;
    use alrao_core::streams::stream;
    use alrao_envs::{ObservationShape, ObservationSpace};

    use crate::q_network::to_vec;

    /// The first number of an observation.
    fn number(observation: ObservationRef<'_>) -> f32 {
        observation.to_f32()[0]
    }

    const ONE_STEP: NStep = NStep { n: 1, gamma: 0.9 };

    fn unmasked<'a>(
        observation: ObservationRef<'a>,
        action: usize,
        reward: f64,
        next: ObservationRef<'a>,
        end: End,
    ) -> Transition<'a> {
        Transition { observation, mask: None, action, reward, next, next_mask: None, end }
    }

    /// Fills a buffer; transition i goes from observation [i] to [i + 1], and episodes have `length` transitions.
    fn filled(capacity: usize, transitions: usize, length: usize, end: End) -> ReplayBuffer {
        let mut replay = ReplayBuffer::new(capacity, 1, Inputs::vector(1), PrioritizedReplaySettings::default());
        for i in 0..transitions {
            let (at, next) = ([i as f32], [i as f32 + 1.0]);
            // the final observation of an episode differs from the first of the next
            let end = if (i + 1) % length == 0 { end } else { End::NotDone };
            let next = if end == End::NotDone { next } else { [next[0] + 0.5] };
            let (observation, next) = (at.as_slice().into(), next.as_slice().into());
            replay.add(unmasked(observation, i % 5, -(i as f64), next, end));
        }
        replay
    }

    #[test]
    fn next_observations_are_right_after_wrap_around_and_episode_ends() {
        for transitions in [1, 3, 7, 8, 9, 20, 23] {
            let replay = filled(8, transitions, 3, End::Truncated);
            assert_eq!(replay.len(), transitions.min(8));
            for slot in 0..replay.len() {
                let i = number(replay.observation(slot)) as usize;
                let expected = if (i + 1).is_multiple_of(3) { i as f32 + 1.5 } else { i as f32 + 1.0 };
                assert_eq!(number(replay.next(slot)), expected, "slot {slot} after {transitions}");
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
                let i = number(replay.observation(slot)) as usize;
                let m = 3.min(5 - i % 5).min(23 - i);
                let expected: f64 = (0..m).map(|k| -((i + k) as f64) * 0.5f64.powi(k as i32)).sum();
                assert_eq!(sum, expected, "from {i}");
                let ended = (i + m).is_multiple_of(5);
                assert_eq!(discount, 0.5f64.powi(m as i32) * if ended { after_end } else { 1.0 }, "from {i}");
                let after = (i + m) as f32 + if ended { 0.5 } else { 0.0 };
                assert_eq!(number(replay.next(last)), after, "from {i}");
            }
        }
    }

    #[test]
    fn a_loaded_buffer_continues_identically() {
        let empty = |inputs| ReplayBuffer::new(8, 1, inputs, PrioritizedReplaySettings::default());
        let (mut replay, mut again) = (filled(8, 21, 3, End::Terminated), empty(Inputs::vector(1)));
        let mut tensors = StateDict::default();
        replay.save("replay", &mut tensors);
        again.load("replay", &tensors).unwrap();
        for replay in [&mut replay, &mut again] {
            let (observation, next) = ([21.0].as_slice().into(), [22.0].as_slice().into());
            replay.add(unmasked(observation, 0, 0.0, next, End::NotDone));
        }
        assert_eq!(format!("{replay:?}"), format!("{again:?}"));
        let error = empty(Inputs::vector(2)).load("replay", &tensors).unwrap_err().to_string();
        assert!(error.contains("replay.latest") && error.contains("[2]"), "{error}");
        let error = empty(pixels(1)).load("replay", &tensors).unwrap_err().to_string();
        assert!(error.contains("`replay.latest` is of Float, but Uint8 is needed"), "{error}");
    }

    /// Images of one pixel.
    fn pixels(frame_stack: usize) -> Inputs {
        Inputs::new(ObservationSpace::pixels(ObservationShape::ChannelsFirst([1; 3])), frame_stack)
    }

    /// Fills a buffer of pixels; frame i of an episode is 10 times its episode, from 1, plus i.
    fn with_pixels(capacity: usize, frame_stack: usize, transitions: usize, alpha: f64) -> ReplayBuffer {
        const LENGTH: usize = 4;
        let priority = PrioritizedReplaySettings { alpha, beta: 0.5 };
        let mut replay = ReplayBuffer::new(capacity, 1, pixels(frame_stack), priority);
        for i in 0..transitions {
            let at = (10 * (i / LENGTH + 1) + i % LENGTH) as u8;
            let end = if i % LENGTH == LENGTH - 1 { End::Truncated } else { End::NotDone };
            let (at, next) = ([at], [at + 1]);
            let (observation, next) = (at.as_slice().into(), next.as_slice().into());
            replay.add(unmasked(observation, 0, f64::from(at[0]), next, end));
        }
        replay
    }

    /// Uniform and prioritized, before and after the buffer overflows, at each place of its ring.
    #[test]
    fn stacks_have_frames_of_one_episode_that_are_still_in_the_buffer() {
        let n_step = NStep { n: 2, gamma: 0.0 };
        for (transitions, alpha) in (3..30).flat_map(|n| [(n, 0.0), (n, 1.0)]) {
            let replay = with_pixels(11, 3, transitions, alpha);
            let mut drawn = std::collections::BTreeSet::new();
            let mut check = |device: &dyn Fn() -> Batch| {
                let batch = device();
                let both: Vec<f32> = to_vec(&(&batch.both * 255.0));
                let (before, after) = both.split_at(3 * batch.slots.len());
                for ((before, after), &reward) in before.chunks(3).zip(after.chunks(3)).zip(&batch.returns) {
                    let (at, episode) = (reward as i64, reward as i64 / 10);
                    let stack = |newest: i64| [2, 1, 0].map(|back| (newest - back).max(10 * episode) as f32);
                    assert_eq!(before, stack(at), "after {transitions}");
                    assert_eq!(after, stack((at + 2).min(10 * episode + 4).min(newest(transitions) + 1)));
                    drawn.insert(at);
                }
            };
            let sample = || replay.sample(100, n_step, 0.0, &mut stream(0, "replay"), Device::Cpu);
            check(&sample);
            check(&|| via_libtorch(sample)); // as for a GPU
            let complete = if transitions < 11 { transitions } else { 9 };
            assert!((complete..=11).contains(&drawn.len()), "{drawn:?} after {transitions}");
        }
    }

    /// The newest frame from which a transition starts.
    fn newest(transitions: usize) -> i64 {
        (10 * ((transitions - 1) / 4 + 1) + (transitions - 1) % 4) as i64
    }

    #[test]
    fn a_loaded_buffer_of_stacked_pixels_samples_the_same() {
        for alpha in [0.0, 0.7] {
            let replay = with_pixels(11, 3, 26, alpha);
            let mut tensors = StateDict::default();
            replay.save("replay", &mut tensors);
            let mut again = with_pixels(11, 3, 2, alpha);
            again.load("replay", &tensors).unwrap();
            let sample =
                |replay: &ReplayBuffer| replay.sample(20, ONE_STEP, 0.0, &mut stream(0, "replay"), Device::Cpu).both;
            assert_eq!(sample(&replay), sample(&again));
        }
    }

    /// Environments that take turns in one buffer; environment e's transitions are those of a buffer of its own, from
    /// observation 100 e on, in episodes of 3 + e transitions.
    #[test]
    fn environments_that_share_a_buffer_do_not_mix() {
        const ENVS: usize = 3;
        let n_step = NStep { n: 2, gamma: 0.5 };
        let priority = PrioritizedReplaySettings::default();
        let whole_or_full = (1..60).filter(|transitions| transitions % ENVS == 0 || *transitions > 18);
        for (transitions, frame_stack) in whole_or_full.flat_map(|n| [(n, 1), (n, 3)]) {
            let buffer = |capacity, num_envs| ReplayBuffer::new(capacity, num_envs, pixels(frame_stack), priority);
            let (mut shared, mut own) = (buffer(20, ENVS), [(); ENVS].map(|()| buffer(6, 1)));
            for i in 0..transitions {
                let (env, t) = (i % ENVS, i / ENVS);
                assert_eq!(shared.next_env(), env);
                let at = (80 * env + t) as u8;
                let end = if t % (3 + env) == 2 + env { End::Truncated } else { End::NotDone };
                let next = if end == End::NotDone { at + 1 } else { at + 41 };
                let (observation, next) = ([at], [next]);
                let (observation, next) = (observation.as_slice().into(), next.as_slice().into());
                let transition = unmasked(observation, 0, f64::from(at), next, end);
                shared.add(transition);
                own[env].add(transition);
            }
            let mut tensors = StateDict::default();
            shared.save("replay", &mut tensors);
            let mut loaded = buffer(20, ENVS);
            loaded.load("replay", &tensors).unwrap();
            for shared in [shared, loaded] {
                assert_eq!(shared.len(), own.iter().map(ReplayBuffer::len).sum::<usize>(), "after {transitions}");
                for slot in 0..shared.len() {
                    let (own, of_own) = (&own[slot % ENVS], slot / ENVS);
                    assert_eq!(shared.is_complete(slot), own.is_complete(of_own), "slot {slot} after {transitions}");
                    if !shared.is_complete(slot) {
                        continue;
                    }
                    let row = |replay: &ReplayBuffer, slot| {
                        let ahead = replay.n_step_return(slot, n_step);
                        let both: Vec<f32> = to_vec(&replay.both(&[slot], std::slice::from_ref(&ahead), Device::Cpu));
                        (both, ahead.sum, ahead.discount)
                    };
                    assert_eq!(row(&shared, slot), row(own, of_own), "slot {slot} after {transitions}");
                }
            }
        }
    }

    #[test]
    fn priorities_draw_no_incomplete_stack_of_any_environment() {
        let priority = PrioritizedReplaySettings { alpha: 0.6, beta: 0.5 };
        let mut replay = ReplayBuffer::new(24, 4, pixels(3), priority);
        let n_step = NStep { n: 2, gamma: 0.9 };
        for i in 0..60 {
            let observation = [i as u8];
            let observation = observation.as_slice().into();
            replay.add(unmasked(observation, 0, 0.0, observation, End::NotDone));
            let batch = replay.sample(100, n_step, 0.0, &mut stream(0, "replay"), Device::Cpu);
            assert!(batch.slots.iter().all(|&slot| replay.is_complete(slot)), "after {i}");
        }
    }

    /// Before each step, only the action of the observation's number, modulo 3, is legal; the first transitions have no mask.
    #[test]
    fn masks_are_those_of_the_observations_before_and_after_n_steps() {
        let mask = |number: usize| [0, 1, 2].map(|action| action == number % 3);
        let mut replay = ReplayBuffer::new(9, 1, Inputs::vector(1), PrioritizedReplaySettings::default());
        let n_step = NStep { n: 2, gamma: 0.9 };
        for i in 0..30 {
            let end = if i % 4 == 3 { End::Truncated } else { End::NotDone };
            let (before, after) = (mask(i), mask(i + 1));
            let (mask, next_mask) = if i < 2 { (None, None) } else { (Some(&before[..]), Some(&after[..])) };
            let (observation, next) = ([i as f32], [i as f32 + 1.0]);
            let (observation, next) = (observation.as_slice().into(), next.as_slice().into());
            replay.add(Transition { observation, mask, action: 0, reward: 0.0, next, next_mask, end });
            let mut tensors = StateDict::default();
            replay.save("replay", &mut tensors);
            let mut loaded = ReplayBuffer::new(9, 1, Inputs::vector(1), PrioritizedReplaySettings::default());
            loaded.load("replay", &tensors).unwrap();
            for replay in [&replay, &loaded] {
                let batch = replay.sample(20, n_step, 0.0, &mut stream(0, "replay"), Device::Cpu);
                assert_eq!(batch.masks.is_some(), i >= 2, "no memory before the first mask");
                let numbers: Vec<f32> = to_vec(&batch.both);
                for (row, &number) in numbers.iter().enumerate().filter(|_| i >= 2) {
                    // the observation after step 1 is known from the step after it only by its own mask
                    let without = if row < 20 { number < 2.0 } else { number <= 2.0 };
                    let expected = if without { [true; 3] } else { [0, 1, 2].map(|a| a == number as usize % 3) };
                    assert_eq!(batch.mask(row, 3), Some(&expected[..]), "row {row}, observation {number}, after {i}");
                }
            }
        }
    }

    /// What a checkpoint holds stays as it was when the buffer goes on, though it is not copied.
    #[test]
    fn a_checkpoint_shares_the_observations_until_they_change() {
        let mut replay = with_pixels(11, 1, 8, 0.0);
        let mut tensors = StateDict::default();
        replay.save("replay", &mut tensors);
        assert_eq!(Rc::strong_count(&replay.observations), 2);
        let observation = [99u8].as_slice().into();
        replay.add(unmasked(observation, 0, 0.0, observation, End::NotDone));
        assert_eq!(tensors.get_vec::<u8>("replay.observations", 8).unwrap(), [10, 11, 12, 13, 20, 21, 22, 23]);
        assert_eq!(number(replay.observation(8)), 99.0);
    }

    /// 84 by 84 pixels, a hundredth of a million transitions, in episodes of 200 steps.
    #[test]
    fn stacked_images_take_little_more_than_a_byte_a_pixel() {
        let space = ObservationSpace::pixels(ObservationShape::ChannelsFirst([1, 84, 84]));
        let (transitions, priority) = (10_000, PrioritizedReplaySettings::default());
        let mut replay = ReplayBuffer::new(transitions, 1, Inputs::new(space, 4), priority);
        let frame = ObservationBuffer::zeros(space.dtype, space.len());
        for i in 0..transitions {
            let end = if i % 200 == 199 { End::Terminated } else { End::NotDone };
            let (observation, next) = (frame.as_ref(), frame.as_ref());
            replay.add(unmasked(observation, 0, 0.0, next, end));
        }
        let of_observations =
            replay.observations.0.len() + replay.finals.values().map(|frame| frame.len()).sum::<usize>();
        let of_rest = transitions * (size_of::<i32>() + size_of::<f32>() + size_of::<End>());
        assert!(100 * (of_observations + of_rest) < 7_300_000_000, "{of_observations} {of_rest}");
        assert_eq!(
            replay.sample(2, ONE_STEP, 0.0, &mut stream(0, "replay"), Device::Cpu).both.size(),
            [4, 4 * 84 * 84]
        );
    }
}
