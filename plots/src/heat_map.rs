//! The heat map of learning-rate ranges, the paper's Figure 3: the results by `eta_min` and `eta_max`, with single
//! learning rates on the diagonal; and by range and width.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::PlotError;
use crate::compare::count;
use crate::figure::{Figure, Layout};
use crate::files::null_as_nan;
use crate::marks::{Mark, Series};
use crate::palette::{GREY_CELL, viridis};
use crate::panel::{Axis, Cell, ColorBar, Panel, minus, rate};
use crate::record::{Header, Returns, Source, check_one_task, read_summary};

/// Plots the test metric of finished runs, averaged over seeds, by learning-rate range: Alrao below the diagonal, SGD on
/// it. If the runs have several widths, a second map shows ranges by width. Grey cell: all seeds diverged; grey corner:
/// some did.
///
/// # Errors
/// A file is missing or malformed; a run is unfinished; the runs are of different tasks, or Alrao's have fewer than two
/// learning-rate ranges.
pub fn heat_map(sources: &[Source]) -> Result<Figure, PlotError> {
    let outcomes = sources.iter().map(Outcome::read).collect::<Result<Vec<_>, _>>()?;
    let first = check_one_task(outcomes.iter().map(|outcome| &outcome.header))?;
    let ranges = distinct(outcomes.iter().filter_map(Outcome::lr_range));
    if ranges.len() < 2 {
        return Err(PlotError::NoLrRanges { ranges: ranges.len() });
    }
    let widths =
        distinct(outcomes.iter().filter(|outcome| outcome.lr_range().is_some()).map(|o| (o.header.width, 0.0)));
    let usual = widths.iter().map(|(width, _)| *width).max_by_key(|width| {
        let of_width = outcomes.iter().filter(|outcome| outcome.header.width == *width);
        (distinct(of_width.filter_map(Outcome::lr_range)).len(), *width == 1.0)
    });
    let usual = usual.expect("there are ranges");

    let colors = Colors::of(&outcomes, first.metric.larger_is_better);
    let mut panels = Vec::new();
    // a single row of ranges, which the other map also has, adds nothing
    let (lows, highs) = (distinct(ranges.iter().map(|i| (i.0, 0.0))), distinct(ranges.iter().map(|i| (i.1, 0.0))));
    let on_diagonal = names(outcomes.iter().filter(|outcome| outcome.is_on_diagonal()));
    if widths.len() == 1 || on_diagonal.is_some() || lows.len().min(highs.len()) > 1 {
        panels.push(by_rates(&outcomes, usual, on_diagonal.as_deref(), &colors));
    }
    if widths.len() > 1 {
        let on_diagonal = on_diagonal.map_or(String::new(), |names| format!(", {names} on the diagonal"));
        panels.iter_mut().for_each(|panel: &mut Panel| panel.title = Some(format!("by learning rate{on_diagonal}")));
        panels.push(by_width(&outcomes, &ranges, &widths, &colors));
    }
    panels.last_mut().expect("one").color_bar = Some(colors.color_bar());
    let most = outcomes.iter().map(|outcome| outcome.header.seed).collect::<BTreeSet<_>>().len();
    let title = format!("{}: test {}, {}", first.task, first.metric.label(), count(most, "seed"));
    Ok(Figure { title, panels, layout: Layout::Beside })
}

/// Draws the map with `eta_max` on x and `eta_min` on y, and single learning rates on the diagonal.
fn by_rates(outcomes: &[Outcome], width: f64, on_diagonal: Option<&str>, colors: &Colors) -> Panel {
    let of_width: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.header.width == width).collect();
    let corners = of_width.iter().filter_map(|outcome| outcome.corner());
    let rates: Vec<f64> =
        distinct(corners.flat_map(|(low, high)| [(low, 0.0), (high, 0.0)])).iter().map(|r| r.0).collect();
    let place = |rate: f64| rates.iter().position(|other| *other == rate).expect("all are there") as f64;
    let cells = distinct(of_width.iter().filter_map(|outcome| outcome.corner()));
    let cell = |&(low, high): &(f64, f64)| {
        let here = of_width.iter().filter(|outcome| outcome.corner() == Some((low, high)));
        colors.cell(place(high), place(low), here.copied())
    };
    let names: Vec<String> = rates.iter().map(|&r| rate(r)).collect();
    let on_diagonal = on_diagonal.map_or(String::new(), |names| format!("; {names}: \u{3b7}"));
    let x = Axis::places(format!("\u{3b7} max{on_diagonal}"), names.clone());
    Panel {
        cells: cells.iter().map(cell).collect(),
        ..Panel::new(x, Axis::places("\u{3b7} min", names), vec![diverged(outcomes)])
    }
}

