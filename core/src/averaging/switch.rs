//! The Switch: model averaging that follows changes of the best model (van Erven, Grünwald, de Rooij,
//! "Catching up faster by switching sooner", 2012; the paper's reference \[43\]).
//!
//! It is the Bayesian posterior over *sequences* of models: a sequence starts with one of the K models, sampled
//! uniformly, and switches to a uniformly sampled model at random times.
//!
//! | symbol | here | meaning |
//! |---|---|---|
//! | `a_j` | [`weights`](Switch::weights) | posterior probability that model j is the current one |
//! | `theta` | [`THETA`] | probability that a sequence switches again after a switch |
//! | `pi_T(n) = 1/(n(n+1))` | `hazard` | prior of the time of a switch; given none before t, it is `1/(t+1)` |
//!
//! Likelihoods are logarithms, but the posterior is stored as probabilities: at each step, every model receives a part
//! of the switching weight, so no weight underflows. The evidence of a step is the mini-batch's mean log-likelihood, as
//! in the authors' code; the sum would be sharper by a factor of the batch size.

use tch::{Device, Kind, Tensor};

use super::ModelAveraging;
use crate::Error;
use crate::filled::filled_from;
use crate::slices::with_slices;
use crate::state_dict::StateDict;

/// Probability that a sequence of models switches again after a switch.
pub const THETA: f64 = 0.9999;

/// Posterior over the currently best of K models.
#[derive(Debug)]
pub struct Switch {
    /// posterior weights, `[2, K]`, of the sequences of models that are at model j now: those that will switch again, and
    /// those that keep it
    w: Tensor,
    /// `theta` and `1 - theta`, `[2, 1]`: the probabilities that a sequence of models switches again after a switch, and that
    /// it keeps its model for good
    theta: Tensor,
    /// number of observations
    t: i64,
}

impl Switch {
    /// Creates the uniform prior over `k` models.
    pub fn new(k: i64, device: Device) -> Self {
        let theta = Tensor::from_slice(&[THETA, 1.0 - THETA]).view([2, 1]).to_device(device);
        let w = (&theta / k as f64).repeat([1, k]);
        Switch { w, theta, t: 0 }
    }
}

impl ModelAveraging for Switch {
    fn weights(&self) -> Tensor {
        if let Some(a) = with_slices([], [&self.w], |[], [w]| posterior(w)) {
            return a;
        }
        let a = self.w.sum_dim_intlist([0].as_slice(), false, None::<Kind>); // [K]
        &a / a.sum(None::<Kind>)
    }

    fn update(&mut self, log_evidence: &Tensor) {
        self.t += 1;
        let hazard = 1.0 / (self.t + 1) as f64;
        if with_slices([&mut self.w], [log_evidence], |[w], [log_evidence]| update_weights(log_evidence, hazard, w))
            .is_some()
        {
            return;
        }
        let k = log_evidence.size()[0];
        let mut w = self.w.log().g_add_(log_evidence).view([-1]).softmax(0, None).view([2, k]);
        let mut switching = w.get(0);
        let switched = switching.sum(None::<Kind>) * (hazard / k as f64); // per model
        let _ = switching.g_mul_scalar_(1.0 - hazard);
        self.w = w.addcmul_(&self.theta, &switched);
    }

    fn save(&self, prefix: &str, tensors: &mut StateDict) {
        tensors.insert(format!("{prefix}.switch"), &self.w);
        tensors.insert_slice(format!("{prefix}.t"), &[self.t]);
    }

    fn load(&mut self, prefix: &str, tensors: &StateDict) -> Result<(), Error> {
        let w = tensors.get(&format!("{prefix}.switch"), &self.w.size())?;
        self.t = tensors.get_vec(&format!("{prefix}.t"), 1)?[0];
        self.w.copy_(w);
        Ok(())
    }
}

/// Computes the averaging weights, `[K]`, from posterior weights `w`, `[2, K]`, on the CPU.
fn posterior(w: &[f64]) -> Tensor {
    let (switching, stay) = w.split_at(w.len() / 2);
    let a = switching.iter().zip(stay).map(|(switching, stay)| switching + stay);
    let total: f64 = a.clone().sum();
    filled_from(stay.len(), a.map(|a_j| a_j / total))
}

