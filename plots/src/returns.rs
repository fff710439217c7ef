//! The figure of episode returns: all there is about one run, or several runs compared by their validations.

use std::ops::RangeInclusive;
use std::path::Path;

use crate::PlotError;
use crate::compare::{Curve, compared, count, group_name, points};
use crate::figure::{Figure, Mark, Point, Series, minus};
use crate::image::save;
use crate::palette::{BLUE, GREEN, GREY, SKY_BLUE, VERMILION, YELLOW};
use crate::record::{RunRecord, Trial, Validation};

/// Draws the episode returns of `runs` over environment steps into `out`, an `.svg` or a `.png`.
///
/// One run: every training episode, their running mean, the validations with their standard deviation, the best
/// checkpoint, and the mean returns of the test and of a random policy. Several runs: the mean validation return of
/// each run, thin, and of each group of one optimizer and rate, thick. The file is written whole or not at all.
///
/// # Errors
/// There is no run, or one without a return to show; the runs are of different environments; the ending of `out` is
/// another; `out` can't be written.
pub fn plot_returns(runs: &[RunRecord], out: &Path) -> Result<(), PlotError> {
    let (first, others) = runs.split_first().ok_or(PlotError::NoRuns)?;
    if let Some(other) = others.iter().find(|run| run.environment != first.environment) {
        return Err(PlotError::Tasks {
            dir: first.dir.clone(),
            name: first.environment.clone(),
            other_dir: other.dir.clone(),
            other_name: other.environment.clone(),
        });
    }
    if let Some(run) = runs.iter().find(|run| run.episodes.is_empty()) {
        return Err(PlotError::NoEpisodes { dir: run.dir.clone() });
    }
    let (title, series) = if others.is_empty() {
        (format!("{}, {}, seed {}", first.environment, group_name(&first.optimizer), first.seed), single(first))
    } else {
        {
            let curves = runs.iter().map(validation_curve).collect::<Result<_, _>>()?;
            (format!("{}, {} runs", first.environment, runs.len()), compared(curves))
        }
    };
    let figure = Figure { title, x_label: "environment steps", y_label: "return per episode", series };
    save(figure.to_svg()?, out)
}

fn single(run: &RunRecord) -> Vec<Series> {
    let mut series = Vec::new();
    let mut add = |label: String, color, marks, points: Vec<Point<f64>>| {
        if !points.is_empty() {
            series.push(Series { label: Some(label), color, marks, points });
        }
    };

    let episodes: Vec<_> = run.episodes.iter().map(|episode| (episode.step as f64, episode.value)).collect();
    let usual = usual_range(&episodes);
    let shown: Vec<_> = episodes.iter().copied().filter(|(_, y)| usual.contains(y)).collect();
    let label = match episodes.len() - shown.len() {
        0 => "training episode".into(),
        hidden => format!("training episode ({hidden} off the scale)"),
    };
    add(label, SKY_BLUE, &[Mark::Dots { radius: 2.6, opacity: 0.55 }], points(&shown));

    let window = (episodes.len() / 10).clamp(5, 100);
    add(
        format!("mean of last {window} episodes"),
        BLUE,
        &[Mark::Line { width: 2.6, opacity: 1.0 }],
        points(&running_mean(&episodes, window)),
    );

    let validations = run.validations.iter();
    let points = validations.map(|v| Point::between(v.step as f64, v.returns.mean, v.returns.std)).collect();
    add(
        "validation, mean \u{b1} std".into(),
        VERMILION,
        &[Mark::Band, Mark::Line { width: 2.6, opacity: 1.0 }, Mark::Dots { radius: 4.2, opacity: 1.0 }],
        points,
    );

    let summary = run.summary.as_ref();
    let last = last_step(run);
    for (name, trial, color, marks) in [
        ("test", summary.and_then(|s| s.test.as_ref()), GREEN, &[Mark::Dashes { dash: 10.0, gap: 6.0 }]),
        ("random policy", summary.and_then(|s| s.random.as_ref()), GREY, &[Mark::Dashes { dash: 1.0, gap: 5.0 }]),
    ] {
        if let Some(Trial { episodes, returns }) = trial.filter(|trial| trial.returns.mean.is_finite()) {
            let level = vec![Point::new(0.0, returns.mean), Point::new(last, returns.mean)];
            let label = format!("{name}: {:.1} ({})", returns.mean, count(*episodes as usize, "episode"));
            add(minus(label), color, marks, level);
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

fn validation_curve(run: &RunRecord) -> Result<Curve, PlotError> {
    if run.validations.is_empty() {
        return Err(PlotError::NoValidations { dir: run.dir.clone() });
    }
    let points = run.validations.iter().map(|validation| (validation.step as f64, validation.returns.mean)).collect();
    Ok(Curve { group: group_name(&run.optimizer), seed: run.seed, points })
}

/// The mean of the last `window` ordinates, or of as many as there are yet.
fn running_mean(curve: &[(f64, f64)], window: usize) -> Vec<(f64, f64)> {
    (1..=curve.len())
        .map(|end| {
            let last = &curve[end.saturating_sub(window)..end];
            (last[last.len() - 1].0, last.iter().map(|&(_, y)| y / last.len() as f64).sum())
        })
        .collect()
}

/// Ordinates within half a range of the middle 98 %: one crash of a lander would flatten all else.
fn usual_range(curve: &[(f64, f64)]) -> RangeInclusive<f64> {
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
    fn running_mean_looks_back() {
        let means = running_mean(&[(1.0, 2.0), (2.0, 4.0), (3.0, 8.0)], 2);
        assert_eq!(means, [(1.0, 2.0), (2.0, 3.0), (3.0, 6.0)]);
    }

    #[test]
    fn rare_crashes_are_off_the_scale() {
        let mut curve: Vec<_> = (0..200).map(|x| (f64::from(x), f64::from(x % 100))).collect();
        assert_eq!(usual_range(&curve), -47.5..=146.5);
        curve[7].1 = -5000.0;
        assert!(!usual_range(&curve).contains(&-5000.0));
        assert!(usual_range(&curve[..10]).contains(&-5000.0), "one in ten is not rare");
    }
}
