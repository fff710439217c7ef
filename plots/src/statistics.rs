//! Statistics over few runs: the interquartile mean (IQM) and its bootstrap confidence interval, as recommended by
//! Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice" (2021).

use rand::RngExt;
use rand_pcg::Pcg64;
use rand_seeder::Seeder;

/// Number of bootstrap samples.
const DRAWS: usize = 10_000;

/// Mean, standard deviation (with n - 1; NaN for a single value), minimum and maximum of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub std: f64,
    /// The minimum.
    pub min: f64,
    /// The maximum.
    pub max: f64,
}

impl Spread {
    /// Computes the statistics of at least one value.
    pub fn of(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let std = (squares / (n - 1.0)).sqrt(); // 0 / 0 for a single value
        let min = values.iter().copied().fold(f64::INFINITY, f64::min);
        let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Spread { mean, std, min, max }
    }
}

/// Averages at least one value without the lowest and the highest quarter.
pub fn interquartile_mean(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 4;
    let middle = &values[cut..values.len() - cut];
    middle.iter().sum::<f64>() / middle.len() as f64
}

/// Computes the 95 % percentile bootstrap interval of the interquartile mean over runs of one or more tasks,
/// `[task][run]`, stratified by task and with a fixed seed. None if no task has more than one run.
pub fn bootstrap_ci(tasks: &[Vec<f64>]) -> Option<[f64; 2]> {
    if tasks.iter().all(|runs| runs.len() < 2) {
        return None;
    }
    let mut draws: Pcg64 = Seeder::from(("alrao", 0u64, "bootstrap")).into_rng();
    let mut draw = || -> Vec<f64> {
        tasks
            .iter()
            .flat_map(|runs| runs.iter().map(|_| runs[draws.random_range(0..runs.len())]).collect::<Vec<_>>())
            .collect()
    };
    let mut means: Vec<f64> = (0..DRAWS).map(|_| interquartile_mean(&draw())).collect();
    means.sort_by(f64::total_cmp);
    Some([percentile(&means, 0.025), percentile(&means, 0.975)])
}

/// Interpolates linearly between the two nearest sorted values.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// rliable's values, written by `tests/goldens/iqm.py`. Ends of intervals may differ by their standard error over seeds
    /// of the draws.
    #[derive(serde::Deserialize)]
    struct Golden {
        scores: Vec<Vec<f64>>, // [task][run]
        mean: f64,
        interval: [f64; 2],
        error: [f64; 2],
    }

    #[test]
    fn spreads_equal_hand_computed_values() {
        assert_eq!(Spread::of(&[1.0, 4.0, 7.0]), Spread { mean: 4.0, std: 3.0, min: 1.0, max: 7.0 });
        let one = Spread::of(&[2.0]);
        assert!(one.std.is_nan() && one.mean == 2.0, "one value has no spread");
    }

    #[test]
    fn agrees_with_rliable() {
        let goldens: Vec<Golden> = serde_json::from_str(include_str!("../../tests/goldens/iqm.json")).unwrap();
        assert_eq!(goldens.len(), 6);
        for Golden { scores, mean, interval: expected, error } in goldens {
            assert!((interquartile_mean(&scores.concat()) - mean).abs() < 1e-9, "{scores:?}");
            let found = bootstrap_ci(&scores).unwrap();
            let near = |end: usize| (found[end] - expected[end]).abs() <= 4.0 * error[end] + 1e-9;
            assert!(near(0) && near(1), "{scores:?}: {found:?}, not {expected:?} within {error:?}");
        }
        assert_eq!(bootstrap_ci(&[vec![1.0], vec![2.0]]), None);
    }
}
