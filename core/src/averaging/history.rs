//! History of the posterior, for plots: a bounded number of evenly spaced records for runs of any length.

use tch::Tensor;

use crate::Error;
use crate::state_dict::StateDict;

/// Thinned history of posteriors, stored on the device.
#[derive(Debug)]
pub struct History {
    /// interval of records, in updates; doubles when the capacity is exceeded
    every: u64,
    records: Vec<(u64, Tensor)>,
}

/// Maximum number of records.
const CAPACITY: usize = 1024;

impl Default for History {
    /// Creates an empty history.
    fn default() -> Self {
        History { every: 1, records: Vec::new() }
    }
}

impl History {
    /// Records the posterior `a`, `[K]` f64, after `update` updates, if a record is due.
    pub fn record(&mut self, update: u64, a: impl FnOnce() -> Tensor) {
        if !update.is_multiple_of(self.every) {
            return;
        }
        self.records.push((update, a()));
        if self.records.len() > CAPACITY {
            self.every *= 2;
            let every = self.every;
            self.records.retain(|(update, _)| update.is_multiple_of(every));
        }
    }

    /// Returns the records, oldest first: the number of updates and the posterior, `[K]`.
    pub fn records(&self) -> impl Iterator<Item = (u64, Vec<f64>)> {
        self.records.iter().map(|(update, a)| (*update, Vec::<f64>::try_from(a).expect("a vector of f64")))
    }

    /// Adds all records to `tensors` as `prefix.*`.
    pub fn save(&self, prefix: &str, tensors: &mut StateDict) {
        let updates: Vec<i64> = self.records.iter().map(|(update, _)| *update as i64).collect();
        let lengths: Vec<i64> = self.records.iter().map(|(_, a)| a.size()[0]).collect();
        let posteriors: Vec<f64> = self.records().flat_map(|(_, a)| a).collect();
        tensors.insert_slice(format!("{prefix}.every"), &[self.every as i64]);
        tensors.insert_slice(format!("{prefix}.updates"), &updates);
        tensors.insert_slice(format!("{prefix}.lengths"), &lengths);
        tensors.insert_slice(format!("{prefix}.posteriors"), &posteriors);
    }

    /// Loads the history written by `save`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: no history was saved as `prefix.*`.
    pub fn load(prefix: &str, tensors: &StateDict) -> Result<Self, Error> {
        let updates = tensors.get_vec::<i64>(&format!("{prefix}.updates"), -1)?;
        let lengths = tensors.get_vec::<i64>(&format!("{prefix}.lengths"), updates.len() as i64)?;
        let posteriors = tensors.get_vec::<f64>(&format!("{prefix}.posteriors"), lengths.iter().sum())?;
        let mut rest = &posteriors[..];
        let mut next = |length: i64| {
            let (a, after) = rest.split_at(length as usize);
            rest = after;
            Tensor::from_slice(a)
        };
        let records = updates.iter().zip(lengths).map(|(&update, length)| (update as u64, next(length))).collect();
        Ok(History { every: tensors.get_vec::<i64>(&format!("{prefix}.every"), 1)?[0] as u64, records })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_history_is_thinned_evenly_and_can_be_loaded() {
        let mut history = History::default();
        (1..=20_000u64).for_each(|update| history.record(update, || Tensor::from_slice(&[update as f64, 0.0])));
        let records: Vec<_> = history.records().collect();
        assert!((CAPACITY / 2..=CAPACITY).contains(&records.len()), "{}", records.len());
        let every = records[0].0;
        assert!(records.iter().zip(1..).all(|((update, a), i)| *update == i * every && a[0] == *update as f64));

        let mut tensors = StateDict::default();
        history.save("history", &mut tensors);
        let again = History::load("history", &tensors).unwrap();
        assert_eq!((again.every, again.records().collect::<Vec<_>>()), (history.every, records));
    }
}
