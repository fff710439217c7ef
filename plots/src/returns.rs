//! The figure of episode returns: all there is about one run, or several runs compared by their validations.

use std::ops::RangeInclusive;
use std::path::Path;

use plotters::style::RGBColor;

use crate::PlotError;
use crate::figure::{Figure, Mark, Point, Series, minus};
use crate::image::save;
use crate::record::{Optimizer, RunRecord, Trial, Validation};

// The palette of Okabe and Ito (2008), told apart with any colour vision.
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const SKY_BLUE: RGBColor = RGBColor(86, 180, 233);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const YELLOW: RGBColor = RGBColor(240, 228, 66);
const BLUE: RGBColor = RGBColor(0, 114, 178);
const VERMILION: RGBColor = RGBColor(213, 94, 0);
const PURPLE: RGBColor = RGBColor(204, 121, 167);
const GREY: RGBColor = RGBColor(120, 120, 120);

/// Colours of groups; without yellow, which is lost as a line on white.
const GROUPS: [RGBColor; 6] = [BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY_BLUE];

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
        return Err(PlotError::Environments {
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
        (format!("{}, {} runs", first.environment, runs.len()), compared(runs)?)
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

fn compared(runs: &[RunRecord]) -> Result<Vec<Series>, PlotError> {
    let mut groups: Vec<(String, Vec<&RunRecord>)> = Vec::new();
    for run in runs {
        if run.validations.is_empty() {
            return Err(PlotError::NoValidations { dir: run.dir.clone() });
        }
        let name = group_name(&run.optimizer);
        match groups.iter_mut().find(|(other, _)| *other == name) {
            Some((_, members)) => members.push(run),
            None => groups.push((name, vec![run])),
        }
    }

    let (mut thin, mut thick) = (Vec::new(), Vec::new());
    for ((name, members), &color) in groups.iter().zip(GROUPS.iter().cycle()) {
        let curves: Vec<_> = members.iter().map(|run| validation_curve(run)).collect();
        let mut seeds: Vec<_> = members.iter().map(|run| run.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        thick.push(Series {
            label: Some(format!("{name} ({})", count(seeds.len(), "seed"))),
            color,
            marks: &[Mark::Line { width: 3.6, opacity: 1.0 }, Mark::Dots { radius: 3.6, opacity: 1.0 }],
            points: points(&mean_curve(&curves)),
        });
        thin.extend(curves.iter().map(|curve| Series {
            label: None,
            color,
            marks: &[Mark::Line { width: 1.3, opacity: 0.5 }],
            points: points(curve),
        }));
    }
    thin.append(&mut thick);
    Ok(thin)
}

/// Optimizer and rate, by which runs are grouped: `alrao`, `sgd η = 0.1`.
fn group_name(optimizer: &Optimizer) -> String {
    match optimizer.eta {
        Some(eta) if eta.abs() < 1e-3 => format!("{} \u{3b7} = {}", optimizer.kind, minus(format!("{eta:e}"))),
        Some(eta) => format!("{} \u{3b7} = {eta}", optimizer.kind),
        None => optimizer.kind.clone(),
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn last_step(run: &RunRecord) -> f64 {
    let episodes = run.episodes.iter().map(|episode| episode.step);
    episodes.chain(run.validations.iter().map(|validation| validation.step)).max().unwrap_or(0) as f64
}

fn validation_curve(run: &RunRecord) -> Vec<(f64, f64)> {
    run.validations.iter().map(|validation| (validation.step as f64, validation.returns.mean)).collect()
}

fn points(curve: &[(f64, f64)]) -> Vec<Point<f64>> {
    curve.iter().map(|&(x, y)| Point::new(x, y)).collect()
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

/// The mean of `curves` where all of them are known, at every abscissa of one of them; linear in between.
fn mean_curve(curves: &[Vec<(f64, f64)>]) -> Vec<(f64, f64)> {
    let from = curves.iter().map(|curve| curve[0].0).fold(0.0, f64::max);
    let to = curves.iter().map(|curve| curve[curve.len() - 1].0).fold(f64::INFINITY, f64::min);
    let mut steps: Vec<_> = curves.iter().flatten().map(|&(x, _)| x).filter(|x| (from..=to).contains(x)).collect();
    steps.sort_by(f64::total_cmp);
    steps.dedup();
    let mean = |x| curves.iter().map(|curve| interpolate(curve, x) / curves.len() as f64).sum();
    steps.into_iter().map(|x| (x, mean(x))).collect()
}

/// The ordinate at `x`, which lies within `curve`.
fn interpolate(curve: &[(f64, f64)], x: f64) -> f64 {
    let right = curve.partition_point(|&(other, _)| other < x);
    let (x1, y1) = curve[right];
    if x1 == x {
        return y1;
    }
    let (x0, y0) = curve[right - 1];
    y0 + (y1 - y0) * (x - x0) / (x1 - x0)
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

    #[test]
    fn mean_curve_covers_what_all_runs_know() {
        let long = vec![(0.0, 0.0), (10.0, 10.0), (20.0, 0.0)];
        let short = vec![(5.0, 1.0), (10.0, 2.0), (15.0, 3.0)];
        assert_eq!(mean_curve(&[long, short]), [(5.0, 3.0), (10.0, 6.0), (15.0, 4.0)]);
    }

    #[test]
    fn groups_are_named_by_optimizer_and_rate() {
        let name = |kind: &str, eta| group_name(&Optimizer { kind: kind.into(), eta });
        assert_eq!(name("alrao", None), "alrao");
        assert_eq!(name("sgd", Some(0.1)), "sgd \u{3b7} = 0.1");
        assert_eq!(name("adam", Some(1e-5)), "adam \u{3b7} = 1e\u{2212}5");
    }
}
