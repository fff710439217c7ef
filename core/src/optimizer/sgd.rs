//! Stochastic gradient descent: `theta <- theta - eta * g` (paper, Equations 2 and 3).

use tch::Tensor;

use super::Optimizer;
use crate::Error;
use crate::tensors::Tensors;

/// Gradient descent with a rate for each element.
#[derive(Debug)]
pub struct Sgd {
    minus_eta: Tensor,
}

impl Sgd {
    /// Descent at the rates `eta`, `[P]`.
    pub fn new(eta: &Tensor) -> Self {
        Sgd { minus_eta: -eta }
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, theta: &mut Tensor, gradient: &Tensor) {
        let _ = theta.addcmul_(&self.minus_eta, gradient);
    }

    fn save(&self, prefix: &str, tensors: &mut Tensors) {
        tensors.insert(format!("{prefix}.eta"), &-&self.minus_eta);
    }

    fn load(&mut self, prefix: &str, tensors: &Tensors) -> Result<(), Error> {
        let eta = tensors.get(&format!("{prefix}.eta"), &self.minus_eta.size())?;
        self.minus_eta.copy_(&-eta);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_element_moves_at_its_own_rate() {
        let mut theta = Tensor::from_slice(&[1.0f32, 2.0]);
        let mut sgd = Sgd::new(&Tensor::from_slice(&[0.1f32, 10.0]));
        sgd.step(&mut theta, &Tensor::from_slice(&[1.0f32, -0.5]));
        assert_eq!(Vec::<f32>::try_from(theta).unwrap(), [0.9, 7.0]);
    }
}
