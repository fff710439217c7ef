//! The normal density, `p(y) = exp(-((y - out) / sigma)^2 / 2) / (sqrt(2 pi) sigma)`: least squares with scale sigma.

use std::f64::consts::PI;

use tch::{Kind, Tensor};

use super::Likelihood;
use crate::Error;

/// Regression with normally distributed errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    /// Standard deviation, in units of the target.
    pub sigma: f64,
}

/// Targets are A independent numbers, `[B, A]`.
impl Likelihood for Gaussian {
    type Target = Tensor;

    fn check(&self, out: &Tensor, y: &Tensor) -> Result<(), Error> {
        Error::check_shape("targets", &out.size()[1..], y)
    }

    fn log_prob(&self, out: &Tensor, y: &Tensor) -> Tensor {
        let squares = ((out - y) / self.sigma).square().sum_dim_intlist([-1].as_slice(), false, None::<Kind>); // [K, B]
        let outputs = out.size()[2] as f64;
        squares * -0.5 - outputs * (self.sigma.ln() + 0.5 * (2.0 * PI).ln())
    }

    fn gradient(&self, out: &Tensor, y: &Tensor) -> Tensor {
        (out - y) / self.sigma.powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::likelihood::tests::ByAutograd;

    #[test]
    fn the_density_integrates_to_one() {
        for sigma in [0.1, 3.0] {
            let (half_width, n) = (12.0 * sigma, 100_000);
            let y = Tensor::linspace(-half_width, half_width, n, (Kind::Double, tch::Device::Cpu)).unsqueeze(1);
            let density = Gaussian { sigma }.log_prob(&y.zeros_like().unsqueeze(0), &y).exp();
            let integral = density.sum(Kind::Double).double_value(&[]) * 2.0 * half_width / (n - 1) as f64;
            assert!((integral - 1.0).abs() < 1e-8, "{sigma}: {integral}");
        }
    }

    #[test]
    fn independent_targets_factorize_and_the_gradient_matches_autograd() {
        let out = Tensor::from_slice(&[-9.0f32, -0.3, 0.0, 0.04, 0.5, 7.0]).view([3, 1, 2]);
        let y = Tensor::from_slice(&[0.1f32, 0.2]).view([1, 2]);
        let gaussian = Gaussian { sigma: 0.5 };
        let of_target = |i| gaussian.log_prob(&out.narrow(2, i, 1), &y.narrow(1, i, 1));
        let both = of_target(0) + of_target(1);
        assert!((gaussian.log_prob(&out, &y) - both).abs().max().double_value(&[]) < 1e-4);
        let difference = gaussian.gradient(&out, &y) - ByAutograd(gaussian).gradient(&out, &y);
        assert!(difference.abs().max().double_value(&[]) < 1e-5);
    }
}
