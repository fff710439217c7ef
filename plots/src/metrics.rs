//! The figure of the metrics that callbacks recorded: a panel for each.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::PlotError;
use crate::figure::{Figure, Layout};
use crate::files::{null_as_nan, read_metrics};
use crate::marks::{Mark, Point, Series};
use crate::palette::BLUE;
use crate::panel::{Axis, Panel};
use crate::record::{Header, Source};

/// Plots each metric that a callback recorded over the environment steps, in alphabetical order.
///
/// # Errors
/// A file is missing or malformed; no callback recorded a metric.
pub fn metrics(source: &Source) -> Result<Figure, PlotError> {
    let header = Header::read(source)?;
    let mut metrics: BTreeMap<String, Vec<Point<f64>>> = BTreeMap::new();
    for record in read_metrics(&source.dir)? {
        if let Record::Metric { step, name, value } = record {
            metrics.entry(name).or_default().push(Point::new(step as f64, value));
        }
    }
    if metrics.is_empty() {
        return Err(PlotError::NoMetrics { dir: source.dir.clone() });
    }
    let panel = |(name, points): (String, Vec<Point<f64>>)| {
        let marks: &[Mark] = &[Mark::Line { width: 2.0, opacity: 1.0 }, Mark::Dots { radius: 2.5, opacity: 1.0 }];
        let series = Series { label: None, color: BLUE, marks, points };
        Panel { height: 0.5, ..Panel::new(Axis::new("environment steps"), Axis::new(name), vec![series]) }
    };
    let title = format!("{}, {}, seed {}: recorded metrics", header.task, header.method.label, header.seed);
    Ok(Figure { title, panels: metrics.into_iter().map(panel).collect(), layout: Layout::Below })
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Record {
    Metric {
        step: u64,
        name: String,
        #[serde(deserialize_with = "null_as_nan")]
        value: f64,
    },
    #[serde(other)]
    Other,
}
