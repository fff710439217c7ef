//! The figure of episode returns: everything about one run, or a comparison of several runs' validations.

use std::ops::RangeInclusive;

use crate::PlotError;
use crate::compare::{Curve, comparison_series, count, group_names, if_several_seeds, points};
use crate::figure::Figure;
use crate::marks::{Mark, Point, Series};
use crate::palette::{BLUE, GREEN, GREY, SKY_BLUE, VERMILION, YELLOW};
use crate::panel::{Axis, Panel, result, with_non_finite};
use crate::record::{Evaluation, RunRecord, Validation, check_one_task};

/// Plots the episode returns of `runs` over environment steps.
///
/// One run: every training episode, their moving average, the validations with their standard deviation, the best
/// checkpoint, and the mean returns of the test and of a random policy. Several runs: a thin line for each run's mean
/// validation return, and for each group of seeds a thick line for the interquartile mean (IQM) with its 95 % bootstrap
/// confidence interval.
///
/// # Errors
/// There is no run, or one without a return to show; the runs are of different environments.
pub fn returns(runs: &[RunRecord]) -> Result<Figure, PlotError> {
    let first = check_one_task(runs.iter().map(|run| &run.header))?;
    if let Some(run) = runs.iter().find(|run| run.episodes.is_empty() && !(run.diverged() && runs.len() > 1)) {
        return Err(PlotError::NoEpisodes { dir: run.header.dir.clone() });
    }
    let (title, series) = match runs {
        [run] => (format!("{}, {}, seed {}", first.task, first.method.label, first.seed), single(run)),
        _ => {
            let curves = validation_curves(runs)?;
            let how = if_several_seeds(&curves, ": IQM, 95 % bootstrap CI");
            (format!("{}, {} runs{how}", first.task, runs.len()), comparison_series(curves))
        }
    };
    let panel = Panel::new(Axis::new("environment steps"), Axis::new("return per episode"), series);
    Ok(Figure::one(title, panel))
}

/// Returns the validation curves of several runs.
pub(crate) fn validation_curves(runs: &[RunRecord]) -> Result<Vec<Curve>, PlotError> {
    if let Some(run) = runs.iter().find(|run| run.validations.is_empty() && !run.diverged()) {
        return Err(PlotError::NoValidations { dir: run.header.dir.clone() });
    }
    let points = |run: &RunRecord| run.validations.iter().map(|v| (v.step as f64, v.returns.mean)).collect();
    Ok(curves(runs, points))
}

/// Returns the moving averages of the training episodes of several runs.
pub(crate) fn training_curves(runs: &[RunRecord]) -> Vec<Curve> {
    curves(runs, |run| {
        let episodes = episodes(run);
        running_mean(&episodes, window(&episodes))
    })
}

fn curves(runs: &[RunRecord], points: impl Fn(&RunRecord) -> Vec<(f64, f64)>) -> Vec<Curve> {
    let names = group_names(&runs.iter().map(|run| &run.header).collect::<Vec<_>>());
    let curve = |(run, group): (&RunRecord, String)| Curve {
        group,
        method: run.header.method.clone(),
        seed: run.header.seed,
        diverged: run.diverged(),
        points: points(run),
        non_finite: run.non_finite.iter().sum(),
    };
    runs.iter().zip(names).map(curve).collect()
}

fn episodes(run: &RunRecord) -> Vec<(f64, f64)> {
    run.episodes.iter().map(|episode| (episode.step as f64, episode.value)).collect()
}

/// Returns the number of episodes in the moving average.
fn window(episodes: &[(f64, f64)]) -> usize {
    (episodes.len() / 10).clamp(5, 100)
}

