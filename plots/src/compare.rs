//! Runs beside each other: a thin curve for each, and a thick one for the mean of those with one optimizer and rate.

use crate::figure::{Mark, Point, Series, minus};
use crate::palette::GROUPS;
use crate::record::Optimizer;

/// How a run went.
pub(crate) struct Curve {
    /// What it is like others in, see [`group_name`].
    pub group: String,
    pub seed: u64,
    pub points: Vec<(f64, f64)>,
}

pub(crate) fn compared(curves: Vec<Curve>) -> Vec<Series> {
    let mut groups: Vec<(String, Vec<Curve>)> = Vec::new();
    for curve in curves {
        match groups.iter_mut().find(|(other, _)| *other == curve.group) {
            Some((_, members)) => members.push(curve),
            None => groups.push((curve.group.clone(), vec![curve])),
        }
    }

    let (mut thin, mut thick) = (Vec::new(), Vec::new());
    for ((name, members), &color) in groups.iter().zip(GROUPS.iter().cycle()) {
        let curves: Vec<_> = members.iter().map(|curve| curve.points.clone()).collect();
        let mut seeds: Vec<_> = members.iter().map(|curve| curve.seed).collect();
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
    thin
}

/// Optimizer and rate, by which runs are grouped: `alrao`, `sgd η = 0.1`.
pub(crate) fn group_name(optimizer: &Optimizer) -> String {
    match optimizer.eta {
        Some(eta) if eta.abs() < 1e-3 => format!("{} \u{3b7} = {}", optimizer.kind, minus(format!("{eta:e}"))),
        Some(eta) => format!("{} \u{3b7} = {eta}", optimizer.kind),
        None => optimizer.kind.clone(),
    }
}

pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

pub(crate) fn points(curve: &[(f64, f64)]) -> Vec<Point<f64>> {
    curve.iter().map(|&(x, y)| Point::new(x, y)).collect()
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