/// Draws the map with widths on x and ranges on y, from the narrowest to the widest.
fn by_width(outcomes: &[Outcome], ranges: &[(f64, f64)], widths: &[(f64, f64)], colors: &Colors) -> Panel {
    let mut ranges = ranges.to_vec();
    ranges.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
    let mut cells = Vec::new();
    for (y, interval) in ranges.iter().enumerate() {
        for (x, (width, _)) in widths.iter().enumerate() {
            let here = |outcome: &&Outcome| outcome.lr_range() == Some(*interval) && outcome.header.width == *width;
            let here: Vec<&Outcome> = outcomes.iter().filter(here).collect();
            if !here.is_empty() {
                cells.push(colors.cell(x as f64, y as f64, here.into_iter()));
            }
        }
    }
    let x = Axis::places("width factor", widths.iter().map(|(width, _)| rate(*width)).collect());
    let spans = ranges.iter().map(|(low, high)| format!("{}..{}", rate(*low), rate(*high)));
    let panel = Panel::new(x, Axis::places("learning-rate range", spans.collect()), vec![diverged(outcomes)]);
    let methods = names(outcomes.iter().filter(|outcome| outcome.lr_range().is_some())).expect("there are ranges");
    Panel { title: Some(format!("{methods}, by range and width")), cells, ..panel }
}

/// Joins the names of the methods of these runs, if there are any.
fn names<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Option<String> {
    let names: BTreeSet<&str> = outcomes.map(|outcome| outcome.header.method.name.as_str()).collect();
    (!names.is_empty()).then(|| names.into_iter().collect::<Vec<_>>().join(", "))
}

/// Returns the legend entry of diverged runs.
fn diverged(outcomes: &[Outcome]) -> Series {
    let label = outcomes.iter().any(|outcome| outcome.value.is_none()).then(|| "diverged (corner: some seeds)".into());
    Series { label, color: GREY_CELL, marks: &[Mark::Bars], points: Vec::new() }
}

/// The result of one run.
struct Outcome {
    header: Header,
    /// none if it diverged
    value: Option<f64>,
}

#[derive(Deserialize)]
struct Summary {
    #[serde(default)]
    diverged: bool,
    test: Option<Test>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Test {
    Agent {
        #[serde(rename = "return")]
        returns: Returns,
    },
    Supervised {
        #[serde(deserialize_with = "null_as_nan")]
        loss: f64,
    },
}

impl Outcome {
    fn read(source: &Source) -> Result<Self, PlotError> {
        let header = Header::read(source)?;
        let Some(Summary { diverged, test }) = read_summary(&source.dir)? else {
            return Err(PlotError::NotDone { dir: source.dir.clone() });
        };
        let value = test.map(|test| match test {
            Test::Agent { returns } => returns.mean,
            Test::Supervised { loss } => header.metric.measure.of(loss),
        });
        Ok(Outcome { header, value: value.filter(|value| value.is_finite() && !diverged) })
    }

    /// Returns the learning-rate range, if there is one.
    fn lr_range(&self) -> Option<(f64, f64)> {
        self.header.method.lr_range()
    }

    /// Returns whether the run has a single, non-adaptive learning rate.
    fn is_on_diagonal(&self) -> bool {
        self.lr_range().is_none() && !self.header.method.adaptive
    }

    /// Returns the run's place in the map: its range, or its single learning rate twice.
    fn corner(&self) -> Option<(f64, f64)> {
        let diagonal = self.header.method.lr().filter(|_| self.is_on_diagonal()).map(|eta| (eta, eta));
        self.lr_range().or(diagonal)
    }
}

/// A color scale on which bright is good; values far worse than most get the color at the end.
struct Colors {
    best: f64,
    worst: f64,
    clipped: bool,
    digits: usize,
}

impl Colors {
    fn of(outcomes: &[Outcome], larger_is_better: bool) -> Self {
        let sign = if larger_is_better { -1.0 } else { 1.0 };
        let mut values: Vec<f64> = outcomes.iter().filter_map(|outcome| outcome.value).map(|y| sign * y).collect();
        values.sort_by(f64::total_cmp);
        let (Some(&best), Some(&worst)) = (values.first(), values.last()) else {
            return Colors { best: 0.0, worst: 1.0, clipped: false, digits: 0 };
        };
        let usual = best + 3.0 * (values[values.len() / 2] - best);
        let clipped = usual > best && worst > usual;
        let worst = if clipped { usual } else { worst };
        let digits = if (worst - best).abs() < 10.0 { 2 } else { 0 };
        Colors { best: sign * best, worst: sign * worst, clipped, digits }
    }