fn single(run: &RunRecord) -> Vec<Series> {
    let mut series = Vec::new();
    let mut add = |label: String, color, marks, points: Vec<Point<f64>>| {
        if !points.is_empty() {
            series.push(Series { label: Some(label), color, marks, points });
        }
    };

    let episodes = episodes(run);
    let usual = robust_range(&episodes);
    let shown: Vec<_> = episodes.iter().copied().filter(|(_, y)| usual.contains(y)).collect();
    let label = match episodes.len() - shown.len() {
        0 => "training episode".into(),
        hidden => format!("training episode ({hidden} outside the axis range)"),
    };
    let [lost_episodes, lost_validations] = run.non_finite;
    add(with_non_finite(label, lost_episodes), SKY_BLUE, &[Mark::Dots { radius: 2.6, opacity: 0.55 }], points(&shown));

    let window = window(&episodes);
    add(
        format!("moving average ({window} episodes)"),
        BLUE,
        &[Mark::Line { width: 2.6, opacity: 1.0 }],
        points(&running_mean(&episodes, window)),
    );

    let validations = run.validations.iter();
    let points = validations.map(|v| Point::between(v.step as f64, v.returns.mean, v.returns.std)).collect();
    add(
        with_non_finite("validation, mean \u{b1} std".into(), lost_validations),
        VERMILION,
        &[
            Mark::Band { opacity: 0.18 },
            Mark::Line { width: 2.6, opacity: 1.0 },
            Mark::Dots { radius: 4.2, opacity: 1.0 },
        ],
        points,
    );

    let summary = run.summary.as_ref();
    let last = last_step(run);
    for (name, trial, color, marks) in [
        ("test", summary.and_then(|s| s.test.as_ref()), GREEN, &[Mark::Dashes { width: 2.2, dash: 10.0, gap: 6.0 }]),
        (
            "random policy",
            summary.and_then(|s| s.random_policy.as_ref()),
            GREY,
            &[Mark::Dashes { width: 2.2, dash: 1.0, gap: 5.0 }],
        ),
    ] {
        if let Some(Evaluation { episodes, returns }) = trial.filter(|trial| trial.returns.mean.is_finite()) {
            let level = vec![Point::new(0.0, returns.mean), Point::new(last, returns.mean)];
            let label = format!("{name}: {} ({})", result(returns.mean, 1), count(*episodes as usize, "episode"));
            add(label, color, marks, level);
        }
    }

    let best = run.best_step();
    if let Some(Validation { step, returns, .. }) = run.validations.iter().find(|v| Some(v.step) == best) {
        let at = vec![Point::new(*step as f64, returns.mean)];
        add(format!("best checkpoint, step {step}"), YELLOW, &[Mark::Star], at);
    }
    series
}

fn last_step(run: &RunRecord) -> f64 {
    let episodes = run.episodes.iter().map(|episode| episode.step);
    episodes.chain(run.validations.iter().map(|validation| validation.step)).max().unwrap_or(0) as f64
}

/// Averages the last `window` values of y at each point, or fewer at the start.
fn running_mean(curve: &[(f64, f64)], window: usize) -> Vec<(f64, f64)> {
    (1..=curve.len())
        .map(|end| {
            let last = &curve[end.saturating_sub(window)..end];
            (last[last.len() - 1].0, last.iter().map(|&(_, y)| y / last.len() as f64).sum())
        })
        .collect()
}

/// Returns the range of the middle 98 % of y, extended by half its size on both sides, so that a single crash doesn't
/// flatten the rest.
fn robust_range(curve: &[(f64, f64)]) -> RangeInclusive<f64> {
    let mut sorted: Vec<_> = curve.iter().map(|&(_, y)| y).collect();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share).round() as usize];
    let (low, high) = (at(0.01), at(0.99));
    let air = (high - low) / 2.0;
    low - air..=high + air
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moving_average_is_over_previous_episodes() {
        let means = running_mean(&[(1.0, 2.0), (2.0, 4.0), (3.0, 8.0)], 2);
        assert_eq!(means, [(1.0, 2.0), (2.0, 3.0), (3.0, 6.0)]);
    }

    #[test]
    fn outliers_are_outside_the_robust_range() {
        let mut curve: Vec<_> = (0..200).map(|x| (f64::from(x), f64::from(x % 100))).collect();
        assert_eq!(robust_range(&curve), -47.5..=146.5);
        curve[7].1 = -5000.0;
        assert!(!robust_range(&curve).contains(&-5000.0));
        assert!(robust_range(&curve[..10]).contains(&-5000.0), "one in ten is not rare");
    }
}
