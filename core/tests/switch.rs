//! The Switch against its definition (van Erven, Grünwald, de Rooij, 2012, section 3.1): a Bayesian mixture over
//! sequences of models.
//!
//! A sequence is a number of segments m, their beginnings `0 = t_1 < t_2 < .. < t_m`, and the model `k_i` of each: model
//! `k_i` predicts the observations after `t_i` up to `t_{i+1}`. Its prior is
//!
//! `pi(m) * 1/K * prod_{i=2..m} pi_T(t_i | t_i > t_{i-1}) * 1/K`, with `pi(m) = theta^(m-1) (1-theta)`.
//!
//! How the prior on times enters: `pi_T(n) = 1/(n(n+1))` for n = 1, 2, .., so `P(t > n) = 1/(n+1)`, and a change after
//! one at s comes at n with `pi_T(n | n > s) = (s+1)/(n(n+1))`. Given that it didn't come before n, it comes at n with
//! `pi_T(n)/P(t >= n) = 1/(n+1)`, whatever s: that is the hazard of the recursion, which thus needs to remember nothing
//! but whether a sequence has a change to come.
//!
//! The posterior after T observations is about the model that predicts the next one. Of the beginnings only those up to
//! T matter; a sequence whose next is later has the model of its last, and that next is later than T has probability
//! `(t_n + 1)/(T + 1)`, t_n being the last up to T.

use alrao_core::averaging::{ModelAveraging, Switch};
use tch::{Device, Tensor};

const THETA: f64 = 0.9999;

/// The probability of all observations together with each of the models being the present one, by explicit enumeration
/// of all sequences.
fn by_definition(log_p: &[Vec<f64>]) -> Vec<f64> {
    let (k, last) = (log_p[0].len(), log_p.len());
    let pi_t = |n: usize, after: usize| (after + 1) as f64 / (n * (n + 1)) as f64;
    let mut a = vec![0.0; k];
    // every set of changes among 1..=T, as bits
    for changes in 0..1u32 << last {
        let beginnings: Vec<usize> =
            std::iter::once(0).chain((1..=last).filter(|n| changes >> (n - 1) & 1 == 1)).collect();
        let n = beginnings.len();
        let times: f64 = beginnings.windows(2).map(|pair| pi_t(pair[1], pair[0])).product();
        // m = n: the last of all; m > n: the next is later than T
        let ends = THETA.powi(n as i32 - 1) * (1.0 - THETA);
        let goes_on = THETA.powi(n as i32) * (beginnings[n - 1] + 1) as f64 / (last + 1) as f64;
        // every choice of models, as digits in base K
        for choice in 0..k.pow(n as u32) {
            let model = |segment: usize| choice / k.pow(segment as u32) % k;
            let segment_of = |t: usize| beginnings.iter().rposition(|&beginning| beginning <= t).unwrap();
            let likelihood: f64 = (0..last).map(|t| log_p[t][model(segment_of(t))].exp()).product();
            let models = (k as f64).powi(-(n as i32));
            a[model(n - 1)] += (ends + goes_on) * times * models * likelihood;
        }
    }
    a
}

#[test]
fn the_posterior_is_that_over_all_sequences() {
    let log_p: Vec<Vec<f64>> =
        (0..6).map(|t| (0..3).map(|j| -f64::from((t * 7 + j * 5) % 11) / 3.0).collect()).collect();
    let mut switch = Switch::new(3, Device::Cpu);
    for seen in 1..=6 {
        switch.update(&Tensor::from_slice(&log_p[seen - 1]));
        let found = Vec::<f64>::try_from(switch.weights()).unwrap();
        let expected = by_definition(&log_p[..seen]);
        let total: f64 = expected.iter().sum();
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected / total).abs() < 1e-12, "after {seen}: {found} {expected}");
        }
    }
}

/// If every model gives every observation probability 1, what is left is the prior of the present model: uniform, and
/// with sum 1, so that no sequence has been forgotten.
#[test]
fn without_evidence_the_prior_is_left() {
    let mut switch = Switch::new(3, Device::Cpu);
    for seen in 1..=6 {
        let indifferent = vec![0.0; 3];
        switch.update(&Tensor::from_slice(&indifferent));
        let found = Vec::<f64>::try_from(switch.weights()).unwrap();
        let prior = by_definition(&vec![indifferent; seen]);
        assert!(found.iter().chain(&prior).all(|a| (a - 1.0 / 3.0).abs() < 1e-12), "{found:?} {prior:?}");
    }
}
