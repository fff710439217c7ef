//! Model averaging: from how well each head predicts, the weights `a_j` that average them (paper, section 4.4).
//!
//! Everything is tensors of f64 on the network's own device, so that a step never waits for the device.

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
    /// The averaging weights `a_j`, `[K]` f64, in [0, 1] with sum 1.
    fn weights(&self) -> Tensor;

    /// Takes in one observation: how likely each model made it, as `[K]` f64 of logarithms. Minus infinity says that a
    /// model had excluded it; at least one model must not have, and none may give NaN.
    fn update(&mut self, log_evidence: &Tensor);

    /// Adds the whole state, as `prefix.*`.
    fn save(&self, prefix: &str, tensors: &mut StateDict);

    /// Takes back what was saved.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: it was another method or number of models.
    fn load(&mut self, prefix: &str, tensors: &StateDict) -> Result<(), Error>;
}

/// How many models carry the weight: the exponential of the entropy of `a`, between 1 and K.
pub fn effective_number(a: &[f64]) -> f64 {
    let entropy: f64 = a.iter().filter(|&&a_j| a_j > 0.0).map(|a_j| -a_j * a_j.ln()).sum();
    entropy.exp()
}

/// The kind of number that posteriors are held in.
const KIND: Kind = Kind::Double;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tch::Device;

    use super::*;

    /// Sequences of observations of K models, of every finite size.
    fn evidence() -> impl Strategy<Value = Vec<Vec<f64>>> {
        let number = prop_oneof![-5.0..1.0, -1e6..1e6, -1.7e308..1.7e308];
        (1usize..8).prop_flat_map(move |k| prop::collection::vec(prop::collection::vec(number.clone(), k), 0..40))
    }

    proptest! {
        #[test]
        fn a_posterior_stays_one(evidence in evidence()) {
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
    fn the_effective_number_of_heads_counts_equal_weights() {
        assert!((effective_number(&[0.25; 4]) - 4.0).abs() < 1e-12);
        assert!((effective_number(&[0.5, 0.5, 0.0, 0.0]) - 2.0).abs() < 1e-12);
        assert_eq!(effective_number(&[0.0, 1.0]), 1.0);
    }
}
