//! The mean and deviation of each feature of the observations, found while they come in.

use serde::{Deserialize, Serialize};

use crate::moments::Moments;

/// Running statistics of observations, `[observation_len]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObservationScale {
    features: Vec<Moments>,
}

impl ObservationScale {
    /// Nothing seen yet.
    pub fn new(observation_len: usize) -> Self {
        ObservationScale { features: vec![Moments::default(); observation_len] }
    }

    /// Takes in one observation, `[observation_len]`.
    pub fn observe(&mut self, observation: &[f32]) {
        self.features.iter_mut().zip(observation).for_each(|(feature, &x)| feature.observe(f64::from(x)));
    }

    /// How many there were.
    pub fn observations(&self) -> u64 {
        self.features.first().map_or(0, Moments::count)
    }

    /// Their mean, `[observation_len]`.
    pub fn mean(&self) -> Vec<f64> {
        self.features.iter().map(Moments::mean).collect()
    }

    /// Their standard deviation, `[observation_len]`.
    pub fn std(&self) -> Vec<f64> {
        self.features.iter().map(Moments::std).collect()
    }
}
