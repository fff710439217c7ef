//! What a few runs say: the interquartile mean and how sure of it one can be.
//!
//! Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (2021), recommend both.

use alrao_core::streams::stream;
use rand::RngExt;

/// Draws of the bootstrap.
const DRAWS: usize = 10_000;

/// The mean of the values without the lowest and the highest quarter of them; there must be at least one.
pub fn interquartile_mean(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 4;
    let middle = &values[cut..values.len() - cut];
    middle.iter().sum::<f64>() / middle.len() as f64
}

/// The 95 % percentile bootstrap interval of the interquartile mean of runs, drawn by the same stream each time; none
/// for a single one.
pub fn interval(values: &[f64]) -> Option<[f64; 2]> {
    if values.len() < 2 {
        return None;
    }
    let mut draws = stream(0, "bootstrap");
    let mut draw = || values[draws.random_range(0..values.len())];
    let mut means: Vec<f64> =
        (0..DRAWS).map(|_| interquartile_mean(&values.iter().map(|_| draw()).collect::<Vec<_>>())).collect();
    means.sort_by(f64::total_cmp);
    Some([percentile(&means, 0.025), percentile(&means, 0.975)])
}

/// Between the two nearest of sorted values, linearly.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From rliable 1.2.0: `get_interval_estimates` of `aggregate_iqm` with 50,000 repetitions. Its own intervals vary by
    /// 0.2 from seed to seed.
    #[test]
    fn agrees_with_rliable() {
        let returns = [-153.2, -146.9, -142.1, -371.4, -160.0, -149.5, -155.3, -201.7, -144.8, -150.6];
        for (n, mean, [low, high]) in
            [(10, -152.58333333, [-199.4, -147.41666667]), (5, -153.36666667, [-300.93333333, -143.7])]
        {
            let returns = &returns[..n];
            assert!((interquartile_mean(returns) - mean).abs() < 1e-8);
            let interval = interval(returns).unwrap();
            assert!((interval[0] - low).abs() < 2.0 && (interval[1] - high).abs() < 0.5, "{interval:?}");
        }
        assert_eq!(interval(&[1.0]), None);
    }
}
