//! Adam (Kingma and Ba, 2015):
//!
//! `m <- beta1 m + (1 - beta1) g`, `v <- beta2 v + (1 - beta2) g^2`,
//! `theta <- theta - eta m' / (sqrt(v') + epsilon)` with `m' = m / (1 - beta1^t)`, `v' = v / (1 - beta2^t)`.

use tch::Tensor;

use super::Optimizer;
use crate::slices::{Scalar, simd_dispatch, with_slices};

/// Settings of Adam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamSettings {
    /// Decay of the mean gradient, in [0, 1).
    pub beta1: f64,
    /// Decay of the mean squared gradient, in [0, 1).
    pub beta2: f64,
    /// Term added to the root of the mean squared gradient.
    pub epsilon: f64,
}

impl Default for AdamSettings {
    /// Returns the authors' settings: 0.9, 0.999, 1e-8.
    fn default() -> Self {
        AdamSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// Adam with one learning rate per element.
#[derive(Debug)]
pub struct Adam {
    rule: AdamSettings,
    minus_eta: Tensor,
    m: Tensor,
    v: Tensor,
    /// buffer for intermediate results, `[P]`
    work: Tensor,
    t: i64,
}

impl Adam {
    /// Creates Adam with the learning rates `eta`, `[P]`.
    pub fn new(rule: AdamSettings, eta: &Tensor) -> Self {
        Adam { rule, minus_eta: -eta, m: eta.zeros_like(), v: eta.zeros_like(), work: eta.zeros_like(), t: 0 }
    }
}

impl Optimizer for Adam {
    fn step(&mut self, theta: &mut Tensor, gradient: &Tensor, factor: f64) {
        let AdamSettings { beta1, beta2, epsilon } = self.rule;
        self.t += 1;
        let correction = |beta: f64| 1.0 - beta.powi(self.t as i32);
        let (first, second) = (correction(beta1), correction(beta2).sqrt());
        if simd_dispatch!(step(self, theta, gradient, epsilon * second, factor * second / first)).is_some() {
            return;
        }
        // with numerator and denominator multiplied by sqrt(1 - beta2^t), and in place, to save passes over memory
        let work = &mut self.work;
        let _ = self.m.lerp_(gradient, 1.0 - beta1);
        let _ = self.v.lerp_(&gradient.square_out(work), 1.0 - beta2);
        // rsqrt and reciprocal, because MKL's sqrt takes nine times as long for zeros, which dead units have
        let _ = self.v.rsqrt_out(work).reciprocal_().g_add_scalar_(epsilon * second);
        let _ = self.m.div_out(work, work).g_mul_scalar_(factor * second / first);
        let _ = theta.addcmul_(&self.minus_eta, work);
    }

    fn set_lrs(&mut self, eta: &Tensor) {
        self.minus_eta = -eta;
    }

    fn select(&mut self, indices: &Tensor) {
        for tensor in [&mut self.minus_eta, &mut self.m, &mut self.v, &mut self.work] {
            *tensor = tensor.index_select(0, indices);
        }
    }

    fn state(&self) -> Vec<(&'static str, Tensor)> {
        let named = [("minus_eta", &self.minus_eta), ("m", &self.m), ("v", &self.v)];
        named.map(|(name, tensor)| (name, tensor.shallow_clone())).into()
    }

    fn steps(&self) -> i64 {
        self.t
    }

    fn set_steps(&mut self, steps: i64) {
        self.t = steps;
    }
}

/// Makes a step on the CPU: `theta <- theta - factor * eta * m / (sqrt(v) + epsilon)`.
#[inline(always)]
fn step<T: Scalar>(adam: &mut Adam, theta: &mut Tensor, g: &Tensor, epsilon: f64, factor: f64) -> Option<()> {
    let AdamSettings { beta1, beta2, .. } = adam.rule;
    let [keep1, keep2, add1, add2] = [beta1, beta2, 1.0 - beta1, 1.0 - beta2].map(T::from_f64);
    let (epsilon, factor) = (T::from_f64(epsilon), T::from_f64(factor));
    with_slices::<T, _, _, _>(
        [theta, &mut adam.m, &mut adam.v],
        [g, &adam.minus_eta],
        #[inline(always)]
        |[theta, m, v], [g, minus_eta]| {
            let steps = m.iter_mut().zip(v).zip(g).zip(minus_eta);
            for (theta, (((m, v), &g), &minus_eta)) in theta.iter_mut().zip(steps) {
                *m = keep1 * *m + add1 * g;
                *v = keep2 * *v + add2 * g * g;
                *theta = *theta + minus_eta * (factor * *m / (v.sqrt() + epsilon));
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::via_libtorch;

    /// Compared with the paper's equations, one number at a time, in f64.
    #[test]
    fn steps_match_the_equations() {
        let (mut theta, mut m, mut v) = ([1.0f64, -2.0], [0.0; 2], [0.0; 2]);
        let eta = [1e-3, 0.1];
        let mut fast = Tensor::from_slice(&theta);
        let mut adam = Adam::new(AdamSettings::default(), &Tensor::from_slice(&eta));
        for t in 1..=20 {
            let g = [(t as f64).sin(), 100.0 * (t as f64).cos()];
            let step = |adam: &mut Adam, fast: &mut Tensor| adam.step(fast, &Tensor::from_slice(&g), 0.5);
            if t % 2 == 0 {
                step(&mut adam, &mut fast)
            } else {
                via_libtorch(|| step(&mut adam, &mut fast))
            }
            for i in 0..2 {
                m[i] = 0.9 * m[i] + 0.1 * g[i];
                v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
                let (m_hat, v_hat) = (m[i] / (1.0 - 0.9f64.powi(t)), v[i] / (1.0 - 0.999f64.powi(t)));
                theta[i] -= 0.5 * eta[i] * m_hat / (v_hat.sqrt() + 1e-8);
            }
            for (i, expected) in theta.iter().enumerate() {
                assert!((fast.double_value(&[i as i64]) - expected).abs() < 1e-12, "step {t}");
            }
        }
    }
}