/// Updates posterior weights `w`, `[2, K]`, on the CPU by an observation's log-likelihoods, `[K]`.
fn update_weights(log_evidence: &[f64], hazard: f64, w: &mut [f64]) {
    let k = log_evidence.len();
    w.iter_mut().zip(log_evidence.iter().cycle()).for_each(|(w, log_evidence)| *w = w.ln() + log_evidence);
    let largest = w.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    w.iter_mut().for_each(|w| *w = (*w - largest).exp());
    let total: f64 = w.iter().sum();
    w.iter_mut().for_each(|w| *w /= total);
    let (switching, stay) = w.split_at_mut(k);
    let switched = switching.iter().sum::<f64>() * hazard / k as f64; // per model
    switching.iter_mut().for_each(|w| *w = *w * (1.0 - hazard) + THETA * switched);
    stay.iter_mut().for_each(|w| *w += (1.0 - THETA) * switched);
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::device::via_libtorch;

    fn update(switch: &mut Switch, log_evidence: &[f64]) {
        switch.update(&Tensor::from_slice(log_evidence));
    }

    fn weights(switch: &Switch) -> Vec<f64> {
        Vec::<f64>::try_from(switch.weights()).unwrap()
    }

    /// After one observation with likelihoods 1 and 1/2, the first model has weight 2/3. Then the hazard is 1/2, so
    /// half of the switching weight (theta of it) is distributed evenly.
    #[test]
    fn one_step_matches_values_by_hand() {
        let mut switch = Switch::new(2, Device::Cpu);
        update(&mut switch, &[0.0, 0.5_f64.ln()]);
        let switched = THETA * 0.5;
        let expected = (1.0 - switched) * 2.0 / 3.0 + switched * 0.5;
        assert!((weights(&switch)[0] - expected).abs() < 1e-15);
    }

    #[test]
    fn the_loop_matches_libtorch() {
        let (mut by_loop, mut by_libtorch) = (Switch::new(3, Device::Cpu), Switch::new(3, Device::Cpu));
        for i in 0..50 {
            let evidence: Vec<f64> = (0..3).map(|j| 10.0 * f64::from(3 * i + j).sin()).collect();
            update(&mut by_loop, &evidence);
            via_libtorch(|| update(&mut by_libtorch, &evidence));
            let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-14;
            assert!(weights(&by_loop).iter().zip(&via_libtorch(|| weights(&by_libtorch))).all(close));
        }
    }

    #[test]
    fn the_mode_follows_a_switch_of_the_best_model() {
        let mut switch = Switch::new(10, Device::Cpu);
        let mode = |s: &Switch| s.weights().argmax(0, false).int64_value(&[]);
        let favor = |best: usize| (0..10).map(|j| if j == best { 0.0 } else { -1.0 }).collect::<Vec<_>>();
        (0..1000).for_each(|_| update(&mut switch, &favor(2)));
        assert_eq!(mode(&switch), 2);
        assert!(weights(&switch)[2] > 0.99);
        let followed = |_: &usize| {
            update(&mut switch, &favor(7));
            mode(&switch) == 7
        };
        let steps = (1..100).find(followed).expect("a switch");
        assert!(steps <= 15, "{steps}");
    }

    #[test]
    fn a_model_with_likelihood_0_loses_its_weight() {
        let mut switch = Switch::new(3, Device::Cpu);
        update(&mut switch, &[0.0, f64::NEG_INFINITY, f64::NEG_INFINITY]);
        let a = weights(&switch);
        assert!((a.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(a[1] == a[2] && a[1] < 0.2, "{a:?}");
    }

    #[test]
    fn a_loaded_state_continues_bit_identically() {
        let (mut switch, mut again) = (Switch::new(4, Device::Cpu), Switch::new(4, Device::Cpu));
        update(&mut switch, &[-0.1, -2.0, -0.3, -4.0]);
        let mut tensors = StateDict::default();
        switch.save("a", &mut tensors);
        again.load("a", &tensors).unwrap();
        for switch in [&mut switch, &mut again] {
            update(switch, &[-1.0, -0.2, -0.3, -0.4]);
        }
        assert_eq!(weights(&switch), weights(&again));
        assert!(Switch::new(3, Device::Cpu).load("a", &tensors).is_err());
    }
}
