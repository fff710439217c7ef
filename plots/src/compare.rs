//! Comparison of runs: a thin curve for each run; for each group of seeds a thick curve of the interquartile mean (IQM)
//! and a band of its confidence interval.

use plotters::style::RGBColor;

use crate::info::MethodInfo;
use crate::marks::{Mark, Point, Series};
use crate::method_colors::method_colors;
use crate::palette::BLUE;
use crate::panel::with_non_finite;
use crate::record::Header;
use crate::statistics::{bootstrap_ci, interquartile_mean};

/// The curve of a run.
#[derive(Clone)]
pub(crate) struct Curve {
    /// The name of its group, see [`group_names`].
    pub group: String,
    pub method: MethodInfo,
    pub seed: u64,
    pub diverged: bool,
    /// Points by x; none if the run diverged before the first.
    pub points: Vec<(f64, f64)>,
    /// The number of values that are left out because they are non-finite.
    pub non_finite: usize,
}

/// Returns `how` for a title if a group has several seeds, else nothing.
pub(crate) fn if_several_seeds(curves: &[Curve], how: &'static str) -> &'static str {
    let several =
        curves.iter().any(|curve| curves.iter().any(|other| curve.group == other.group && curve.seed != other.seed));
    if several { how } else { "" }
}

/// The curves of runs that differ only in their seeds.
pub(crate) struct Group {
    pub name: String,
    pub curves: Vec<Curve>,
}

pub(crate) fn comparison_series(curves: Vec<Curve>) -> Vec<Series> {
    let (mut thin, mut bands, mut thick) = (Vec::new(), Vec::new(), Vec::new());
    let groups = grouped(curves);
    for (group, color) in groups.iter().zip(colors(&groups)) {
        let unnamed = |marks, points| Series { label: None, color, marks, points };
        thin.extend(
            group.curves.iter().map(|curve| unnamed(&[Mark::Line { width: 1.3, opacity: 0.5 }], points(&curve.points))),
        );
        let mut iqm = group.iqm();
        for point in &mut iqm {
            let values = group.values(point.x);
            [point.low, point.high] = bootstrap_ci(std::slice::from_ref(&values)).unwrap_or([point.y; 2]);
        }
        bands.push(unnamed(&[Mark::Band { opacity: 0.18 }], iqm.clone()));
        thick.push(Series {
            label: Some(group.label()),
            color,
            marks: &[Mark::Line { width: 3.6, opacity: 1.0 }, Mark::Dots { radius: 3.6, opacity: 1.0 }],
            points: iqm,
        });
    }
    thick.sort_by_key(|series| series.color == BLUE); // Alrao above the others
    bands.into_iter().chain(thin).chain(thick).collect()
}

/// Returns the color of each group.
pub(crate) fn colors(groups: &[Group]) -> Vec<RGBColor> {
    method_colors(&groups.iter().map(Group::method).collect::<Vec<_>>())
}

/// Groups the curves, in the order of their first curves.
pub(crate) fn grouped(curves: Vec<Curve>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for curve in curves {
        match groups.iter_mut().find(|group| group.name == curve.group) {
            Some(group) => group.curves.push(curve),
            None => groups.push(Group { name: curve.group.clone(), curves: vec![curve] }),
        }
    }
    groups
}

impl Group {
    /// Returns the method of its runs.
    pub(crate) fn method(&self) -> &MethodInfo {
        &self.curves[0].method
    }

    /// Returns the name with the number of seeds, of diverged seeds and of non-finite values.
    pub(crate) fn label(&self) -> String {
        let seeds = |diverged_only: bool| {
            let counted = self.curves.iter().filter(|curve| curve.diverged || !diverged_only);
            let mut seeds: Vec<_> = counted.map(|curve| curve.seed).collect();
            seeds.sort_unstable();
            seeds.dedup();
            seeds.len()
        };
        let label = match (seeds(false), seeds(true)) {
            (all, 0) => format!("{} ({})", self.name, count(all, "seed")),
            (all, diverged) if all == diverged => format!("{} (diverged)", self.name),
            (all, diverged) => format!("{} ({}, {diverged} diverged)", self.name, count(all, "seed")),
        };
        with_non_finite(label, self.curves.iter().map(|curve| curve.non_finite).sum())
    }

    /// Returns the interquartile mean of the [`counting`](Self::counting) curves over the x range they share, at most at
    /// `MAX_POINTS` of their values of x.
    pub(crate) fn iqm(&self) -> Vec<Point<f64>> {
        const MAX_POINTS: usize = 150;
        let curves = self.counting();
        let from = curves.iter().map(|curve| curve[0].0).fold(0.0, f64::max);
        let to = curves.iter().map(|curve| curve[curve.len() - 1].0).fold(f64::INFINITY, f64::min);
        let mut steps: Vec<_> = curves.iter().copied().flatten().map(|&(x, _)| x).collect();
        steps.retain(|x| (from..=to).contains(x));
        steps.sort_by(f64::total_cmp);
        steps.dedup();
        let (count, stride) = (steps.len(), steps.len().div_ceil(MAX_POINTS).max(1));
        let shown = steps.into_iter().enumerate().filter(|(i, _)| (count - 1 - i) % stride == 0);
        shown.map(|(_, x)| Point::new(x, interquartile_mean(&self.values(x)))).collect()
    }

    /// Returns the curves that did not diverge, or all curves if all did.
    fn counting(&self) -> Vec<&[(f64, f64)]> {
        let curves = |diverged: bool| {
            let curves = self.curves.iter().filter(move |curve| curve.diverged == diverged);
            curves.map(|curve| &curve.points[..]).filter(|points| !points.is_empty()).collect::<Vec<_>>()
        };
        let converged = curves(false);
        if converged.is_empty() { curves(true) } else { converged }
    }

    /// Interpolates the counting curves at an x within all of them.
    fn values(&self, x: f64) -> Vec<f64> {
        self.counting().into_iter().map(|curve| interpolate(curve, x)).collect()
    }
}

/// Interpolates `curve` linearly at `x`, which lies within it.
fn interpolate(curve: &[(f64, f64)], x: f64) -> f64 {
    let right = curve.partition_point(|&(other, _)| other < x);
    let (x1, y1) = curve[right];
    if x1 == x {
        return y1;
    }
    let (x0, y0) = curve[right - 1];
    y0 + (y1 - y0) * (x - x0) / (x1 - x0)
}

/// Returns each run's group: its method, or its variant if variants of the sweep share a method. Runs of one name with
/// different update rules or widths are different groups.
pub(crate) fn group_names(headers: &[&Header]) -> Vec<String> {
    let usual: Vec<&String> = headers.iter().map(|header| &header.method.label).collect();
    let told_apart = headers.iter().zip(&usual).all(|(header, name)| {
        headers.iter().zip(&usual).all(|(other, other_name)| name != other_name || header.variant == other.variant)
    });
    let name =
        |header: &&Header| header.variant.as_ref().filter(|_| !told_apart).unwrap_or(&header.method.label).clone();
    let names = headers.iter().map(name).collect();
    let names =
        tell_apart(headers, names, |header| if header.method.adaptive { "Adam's rule" } else { "SGD's rule" }.into());
    tell_apart(headers, names, |header| format!("width {}", header.width))
}

/// Appends `detail` to equal names of runs that differ in it.
fn tell_apart(headers: &[&Header], names: Vec<String>, detail: impl Fn(&Header) -> String) -> Vec<String> {
    let details: Vec<String> = headers.iter().map(|header| detail(header)).collect();
    let named = |(name, detail): (&String, &String)| {
        let differs = names.iter().zip(&details).any(|(other, other_detail)| name == other && detail != other_detail);
        if differs { format!("{name}, {detail}") } else { name.clone() }
    };
    names.iter().zip(&details).map(named).collect()
}

pub(crate) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

pub(crate) fn points(curve: &[(f64, f64)]) -> Vec<Point<f64>> {
    curve.iter().map(|&(x, y)| Point::new(x, y)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::info::tests::returns;

    fn curve(seed: u64, diverged: bool, points: &[(f64, f64)]) -> Curve {
        let method = MethodInfo::new("Many", [1e-5, 10.0], true, false);
        Curve { group: "many".into(), method, seed, diverged, points: points.to_vec(), non_finite: 0 }
    }

    fn group(curves: Vec<Curve>) -> Group {
        grouped(curves).remove(0)
    }

    #[test]
    fn the_iqm_covers_the_shared_range_of_all_runs() {
        let long = curve(0, false, &[(0.0, 0.0), (10.0, 10.0), (20.0, 0.0)]);
        let short = curve(1, false, &[(5.0, 1.0), (10.0, 2.0), (15.0, 3.0)]);
        let iqm = group(vec![long, short]).iqm();
        let means: Vec<_> = iqm.iter().map(|point| (point.x, point.y)).collect();
        assert_eq!(means, [(5.0, 3.0), (10.0, 6.0), (15.0, 4.0)]);
    }

    #[test]
    fn the_band_is_the_bootstrap_interval_over_seeds() {
        let series = comparison_series(vec![curve(0, false, &[(5.0, 1.0)]), curve(1, false, &[(5.0, 5.0)])]);
        let point = series[0].points[0];
        assert_eq!((point.y, point.low, point.high), (3.0, 1.0, 5.0));
    }

    #[test]
    fn a_long_curve_is_subsampled_and_keeps_its_last_point() {
        let points: Vec<(f64, f64)> = (0..1000).map(|x| (f64::from(x), 1.0)).collect();
        let iqm = group(vec![curve(0, false, &points)]).iqm();
        assert!((100..=150).contains(&iqm.len()), "{}", iqm.len());
        assert_eq!(iqm.last().unwrap().x, 999.0);
    }

    /// The interquartile mean of four values omits the lowest and the highest.
    #[test]
    fn iqm_is_the_interquartile_mean() {
        let curves = [1.0, 2.0, 4.0, 100.0].iter().zip(0..).map(|(&y, seed)| curve(seed, false, &[(0.0, y)]));
        assert_eq!(group(curves.collect()).iqm()[0].y, 3.0);
    }

    #[test]
    fn diverged_runs_are_counted_but_not_in_the_iqm() {
        let (converged, broken) = (curve(0, false, &[(1.0, 1.0), (2.0, 2.0)]), curve(1, true, &[]));
        let halfway = curve(2, true, &[(1.0, 1e9)]);
        let both = group(vec![converged, broken.clone(), halfway]);
        assert_eq!(both.label(), "many (3 seeds, 2 diverged)");
        let iqm = both.iqm();
        let means: Vec<_> = iqm.iter().map(|point| (point.x, point.y)).collect();
        assert_eq!(means, [(1.0, 1.0), (2.0, 2.0)]);
        let all = group(vec![broken]);
        assert_eq!((all.label().as_str(), all.iqm().len()), ("many (diverged)", 0));
    }

    #[test]
    fn groups_are_named_by_method_or_else_by_variant() {
        let header = |variant: Option<&str>, label: &str| Header {
            dir: "run".into(),
            task: "pendulum".into(),
            variant: variant.map(Into::into),
            method: MethodInfo { name: "Any".into(), label: label.into(), rates: [1.0, 1.0], adaptive: false },
            width: 1.0,
            seed: 0,
            metric: returns(),
        };
        let names = |headers: &[Header]| group_names(&headers.iter().collect::<Vec<_>>());
        assert_eq!(names(&[header(None, "Any"), header(Some("one"), "Any 1")]), ["Any", "Any 1"]);
        assert_eq!(names(&[header(Some("wide"), "Any"), header(Some("deep"), "Any")]), ["wide", "deep"]);

        let wide = Header { width: 3.0, ..header(None, "Any") };
        let mut adaptive = header(None, "Any");
        adaptive.method.adaptive = true;
        assert_eq!(names(&[header(None, "Any"), wide.clone()]), ["Any, width 1", "Any, width 3"]);
        assert_eq!(names(&[header(None, "Any"), adaptive.clone()]), ["Any, SGD's rule", "Any, Adam's rule"]);
        assert_eq!(
            names(&[header(None, "Any"), wide, adaptive]),
            ["Any, SGD's rule, width 1", "Any, SGD's rule, width 3", "Any, Adam's rule"]
        );
    }
}
