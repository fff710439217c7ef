//! Running mean and standard deviation of each observation feature, for normalization. Images have none: their values
//! have one scale.

use serde::{Deserialize, Serialize};

use crate::running_mean_std::RunningMeanStd;

/// Running statistics of observations, `[obs_dim]` each; of images `[0]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ObsNormalizer {
    features: Vec<RunningMeanStd>,
}

impl ObsNormalizer {
    /// Creates statistics without observations.
    pub fn new(obs_dim: usize) -> Self {
        ObsNormalizer { features: vec![RunningMeanStd::default(); obs_dim] }
    }

    /// Adds one observation, `[obs_dim]`.
    pub fn update(&mut self, observation: &[f32]) {
        self.features.iter_mut().zip(observation).for_each(|(feature, &x)| feature.update(f64::from(x)));
    }

    /// Returns the number of observations.
    pub fn count(&self) -> u64 {
        self.features.first().map_or(0, RunningMeanStd::count)
    }

    /// Returns the observations' mean, `[obs_dim]`.
    pub fn mean(&self) -> Vec<f64> {
        self.features.iter().map(RunningMeanStd::mean).collect()
    }

    /// Returns the observations' standard deviation, `[obs_dim]`.
    pub fn std(&self) -> Vec<f64> {
        self.features.iter().map(RunningMeanStd::std).collect()
    }
}