    /// Returns a cell with the mean of the runs that did not diverge.
    fn cell<'a>(&self, x: f64, y: f64, runs: impl Iterator<Item = &'a Outcome>) -> Cell {
        let values: Vec<Option<f64>> = runs.map(|outcome| outcome.value).collect();
        let converged: Vec<f64> = values.iter().copied().flatten().collect();
        if converged.is_empty() {
            return Cell { x, y, fill: GREY_CELL, text: String::new(), corner: false };
        }
        let mean = converged.iter().sum::<f64>() / converged.len() as f64;
        let share = if self.best == self.worst { 1.0 } else { (mean - self.worst) / (self.best - self.worst) };
        Cell { x, y, fill: viridis(share), text: self.number(mean), corner: converged.len() < values.len() }
    }

    fn number(&self, value: f64) -> String {
        match value.abs() {
            1e5.. => rate(format!("{value:.0e}").parse().unwrap_or(value)),
            1e2.. => minus(format!("{value:.0}")),
            _ => minus(format!("{value:.*}", self.digits)),
        }
    }

    fn color_bar(&self) -> ColorBar {
        let beyond = match self.clipped {
            true if self.worst > self.best => "\u{2265} ",
            true => "\u{2264} ",
            false => "",
        };
        let middle = (self.best + self.worst) / 2.0;
        let labels = [beyond.to_string() + &self.number(self.worst), self.number(middle), self.number(self.best)];
        ColorBar { color: viridis, labels }
    }
}

/// Sorts the pairs and removes duplicates.
fn distinct(pairs: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    pairs.dedup();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::info::MethodInfo;
    use crate::info::tests::nats;

    fn outcome(rates: [f64; 2], adaptive: bool, value: Option<f64>) -> Outcome {
        let header = Header {
            dir: "run".into(),
            task: "cifar10".into(),
            variant: None,
            method: MethodInfo::new("Plain", rates, false, adaptive),
            width: 1.0,
            seed: 0,
            metric: nats(),
        };
        Outcome { header, value }
    }

    #[test]
    fn ranges_are_below_the_diagonal_and_bright_is_good() {
        let outcomes = [
            outcome([1e-3, 1e-3], false, Some(2.0)),
            outcome([1e-3, 1.0], false, Some(1.0)),
            outcome([1.0, 1.0], false, None),
            outcome([0.1, 0.1], true, Some(2.0)), // has no place
        ];
        let panel = by_rates(&outcomes, 1.0, Some("Plain"), &Colors::of(&outcomes, false));
        assert_eq!(panel.x.label, "\u{3b7} max; Plain: \u{3b7}");
        let cells: Vec<_> = panel.cells.iter().map(|cell| (cell.x, cell.y, cell.fill)).collect();
        assert_eq!(cells, [(0.0, 0.0, viridis(0.0)), (1.0, 0.0, viridis(1.0)), (1.0, 1.0, GREY_CELL)]);
    }

    #[test]
    fn outliers_do_not_flatten_the_color_scale() {
        let outcomes: Vec<_> = [1.0, 1.1, 1.2, 400.0].map(|loss| outcome([1.0, 1.0], false, Some(loss))).into();
        let colors = Colors::of(&outcomes, false);
        assert!((colors.worst - 1.6).abs() < 1e-9 && colors.clipped, "{}", colors.worst);
        assert_eq!(colors.color_bar().labels, ["\u{2265} 1.60", "1.30", "1.00"]);
        let outcomes: Vec<_> = [-150.0, -200.0, -1400.0].map(|y| outcome([1.0, 1.0], false, Some(y))).into();
        assert_eq!(Colors::of(&outcomes, true).color_bar().labels[0], "\u{2264} \u{2212}300");
    }
}
