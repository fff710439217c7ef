//! The figure of the units: a histogram of their learning rates, and the change of each unit's weights.

use serde::Deserialize;

use crate::PlotError;
use crate::compare::count;
use crate::figure::{Figure, Layout};
use crate::files::{null_as_nan, read_json};
use crate::marks::{Mark, Point, Series};
use crate::palette::{BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, viridis};
use crate::panel::{Axis, Panel};
use crate::record::{Header, Source};

/// Bins per decade of learning rates.
const BINS: i64 = 4;

/// Plots a histogram of the units' learning rates and, below it, the distance of each unit's weights from their initial
/// values relative to their initial size, with the median of each bin.
///
/// # Errors
/// A file is missing or malformed; the run has no `units.json`.
pub fn rates(source: &Source) -> Result<Figure, PlotError> {
    let header = Header::read(source)?;
    let file: Option<File> = read_json(&source.dir.join("units.json"))?;
    let units: Vec<(usize, Unit)> = file.map(File::units).unwrap_or_default();
    if units.is_empty() {
        return Err(PlotError::NoUnits { dir: source.dir.clone() });
    }
    let rates = || units.iter().map(|(_, unit)| unit.rate);
    let first = (rates().fold(f64::INFINITY, f64::min) + 1e-6).floor() as i64;
    let last = ((rates().fold(f64::NEG_INFINITY, f64::max) - 1e-6).ceil() as i64).max(first + 1);
    let range = (first as f64, last as f64);

    let mut members = vec![Vec::new(); ((last - first) * BINS) as usize];
    for (_, unit) in &units {
        let bin = ((unit.rate - range.0) * BINS as f64) as usize;
        let bin = bin.min(members.len() - 1);
        members[bin].push(unit.change);
    }
    let edge = |bin: usize| range.0 + bin as f64 / BINS as f64;
    let end = Point::new(range.1, 0.0);
    let bars = members.iter().enumerate().map(|(bin, members)| Point::new(edge(bin), members.len() as f64));
    let bars = Series { label: None, color: BLUE, marks: &[Mark::Bars], points: bars.chain([end]).collect() };
    let most = members.iter().map(Vec::len).max().unwrap_or(0) as f64;
    let histogram = Panel {
        height: 0.42,
        ..Panel::new(Axis::log("", range), Axis::new("units").within(0.0, 1.08 * most), vec![bars])
    };

    let mut series = by_layer(&units);
    let lost = |what: fn(f64) -> bool| units.iter().filter(|(_, unit)| what(unit.change)).count();
    for (remark, lost) in [
        ("non-finite", lost(|change| change.is_nan() || change == f64::INFINITY)),
        ("unchanged", lost(|change| change == f64::NEG_INFINITY)),
    ] {
        if lost > 0 {
            let label = Some(format!("{} {remark}", count(lost, "unit")));
            series.push(Series { label, color: GREY, marks: &[], points: Vec::new() });
        }
    }
    let medians = members.iter_mut().enumerate().filter_map(|(bin, changes)| {
        changes.retain(|change| change.is_finite());
        changes.sort_by(f64::total_cmp);
        Some(Point::new(edge(bin) + 0.5 / BINS as f64, *changes.get(changes.len() / 2)?))
    });
    series.push(Series {
        label: Some("bin median".into()),
        color: VERMILION,
        marks: &[Mark::Line { width: 3.0, opacity: 1.0 }, Mark::Dots { radius: 4.4, opacity: 1.0 }],
        points: medians.collect(),
    });
    let changes = units.iter().map(|(_, unit)| unit.change).filter(|change| change.is_finite());
    let (low, high) = changes.fold((0.0, 0.0), |(low, high): (f64, f64), change| (low.min(change), high.max(change)));
    let y = Axis::log("relative weight change (RMS)", (low.floor().max(high.ceil() - 12.0), high.ceil().max(1.0)));
    let changes = Panel::new(Axis::log("learning rate of the unit", range), y, series);
    let title = format!("{}, {}, seed {}: unit learning rates", header.task, header.method.label, header.seed);
    Ok(Figure { title, panels: vec![histogram, changes], layout: Layout::Below })
}

/// Draws a dot for each unit, in a color for each layer; many layers go from dark to bright.
fn by_layer(units: &[(usize, Unit)]) -> Vec<Series> {
    const DOTS: &[Mark] = &[Mark::Dots { radius: 3.4, opacity: 0.75 }];
    let layers = units.last().map_or(0, |(layer, _)| layer + 1);
    let few = layers <= 4;
    let series = (0..layers).map(|layer| {
        let of_layer = units.iter().filter(|(other, _)| *other == layer).map(|(_, unit)| unit);
        let label = match layer {
            _ if few => Some(format!("layer {} ({})", layer + 1, count(of_layer.clone().count(), "unit"))),
            0 => Some("first layer".into()),
            _ if layer == layers - 1 => Some(format!("last of {layers} layers")),
            _ => None,
        };
        let colors = [BLUE, ORANGE, GREEN, PURPLE];
        let color = if few { colors[layer] } else { viridis(layer as f64 / (layers - 1) as f64) };
        let seen = of_layer.filter(|unit| unit.change.is_finite());
        let points = seen.map(|unit| Point::new(unit.rate, unit.change)).collect();
        Series { label, color, marks: DOTS, points }
    });
    series.collect()
}

/// A unit, in decimal logarithms.
#[derive(Clone, Copy)]
struct Unit {
    rate: f64,
    /// NaN or infinity if the weights are non-finite, minus infinity if they are unchanged
    change: f64,
}

/// `units.json`.
#[derive(Deserialize)]
struct File {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    lr: Vec<f64>,
    initial_rms: Vec<f64>,
    change_rms: Vec<Number>,
}

#[derive(Deserialize)]
struct Number(#[serde(deserialize_with = "null_as_nan")] f64);

impl File {
    /// Returns the units with the index of their layer.
    fn units(self) -> Vec<(usize, Unit)> {
        let of_layer = |(layer, Layer { lr, initial_rms, change_rms }): (usize, Layer)| {
            let numbers = lr.into_iter().zip(initial_rms).zip(change_rms);
            numbers.map(move |((rate, size), Number(change))| {
                (layer, Unit { rate: rate.log10(), change: (change / size).log10() })
            })
        };
        self.layers.into_iter().enumerate().flat_map(of_layer).filter(|(_, unit)| unit.rate.is_finite()).collect()
    }
}
