//! Bayesian model averaging: `a_j` is proportional to model j's likelihood of all observations so far.

use tch::{Device, Tensor};

use super::{KIND, ModelAveraging};
use crate::Error;
use crate::state_dict::StateDict;

/// Posterior over K models, one of which is assumed correct throughout.
#[derive(Debug)]
pub struct Bayes {
    /// `log a_j`, `[K]`
    log_a: Tensor,
}

impl Bayes {
    /// Creates the uniform prior over `k` models.
    pub fn new(k: i64, device: Device) -> Self {
        Bayes { log_a: Tensor::full([k], -(k as f64).ln(), (KIND, device)) }
    }
}

impl ModelAveraging for Bayes {
    fn weights(&self) -> Tensor {
        self.log_a.exp()
    }

    fn update(&mut self, log_evidence: &Tensor) {
        self.log_a = (&self.log_a + log_evidence).log_softmax(0, None);
    }

    fn save(&self, prefix: &str, tensors: &mut StateDict) {
        tensors.insert(format!("{prefix}.bayes"), &self.log_a);
    }

    fn load(&mut self, prefix: &str, tensors: &StateDict) -> Result<(), Error> {
        self.log_a.copy_(tensors.get(&format!("{prefix}.bayes"), &self.log_a.size())?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_proportional_to_products_of_likelihoods() {
        let mut bayes = Bayes::new(2, Device::Cpu);
        for likelihoods in [[0.5, 0.1], [0.2, 0.3]] {
            bayes.update(&Tensor::from_slice(&likelihoods.map(f64::ln)));
        }
        let a = Vec::<f64>::try_from(bayes.weights()).unwrap();
        assert!((a[0] - 0.1 / 0.13).abs() < 1e-14 && (a[1] - 0.03 / 0.13).abs() < 1e-14);
    }
}
