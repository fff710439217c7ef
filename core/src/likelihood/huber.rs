//! Huber's density, Gaussian near the prediction and Laplace further away.
//!
//! `p(y) = exp(-h((y - out) / sigma)) / (Z sigma)` with Huber's `h(u) = u^2/2` for `|u| <= 1`, else `|u| - 1/2`. Its
//! gradient is the clipped error of Mnih et al. (2015), at most `1/sigma`, so a single outlier has bounded influence on
//! any unit.

use tch::{Kind, Tensor};

use super::Likelihood;
use crate::Error;

/// Regression with Huber's density.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Huber {
    /// Scale of the density, in units of the target: larger errors have bounded influence.
    pub sigma: f64,
}

/// `log Z`, where `Z = sqrt(2 pi) erf(1/sqrt(2)) + 2 exp(-1/2)` is the integral of `exp(-h)`.
const LOG_Z: f64 = 1.073_058_590_713_391_8;

impl Huber {
    /// Computes `log p(y)` element by element.
    pub fn log_density(&self, out: &Tensor, y: &Tensor) -> Tensor {
        let mut h = out.huber_loss(y, tch::Reduction::None, self.sigma); // sigma^2 h
        h.g_mul_scalar_(-self.sigma.powi(-2)).g_sub_scalar_(LOG_Z + self.sigma.ln())
    }

    /// Computes `log p(y)` and the derivative of `-log p(y)` with respect to the output, for one output.
    pub fn log_density_and_score(&self, out: f32, y: f32) -> (f32, f32) {
        let sigma = self.sigma as f32;
        let u = (out - y) / sigma;
        let h = if u.abs() <= 1.0 { 0.5 * u * u } else { u.abs() - 0.5 };
        (-h - (LOG_Z + self.sigma.ln()) as f32, u.clamp(-1.0, 1.0) / sigma)
    }

    /// Computes the derivative of `-log p(y)` with respect to the output, element by element.
    pub fn score(&self, out: &Tensor, y: &Tensor) -> Tensor {
        let mut error = out - y;
        error.g_mul_scalar_(self.sigma.powi(-2)).clamp_(-1.0 / self.sigma, 1.0 / self.sigma)
    }
}

/// Targets are A independent numbers, `[B, A]`.
impl Likelihood for Huber {
    type Target = Tensor;

    fn check(&self, out: &Tensor, y: &Tensor) -> Result<(), Error> {
        Error::check_shape("targets", &out.size()[1..], y)
    }

    fn log_prob(&self, out: &Tensor, y: &Tensor) -> Tensor {
        self.log_density(out, &y.expand_as(out)).sum_dim_intlist([-1].as_slice(), false, None::<Kind>)
    }

    fn gradient(&self, out: &Tensor, y: &Tensor) -> Tensor {
        self.score(out, &y.expand_as(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::likelihood::tests::ByAutograd;

    #[test]
    fn the_density_integrates_to_one() {
        for sigma in [0.1, 1.0, 3.0] {
            let (half_width, n) = (40.0 * sigma, 400_000);
            let y = Tensor::linspace(-half_width, half_width, n, (Kind::Double, tch::Device::Cpu));
            let density = Huber { sigma }.log_density(&Tensor::zeros_like(&y), &y).exp();
            let integral = density.sum(Kind::Double).double_value(&[]) * 2.0 * half_width / (n - 1) as f64;
            assert!((integral - 1.0).abs() < 1e-8, "{sigma}: {integral}");
        }
    }

    #[test]
    fn the_score_matches_autograd_and_is_bounded() {
        let out = Tensor::from_slice(&[-9.0f32, -0.3, 0.0, 0.04, 0.5, 700.0]).view([3, 1, 2]);
        let y = Tensor::from_slice(&[0.1f32, 0.2]).view([1, 2]);
        for sigma in [0.5, 1.0, 2.0] {
            let (huber, found) = (Huber { sigma }, Huber { sigma }.gradient(&out, &y));
            let difference = (&found - ByAutograd(huber).gradient(&out, &y)).abs().max().double_value(&[]);
            assert!(difference < 1e-6, "{sigma}: {difference}");
            assert_eq!(found.abs().max().double_value(&[]), 1.0 / sigma);
        }
    }
}
