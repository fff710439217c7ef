//! The Switch: model averaging that follows whichever model is best at present (van Erven, Grünwald, de Rooij,
//! "Catching up faster by switching sooner", 2012; the paper's reference \[43\]).
//!
//! It is the Bayesian posterior over *sequences* of models: a sequence starts with one of the K models, uniformly,
//! and changes to another, uniformly again, at random times.
//!
//! | symbol | here | meaning |
//! |---|---|---|
//! | `a_j` | [`Switch::weights`] | posterior that model j is the present one |
//! | `theta` | [`THETA`] | probability that a sequence goes on to change after each of its changes |
//! | `pi_T(n) = 1/(n(n+1))` | `hazard` | prior of the time of a change; given none before t, it is `1/(t+1)` |
//!
//! Everything is held as logarithms in f64. The evidence of a step is the mean log-likelihood of the mini-batch, as
//! in the authors' code; its sum would be sharper by the batch size.

/// Probability that a sequence of models that has just changed will change again.
pub const THETA: f64 = 0.9999;

/// Posterior over which of K models predicts best now.
#[derive(Clone, Debug, PartialEq)]
pub struct Switch {
    /// log-weight of the sequences that are at model j and may still change, `[K]`
    log_unstable: Vec<f64>,
    /// log-weight of the sequences that are at model j for good, `[K]`
    log_stable: Vec<f64>,
    /// observations so far
    t: u64,
}

impl Switch {
    /// The prior over `k` models, uniform.
    pub fn new(k: usize) -> Self {
        let log_uniform = -(k as f64).ln();
        Switch {
            log_unstable: vec![THETA.ln() + log_uniform; k],
            log_stable: vec![(-THETA).ln_1p() + log_uniform; k],
            t: 0,
        }
    }

    /// The averaging weights `a_j`, `[K]`, in [0, 1] with sum 1.
    pub fn weights(&self) -> Vec<f64> {
        let log_a: Vec<f64> =
            self.log_unstable.iter().zip(&self.log_stable).map(|(&u, &s)| log_add_exp(u, s)).collect();
        let total = log_sum_exp(&log_a);
        log_a.iter().map(|log_a_j| (log_a_j - total).exp()).collect()
    }

    /// Takes in one observation: `log_evidence[j]` is the log-likelihood that model j gave it, `[K]`.
    ///
    /// A model whose log-likelihood is not finite is taken to have excluded what happened. Returns false, with the
    /// weights as they were, if that holds for all.
    pub fn update(&mut self, log_evidence: &[f64]) -> bool {
        assert_eq!(log_evidence.len(), self.log_unstable.len(), "one log-likelihood for each model");
        if !log_evidence.iter().any(|l| l.is_finite()) {
            return false;
        }
        self.t += 1;
        for (j, &l) in log_evidence.iter().enumerate() {
            let l = if l.is_finite() { l } else { f64::NEG_INFINITY };
            self.log_unstable[j] += l;
            self.log_stable[j] += l;
        }
        let hazard = 1.0 / (self.t + 1) as f64;
        let log_uniform = -(log_evidence.len() as f64).ln();
        let log_changed = hazard.ln() + log_sum_exp(&self.log_unstable) + log_uniform;
        for (unstable, stable) in self.log_unstable.iter_mut().zip(&mut self.log_stable) {
            *unstable = log_add_exp(*unstable + (-hazard).ln_1p(), THETA.ln() + log_changed);
            *stable = log_add_exp(*stable, (-THETA).ln_1p() + log_changed);
        }
        self.normalize();
        true
    }

    /// The whole state, `[2K + 1]`: unstable, stable, t.
    pub fn state(&self) -> Vec<f64> {
        [&self.log_unstable[..], &self.log_stable, &[self.t as f64]].concat()
    }

    /// The Switch over `k` models with a saved [`state`](Self::state); `None` if its length does not fit.
    pub fn from_state(k: usize, state: &[f64]) -> Option<Self> {
        (state.len() == 2 * k + 1).then(|| Switch {
            log_unstable: state[..k].to_vec(),
            log_stable: state[k..2 * k].to_vec(),
            t: state[2 * k] as u64,
        })
    }

    fn normalize(&mut self) {
        let total = log_add_exp(log_sum_exp(&self.log_unstable), log_sum_exp(&self.log_stable));
        self.log_unstable.iter_mut().chain(&mut self.log_stable).for_each(|w| *w -= total);
    }
}

fn log_add_exp(x: f64, y: f64) -> f64 {
    log_sum_exp(&[x, y])
}

