//! The mean and deviation of each feature of the observations, found while they come in.

use alrao_core::Error;
use alrao_core::tensors::Tensors;

/// Running statistics of observations, `[observation_len]`.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservationScale {
    observations: u64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl ObservationScale {
    /// Nothing seen yet.
    pub fn new(observation_len: usize) -> Self {
        ObservationScale { observations: 0, mean: vec![0.0; observation_len], squares: vec![0.0; observation_len] }
    }

    /// Takes in one observation, `[observation_len]`.
    pub fn observe(&mut self, observation: &[f32]) {
        self.observations += 1;
        for ((&x, mean), squares) in observation.iter().zip(&mut self.mean).zip(&mut self.squares) {
            let deviation = f64::from(x) - *mean;
            *mean += deviation / self.observations as f64;
            *squares += deviation * (f64::from(x) - *mean);
        }
    }

    /// How many there were.
    pub fn observations(&self) -> u64 {
        self.observations
    }

    /// Their mean, `[observation_len]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Their standard deviation, `[observation_len]`.
    pub fn std(&self) -> Vec<f64> {
        self.squares.iter().map(|squares| (squares / self.observations.max(1) as f64).sqrt()).collect()
    }

    /// Adds everything to `tensors`, as `prefix.*`.
    pub fn save(&self, prefix: &str, tensors: &mut Tensors) {
        tensors.insert_slice(format!("{prefix}.observations"), &[self.observations as i64]);
        tensors.insert_slice(format!("{prefix}.mean"), &self.mean);
        tensors.insert_slice(format!("{prefix}.squares"), &self.squares);
    }

    /// Takes back what was saved.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: what was saved had other observations.
    pub fn load(&mut self, prefix: &str, tensors: &Tensors) -> Result<(), Error> {
        let len = self.mean.len() as i64;
        self.observations = tensors.get_vec::<i64>(&format!("{prefix}.observations"), 1)?[0] as u64;
        self.mean = tensors.get_vec(&format!("{prefix}.mean"), len)?;
        self.squares = tensors.get_vec(&format!("{prefix}.squares"), len)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_by_hand() {
        let mut scale = ObservationScale::new(2);
        [[1.0, 5.0], [3.0, 5.0], [8.0, 5.0]].iter().for_each(|observation| scale.observe(observation));
        assert_eq!((scale.observations(), scale.mean()), (3, [4.0, 5.0].as_slice()));
        let std = scale.std();
        assert!((std[0] - (26.0f64 / 3.0).sqrt()).abs() < 1e-12 && std[1] == 0.0, "{std:?}");
    }
}
