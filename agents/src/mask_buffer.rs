//! The masks of a replay buffer: [`MaskBuffer`].

use alrao_core::Error;
use alrao_core::state_dict::StateDict;

use crate::mask::Mask;
use crate::reserved::with_reserved;

/// For each slot, which actions are legal before its step and which after, as bits: a quarter of a byte for each action.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MaskBuffer {
    num_actions: usize,
    /// `[len, ceil(2 A / 8)]`
    bits: Vec<u8>,
}

impl MaskBuffer {
    /// Creates the masks of `len` slots whose actions are all legal, of `capacity` slots to come.
    pub fn new(num_actions: usize, len: usize, capacity: usize) -> Self {
        let mut bits = with_reserved(Vec::new(), capacity.saturating_mul(bytes(num_actions)));
        bits.resize(len * bytes(num_actions), u8::MAX);
        MaskBuffer { num_actions, bits }
    }

    /// Writes the masks before and after a slot's step; the slot is one of those so far, or the next.
    pub fn write(&mut self, slot: usize, masks: [Mask; 2]) {
        let bytes = bytes(self.num_actions);
        if self.bits.len() == slot * bytes {
            self.bits.resize((slot + 1) * bytes, 0);
        }
        let row = &mut self.bits[slot * bytes..(slot + 1) * bytes];
        row.fill(u8::MAX);
        for (part, mask) in masks.into_iter().enumerate() {
            for (action, _) in mask.unwrap_or(&[]).iter().enumerate().filter(|(_, legal)| !**legal) {
                let bit = part * self.num_actions + action;
                row[bit / 8] &= !(1 << (bit % 8));
            }
        }
    }

    /// Returns which actions are legal before a slot's step, `[A]`.
    pub fn before(&self, slot: usize) -> impl Iterator<Item = bool> {
        self.read(slot, 0)
    }

    /// Returns which actions are legal after a slot's step, `[A]`.
    pub fn after(&self, slot: usize) -> impl Iterator<Item = bool> {
        self.read(slot, self.num_actions)
    }

    fn read(&self, slot: usize, start: usize) -> impl Iterator<Item = bool> {
        let bytes = bytes(self.num_actions);
        let row = &self.bits[slot * bytes..(slot + 1) * bytes];
        (start..start + self.num_actions).map(move |bit| row[bit / 8] >> (bit % 8) & 1 == 1)
    }

    /// Adds the masks to `tensors` as `prefix.*`.
    pub fn save(&self, prefix: &str, tensors: &mut StateDict) {
        tensors.insert_slice(format!("{prefix}.bits"), &self.bits);
        tensors.insert_slice(format!("{prefix}.num_actions"), &[self.num_actions as i64]);
    }

    /// Returns the masks of `len` slots written by `save`; none if there were none.
    ///
    /// # Errors
    /// [`Error::TensorShape`], [`Error::TensorDtype`].
    pub fn load(prefix: &str, len: usize, capacity: usize, tensors: &StateDict) -> Result<Option<Self>, Error> {
        let num_actions = match tensors.get_vec::<i64>(&format!("{prefix}.num_actions"), 1) {
            Err(Error::MissingTensor { .. }) => return Ok(None),
            found => found?[0] as usize,
        };
        let bits = tensors.get_vec(&format!("{prefix}.bits"), (len * bytes(num_actions)) as i64)?;
        let bits = with_reserved(bits, capacity.saturating_mul(bytes(num_actions)));
        Ok(Some(MaskBuffer { num_actions, bits }))
    }
}

/// Returns the bytes of a slot.
fn bytes(num_actions: usize) -> usize {
    (2 * num_actions).div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_read_as_they_were_written() {
        let mut masks = MaskBuffer::new(9, 1, 20);
        let mask = |seed: usize| (0..9).map(|action| (action * seed + seed / 3) % 4 < 2).collect::<Vec<bool>>();
        for slot in 1..20 {
            masks.write(slot, [Some(&mask(slot)), Some(&mask(slot + 7))]);
        }
        masks.write(5, [None, Some(&mask(3))]);
        for slot in [1, 2, 19] {
            assert_eq!(masks.before(slot).collect::<Vec<_>>(), mask(slot));
            assert_eq!(masks.after(slot).collect::<Vec<_>>(), mask(slot + 7));
        }
        assert!(masks.before(0).chain(masks.after(0)).chain(masks.before(5)).all(|legal| legal));
        assert_eq!(masks.after(5).collect::<Vec<_>>(), mask(3));
        assert_eq!(masks.bits.len(), 20 * 3, "at most 4 bytes for 9 actions");
        let mut tensors = StateDict::default();
        masks.save("masks", &mut tensors);
        assert_eq!(MaskBuffer::load("masks", 20, 20, &tensors).unwrap(), Some(masks));
        assert_eq!(MaskBuffer::load("masks", 20, 20, &StateDict::default()).unwrap(), None);
    }
}
