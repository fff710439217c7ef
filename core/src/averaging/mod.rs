//! Model averaging: the heads' averaging weights `a_j`, from their log-likelihoods (paper, section 4.4).
//!
//! All state is f64 tensors on the network's device, so steps don't synchronize the device.

mod bayes;
mod choice;
mod history;
mod switch;

pub use bayes::Bayes;
pub use choice::Averaging;
pub use history::History;
pub use switch::{Switch, THETA};

use tch::{Kind, Tensor};

use crate::Error;
use crate::state_dict::StateDict;

/// A posterior over K models.
pub trait ModelAveraging {
    /// Returns the averaging weights `a_j`, `[K]` f64, in [0, 1] with sum 1.
    fn weights(&self) -> Tensor;

    /// Updates the posterior by the log-likelihoods of one observation, `[K]` f64. Minus infinity is a likelihood of 0;
    /// at least one must be finite, and none NaN.
    fn update(&mut self, log_evidence: &Tensor);

    /// Adds the state to `tensors` as `prefix.*`.
    fn save(&self, prefix: &str, tensors: &mut StateDict);

    /// Restores the state written by `save`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: another method or number of models was saved.
    fn load(&mut self, prefix: &str, tensors: &StateDict) -> Result<(), Error>;
}

/// Computes the effective number of models: the exponential of the entropy of `a`, between 1 and K.
pub fn effective_number(a: &[f64]) -> f64 {
    let entropy: f64 = a.iter().filter(|&&a_j| a_j > 0.0).map(|a_j| -a_j * a_j.ln()).sum();
    entropy.exp()
}

/// Dtype of posteriors.
const KIND: Kind = Kind::Double;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tch::Device;

    use super::*;

    /// Sequences of log-likelihoods of K models, of any finite magnitude.
    fn evidence() -> impl Strategy<Value = Vec<Vec<f64>>> {
        let number = prop_oneof![-5.0..1.0, -1e6..1e6, -1.7e308..1.7e308];
        (1usize..8).prop_flat_map(move |k| prop::collection::vec(prop::collection::vec(number.clone(), k), 0..40))
    }

    proptest! {
        #[test]
        fn a_posterior_stays_a_distribution(evidence in evidence()) {
            let k = evidence.first().map_or(1, |log_p| log_p.len() as i64);
            for averaging in [Averaging::Switch, Averaging::Bayes] {
                let mut averaging = averaging.build(k, Device::Cpu);
                for log_p in &evidence {
                    averaging.update(&Tensor::from_slice(log_p));
                    let a = Vec::<f64>::try_from(averaging.weights()).unwrap();
                    prop_assert!((a.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{a:?}");
                    prop_assert!(a.iter().all(|a_j| (0.0..=1.0).contains(a_j)), "{a:?}");
                }
            }
        }
    }

    #[test]
    fn the_effective_number_of_equal_weights_is_their_count() {
        assert!((effective_number(&[0.25; 4]) - 4.0).abs() < 1e-12);
        assert!((effective_number(&[0.5, 0.5, 0.0, 0.0]) - 2.0).abs() < 1e-12);
        assert_eq!(effective_number(&[0.0, 1.0]), 1.0);
    }
}
