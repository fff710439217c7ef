//! Stochastic gradient descent: `theta <- theta - eta * g` (paper, Equations 2 and 3).
//!
//! As in PyTorch, weight decay adds `weight_decay * theta` to g; momentum replaces g by the velocity `v <- momentum * v
//! + g`, and Nesterov momentum by `g + momentum * v`.

use tch::Tensor;

use super::Optimizer;
use crate::slices::{Scalar, simd_dispatch, with_slices};

/// Settings of SGD; all off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SgdSettings {
    /// Momentum coefficient, in [0, 1).
    pub momentum: f64,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
    /// Weight decay coefficient.
    pub weight_decay: f64,
}

/// SGD with one learning rate per element.
#[derive(Debug)]
pub struct Sgd {
    rule: SgdSettings,
    minus_eta: Tensor,
    velocity: Option<Tensor>,
}

impl Sgd {
    /// Creates SGD with the learning rates `eta`, `[P]`.
    pub fn new(rule: SgdSettings, eta: &Tensor) -> Self {
        Sgd { rule, minus_eta: -eta, velocity: (rule.momentum != 0.0).then(|| eta.zeros_like()) }
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, theta: &mut Tensor, gradient: &Tensor, factor: f64) {
        let SgdSettings { momentum, nesterov, weight_decay } = self.rule;
        let shallow = gradient.shallow_clone();
        let decayed = if weight_decay == 0.0 { shallow } else { gradient + &*theta * weight_decay };
        let direction = match &mut self.velocity {
            None => decayed,
            Some(velocity) => {
                let _ = velocity.g_mul_scalar_(momentum).g_add_(&decayed);
                if nesterov { decayed + &*velocity * momentum } else { velocity.shallow_clone() }
            }
        };
        if simd_dispatch!(descend(theta, &self.minus_eta, &direction, factor)).is_none() {
            let direction = if factor == 1.0 { direction } else { &direction * factor };
            let _ = theta.addcmul_(&self.minus_eta, &direction);
        }
    }

    fn set_lrs(&mut self, eta: &Tensor) {
        self.minus_eta = -eta;
    }

    fn select(&mut self, indices: &Tensor) {
        self.minus_eta = self.minus_eta.index_select(0, indices);
        self.velocity = self.velocity.as_ref().map(|velocity| velocity.index_select(0, indices));
    }

    fn state(&self) -> Vec<(&'static str, Tensor)> {
        let velocity = self.velocity.iter().map(|velocity| ("velocity", velocity.shallow_clone()));
        [("minus_eta", self.minus_eta.shallow_clone())].into_iter().chain(velocity).collect()
    }
}

/// Adds `factor * minus_eta * direction` to `theta`, on the CPU.
#[inline(always)]
fn descend<T: Scalar>(theta: &mut Tensor, minus_eta: &Tensor, direction: &Tensor, factor: f64) -> Option<()> {
    let factor = T::from_f64(factor);
    with_slices::<T, _, _, _>(
        [theta],
        [minus_eta, direction],
        #[inline(always)]
        |[theta], [minus_eta, direction]| {
            let step = minus_eta.iter().zip(direction);
            theta.iter_mut().zip(step).for_each(|(theta, (&minus_eta, &g))| *theta = *theta + minus_eta * (g * factor));
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::via_libtorch;

    #[test]
    fn each_element_has_its_own_learning_rate() {
        let mut theta = Tensor::from_slice(&[1.0f32, 2.0]);
        let mut sgd = Sgd::new(SgdSettings::default(), &Tensor::from_slice(&[0.1f32, 10.0]));
        sgd.step(&mut theta, &Tensor::from_slice(&[1.0f32, -0.5]), 1.0);
        assert_eq!(Vec::<f32>::try_from(&theta).unwrap(), [0.9, 7.0]);
        sgd.step(&mut theta, &Tensor::from_slice(&[0.0f32, 0.5]), 0.2);
        assert_eq!(Vec::<f32>::try_from(&theta).unwrap(), [0.9, 6.0]);
    }

    /// Compared with the equations, one number at a time, in f64.
    #[test]
    fn steps_match_the_equations_with_momentum_and_decay() {
        for nesterov in [false, true] {
            let rule = SgdSettings { momentum: 0.9, nesterov, weight_decay: 0.1 };
            let eta = [0.01, 0.3];
            let (mut theta, mut v) = ([1.0f64, -2.0], [0.0; 2]);
            let mut fast = Tensor::from_slice(&theta);
            let mut sgd = Sgd::new(rule, &Tensor::from_slice(&eta));
            for t in 0..20 {
                let gradient = [(t as f64).sin(), (t as f64).cos()];
                let factor = 1.0 / (t + 1) as f64;
                let step = |sgd: &mut Sgd, fast: &mut Tensor| sgd.step(fast, &Tensor::from_slice(&gradient), factor);
                if t % 2 == 0 {
                    step(&mut sgd, &mut fast)
                } else {
                    via_libtorch(|| step(&mut sgd, &mut fast))
                }
                for i in 0..2 {
                    let g = gradient[i] + 0.1 * theta[i];
                    v[i] = 0.9 * v[i] + g;
                    theta[i] -= factor * eta[i] * if nesterov { g + 0.9 * v[i] } else { v[i] };
                    assert!((fast.double_value(&[i as i64]) - theta[i]).abs() < 1e-12, "step {t}");
                }
            }
        }
    }

    #[test]
    fn selected_and_loaded_states_continue_identically() {
        let rule = SgdSettings { momentum: 0.5, ..Default::default() };
        let eta = Tensor::from_slice(&[0.1f64, 1.0, 2.0]);
        let (mut theta, mut sgd) = (Tensor::zeros([3], tch::kind::DOUBLE_CPU), Sgd::new(rule, &eta));
        let g = Tensor::from_slice(&[1.0f64, 2.0, 3.0]);
        sgd.step(&mut theta, &g, 1.0);
        let (mut again, mut theta_again) = (Sgd::new(rule, &eta.zeros_like()), theta.copy());
        for ((name, mut to), (of, from)) in again.state().into_iter().zip(sgd.state()) {
            assert_eq!(name, of);
            to.copy_(&from);
        }
        let chosen = Tensor::from_slice(&[2i64, 0]);
        again.select(&chosen);
        let mut few = theta_again.index_select(0, &chosen);
        sgd.step(&mut theta, &g, 1.0);
        again.step(&mut few, &g.index_select(0, &chosen), 1.0);
        theta_again = theta.index_select(0, &chosen);
        assert_eq!(few, theta_again);
    }
}
