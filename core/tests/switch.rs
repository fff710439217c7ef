//! The Switch compared with its definition (van Erven, Grünwald, de Rooij, 2012, section 3.1): a Bayesian mixture over
//! sequences of models.
//!
//! A sequence has m segments with starts `0 = t_1 < t_2 < .. < t_m` and models `k_i`: model `k_i` predicts the
//! observations after `t_i` up to `t_{i+1}`. The prior of a sequence is
//!
//! `pi(m) * 1/K * prod_{i=2..m} pi_T(t_i | t_i > t_{i-1}) * 1/K`, with `pi(m) = theta^(m-1) (1-theta)`.
//!
//! The prior of times is `pi_T(n) = 1/(n(n+1))` for n = 1, 2, .., so `P(t > n) = 1/(n+1)`, and the switch after one at
//! s is at n with probability `pi_T(n | n > s) = (s+1)/(n(n+1))`. Given that there was no switch before n, it is at n
//! with probability `pi_T(n)/P(t >= n) = 1/(n+1)`, for any s. This is the hazard in the recursion, whose state is thus
//! only whether a sequence will switch again.
//!
//! The posterior after T observations is over the model that predicts the next observation. Only starts up to T matter:
//! if t_n is the last of them, the model is `k_n`, and the next start is later than T with probability `(t_n + 1)/(T +
//! 1)`.

use alrao_core::averaging::{ModelAveraging, Switch};
use tch::{Device, Tensor};

const THETA: f64 = 0.9999;

/// Computes the joint probability of all observations and each current model, by enumerating all sequences.
fn by_definition(log_p: &[Vec<f64>]) -> Vec<f64> {
    let (k, last) = (log_p[0].len(), log_p.len());
    let pi_t = |n: usize, after: usize| (after + 1) as f64 / (n * (n + 1)) as f64;
    let mut a = vec![0.0; k];
    // every set of switches among 1..=T, as bits
    for switches in 0..1u32 << last {
        let starts: Vec<usize> =
            std::iter::once(0).chain((1..=last).filter(|n| switches >> (n - 1) & 1 == 1)).collect();
        let n = starts.len();
        let times: f64 = starts.windows(2).map(|pair| pi_t(pair[1], pair[0])).product();
        // m = n: no further segment; m > n: the next start is later than T
        let ends = THETA.powi(n as i32 - 1) * (1.0 - THETA);
        let continues = THETA.powi(n as i32) * (starts[n - 1] + 1) as f64 / (last + 1) as f64;
        // every assignment of models, as digits in base K
        for choice in 0..k.pow(n as u32) {
            let model = |segment: usize| choice / k.pow(segment as u32) % k;
            let segment_of = |t: usize| starts.iter().rposition(|&start| start <= t).unwrap();
            let likelihood: f64 = (0..last).map(|t| log_p[t][model(segment_of(t))].exp()).product();
            let models = (k as f64).powi(-(n as i32));
            a[model(n - 1)] += (ends + continues) * times * models * likelihood;
        }
    }
    a
}

#[test]
fn the_posterior_matches_the_enumeration_of_all_sequences() {
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

/// If all likelihoods are 1, the posterior is the prior of the current model: uniform, with sum 1, so the enumeration
/// misses no sequence.
#[test]
fn without_evidence_the_posterior_is_the_prior() {
    let mut switch = Switch::new(3, Device::Cpu);
    for seen in 1..=6 {
        let indifferent = vec![0.0; 3];
        switch.update(&Tensor::from_slice(&indifferent));
        let found = Vec::<f64>::try_from(switch.weights()).unwrap();
        let prior = by_definition(&vec![indifferent; seen]);
        assert!(found.iter().chain(&prior).all(|a| (a - 1.0 / 3.0).abs() < 1e-12), "{found:?} {prior:?}");
    }
}