fn log_sum_exp(xs: &[f64]) -> f64 {
    let max = xs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if max == f64::NEG_INFINITY { max } else { max + xs.iter().map(|x| (x - max).exp()).sum::<f64>().ln() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, enumerated: every sequence of models over the observations, each weighted by its prior and
    /// likelihood; a change after observation t happens with the hazard 1/(t+1) as long as the sequence is unstable.
    fn posterior_by_enumeration(log_evidence: &[Vec<f64>]) -> Vec<f64> {
        let k = log_evidence[0].len();
        let mut a = vec![0.0; k];
        // model at present, may it change, weight, observations seen
        let mut open: Vec<(usize, bool, f64, usize)> =
            (0..k).flat_map(|j| [(j, true, THETA / k as f64, 0), (j, false, (1.0 - THETA) / k as f64, 0)]).collect();
        while let Some((j, unstable, weight, seen)) = open.pop() {
            if seen == log_evidence.len() {
                a[j] += weight;
                continue;
            }
            let weight = weight * log_evidence[seen][j].exp();
            let t = seen + 1;
            if !unstable {
                open.push((j, false, weight, t));
                continue;
            }
            let hazard = 1.0 / (t + 1) as f64;
            open.push((j, true, weight * (1.0 - hazard), t));
            for next in 0..k {
                open.push((next, true, weight * hazard * THETA / k as f64, t));
                open.push((next, false, weight * hazard * (1.0 - THETA) / k as f64, t));
            }
        }
        let total: f64 = a.iter().sum();
        a.iter().map(|w| w / total).collect()
    }

    #[test]
    fn equals_the_posterior_over_all_switching_sequences() {
        let evidence: Vec<Vec<f64>> =
            (0..6).map(|t| (0..3).map(|j| -((t * 7 + j * 5) % 11) as f64 / 3.0).collect()).collect();
        let mut switch = Switch::new(3);
        for seen in 1..=evidence.len() {
            assert!(switch.update(&evidence[seen - 1]));
            for (fast, slow) in switch.weights().iter().zip(posterior_by_enumeration(&evidence[..seen])) {
                assert!((fast - slow).abs() < 1e-12, "after {seen}: {fast} {slow}");
            }
        }
    }

    /// After one observation with likelihoods 1 and 1/2 the first model has 2/3 of the weight; the share update moves
    /// half (the hazard 1/2) of the unstable weight (theta of it) to the uniform distribution.
    #[test]
    fn one_step_by_hand() {
        let mut switch = Switch::new(2);
        switch.update(&[0.0, 0.5_f64.ln()]);
        let changed = THETA * 0.5;
        let expected = (1.0 - changed) * 2.0 / 3.0 + changed * 0.5;
        assert!((switch.weights()[0] - expected).abs() < 1e-15);
    }

    #[test]
    fn the_mode_follows_a_change_of_the_best_model() {
        let mut switch = Switch::new(10);
        let mode = |s: &Switch| (0..10).max_by(|&i, &j| s.weights()[i].total_cmp(&s.weights()[j])).unwrap();
        let favour = |best: usize| (0..10).map(|j| if j == best { 0.0 } else { -1.0 }).collect::<Vec<_>>();
        (0..1000).for_each(|_| assert!(switch.update(&favour(2))));
        assert_eq!(mode(&switch), 2);
        assert!(switch.weights()[2] > 0.99);
        let steps = (1..).find(|_| switch.update(&favour(7)) && mode(&switch) == 7).unwrap();
        assert!(steps <= 15, "{steps}");
    }

    #[test]
    fn a_model_with_no_finite_likelihood_loses_its_weight() {
        let mut switch = Switch::new(3);
        assert!(switch.update(&[0.0, f64::NAN, f64::NEG_INFINITY]));
        let a = switch.weights();
        assert!(a.iter().sum::<f64>() > 1.0 - 1e-12);
        assert!(a[1] == a[2] && a[1] < a[0]);
        let before = switch.clone();
        assert!(!switch.update(&[f64::NAN; 3]));
        assert_eq!(switch, before);
    }

    #[test]
    fn a_saved_state_goes_on_to_the_same_bits() {
        let mut switch = Switch::new(4);
        switch.update(&[-0.1, -2.0, -0.3, -4.0]);
        let mut again = Switch::from_state(4, &switch.state()).unwrap();
        switch.update(&[-1.0, -0.2, -0.3, -0.4]);
        again.update(&[-1.0, -0.2, -0.3, -0.4]);
        assert_eq!(switch, again);
        assert_eq!(Switch::from_state(3, &switch.state()), None);
    }
}
