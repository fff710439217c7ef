//! The Switch: model averaging that follows whichever model is best at present (van Erven, Grünwald, de Rooij,
//! "Catching up faster by switching sooner", 2012; the paper's reference \[43\]).
//!
//! It is the Bayesian posterior over *sequences* of models: a sequence starts with one of the K models, uniformly,
//! and changes to another, uniformly again, at random times.
//!
//! | symbol | here | meaning |
//! |---|---|---|
//! | `a_j` | [`weights`](Switch::weights) | posterior that model j is the present one |
//! | `theta` | [`THETA`] | probability that a sequence goes on to change after each of its changes |
//! | `pi_T(n) = 1/(n(n+1))` | `hazard` | prior of the time of a change; given none before t, it is `1/(t+1)` |
//!
//! Likelihoods are taken as logarithms, the posterior is held as it is: at each step every model receives its share of
//! the changes, so no weight gets so small that it would be lost. The evidence of a step is the mean log-likelihood of
//! the mini-batch, as in the authors' code; its sum would be sharper by the batch size.

use tch::{Device, Kind, Tensor};

use super::ModelAveraging;
use crate::Error;
use crate::filled::filled_from;
use crate::slices::with_slices;
use crate::state_dict::StateDict;

/// Probability that a sequence of models that has just changed will change again.
pub const THETA: f64 = 0.9999;

/// Posterior over which of K models predicts best now.
#[derive(Debug)]
pub struct Switch {
    /// weights, `[2, K]`: of the sequences that are at model j and may still change, and of those that are there for
    /// good
    w: Tensor,
    /// probability that a sequence that has just changed may change again, and that it may not, `[2, 1]`
    theta: Tensor,
    /// observations so far
    t: i64,
}

impl Switch {
    /// The prior over `k` models, uniform.
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
        if with_slices([&mut self.w], [log_evidence], |[w], [log_evidence]| take_in(log_evidence, hazard, w)).is_some()
        {
            return;
        }
        let k = log_evidence.size()[0];
        let mut w = self.w.log().g_add_(log_evidence).view([-1]).softmax(0, None).view([2, k]);
        let mut may_change = w.get(0);
        let changed = may_change.sum(None::<Kind>) * (hazard / k as f64); // to each model
        let _ = may_change.g_mul_scalar_(1.0 - hazard);
        self.w = w.addcmul_(&self.theta, &changed);
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

/// The averaging weights that weights `w`, `[2, K]`, in main memory come to.
fn posterior(w: &[f64]) -> Tensor {
    let (may_change, stay) = w.split_at(w.len() / 2);
    let a = may_change.iter().zip(stay).map(|(may_change, stay)| may_change + stay);
    let total: f64 = a.clone().sum();
    filled_from(stay.len(), a.map(|a_j| a_j / total))
}

/// The same update of weights `w`, `[2, K]`, in main memory.
fn take_in(log_evidence: &[f64], hazard: f64, w: &mut [f64]) {
    let k = log_evidence.len();
    w.iter_mut().zip(log_evidence.iter().cycle()).for_each(|(w, log_evidence)| *w = w.ln() + log_evidence);
    let largest = w.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    w.iter_mut().for_each(|w| *w = (*w - largest).exp());
    let total: f64 = w.iter().sum();
    w.iter_mut().for_each(|w| *w /= total);
    let (may_change, stay) = w.split_at_mut(k);
    let changed = may_change.iter().sum::<f64>() * hazard / k as f64; // to each model
    may_change.iter_mut().for_each(|w| *w = *w * (1.0 - hazard) + THETA * changed);
    stay.iter_mut().for_each(|w| *w += (1.0 - THETA) * changed);
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

    /// After one observation with likelihoods 1 and 1/2 the first model has 2/3 of the weight; then half (the hazard
    /// 1/2) of the weight that may still move (theta of it) is shared out evenly.
    #[test]
    fn one_step_by_hand() {
        let mut switch = Switch::new(2, Device::Cpu);
        update(&mut switch, &[0.0, 0.5_f64.ln()]);
        let changed = THETA * 0.5;
        let expected = (1.0 - changed) * 2.0 / 3.0 + changed * 0.5;
        assert!((weights(&switch)[0] - expected).abs() < 1e-15);
    }

    #[test]
    fn the_loop_and_libtorchs_calls_give_the_same() {
        let (mut looped, mut called) = (Switch::new(3, Device::Cpu), Switch::new(3, Device::Cpu));
        for i in 0..50 {
            let evidence: Vec<f64> = (0..3).map(|j| 10.0 * f64::from(3 * i + j).sin()).collect();
            update(&mut looped, &evidence);
            via_libtorch(|| update(&mut called, &evidence));
            let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-14;
            assert!(weights(&looped).iter().zip(&via_libtorch(|| weights(&called))).all(close));
        }
    }

    #[test]
    fn the_mode_follows_a_change_of_the_best_model() {
        let mut switch = Switch::new(10, Device::Cpu);
        let mode = |s: &Switch| s.weights().argmax(0, false).int64_value(&[]);
        let favour = |best: usize| (0..10).map(|j| if j == best { 0.0 } else { -1.0 }).collect::<Vec<_>>();
        (0..1000).for_each(|_| update(&mut switch, &favour(2)));
        assert_eq!(mode(&switch), 2);
        assert!(weights(&switch)[2] > 0.99);
        let followed = |_: &usize| {
            update(&mut switch, &favour(7));
            mode(&switch) == 7
        };
        let steps = (1..100).find(followed).expect("it follows");
        assert!(steps <= 15, "{steps}");
    }

    #[test]
    fn a_model_that_had_excluded_what_happened_loses_its_weight() {
        let mut switch = Switch::new(3, Device::Cpu);
        update(&mut switch, &[0.0, f64::NEG_INFINITY, f64::NEG_INFINITY]);
        let a = weights(&switch);
        assert!((a.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(a[1] == a[2] && a[1] < 0.2, "{a:?}");
    }

    #[test]
    fn a_saved_state_goes_on_to_the_same_bits() {
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
