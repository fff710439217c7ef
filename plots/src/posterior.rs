//! The figure of the head weights over time, as stacked areas.

use serde::Deserialize;

use crate::PlotError;
use crate::figure::Figure;
use crate::files::{null_as_nan, read_metrics};
use crate::marks::{Mark, Point, Series};
use crate::palette::viridis;
use crate::panel::{Axis, Panel, rate};
use crate::record::{Header, Source};

/// Plots the weights of the heads over time, from the slowest head at the bottom to the fastest at the top.
///
/// # Errors
/// A file is missing or malformed; the run has one head, or has logged no weights yet.
pub fn posterior(source: &Source) -> Result<Figure, PlotError> {
    let header = Header::read(source)?;
    let posteriors = read(source)?;
    let heads = posteriors.first().map_or(0, |(_, weights)| weights.len());
    if heads < 2 {
        return Err(PlotError::NoPosterior { dir: source.dir.clone() });
    }
    let last = posteriors.last().map_or(1.0, |(step, _)| *step);
    let names = names(&header, heads);
    let series = names.into_iter().enumerate().map(|(head, name)| Series {
        label: Some(name),
        color: viridis(head as f64 / (heads - 1) as f64),
        marks: &[Mark::Band { opacity: 1.0 }],
        points: area(&posteriors, head),
    });
    let unit = if header.is_agent() { "environment steps" } else { "updates" };
    let first = posteriors[0].0;
    let x = Axis::new(unit).within(if posteriors.len() > 1 { first } else { 0.0 }, last);
    let title =
        format!("{}, {}, seed {}: head weights by learning rate", header.task, header.method.label, header.seed);
    Ok(Figure::one(title, Panel::new(x, Axis::new("head weight").within(0.0, 1.0), series.collect())))
}

/// Stacks a head's weights on those of the slower heads.
fn area(posteriors: &[(f64, Vec<f64>)], head: usize) -> Vec<Point<f64>> {
    let at = |(x, weights): &(f64, Vec<f64>)| {
        let below: f64 = weights[..head].iter().sum();
        Point { x: *x, y: weights[head], low: below, high: below + weights[head] }
    };
    posteriors.iter().map(at).collect()
}

/// Returns the heads' learning rates, which are log-spaced (paper, Algorithm 1, line 6).
fn names(header: &Header, heads: usize) -> Vec<String> {
    let Some((low, high)) = header.method.lr_range() else {
        return (1..=heads).map(|head| format!("head {head}")).collect();
    };
    let share = |head: usize| head as f64 / (heads - 1) as f64;
    (0..heads).map(|head| format!("{:.1e}", low * (high / low).powf(share(head)))).map(short).collect()
}

fn short(eta: String) -> String {
    eta.parse().map(rate).unwrap_or(eta)
}

/// Reads the weights by step. After the other heads were pruned, the top-weighted head has all the weight.
fn read(source: &Source) -> Result<Vec<(f64, Vec<f64>)>, PlotError> {
    let mut posteriors: Vec<(f64, Vec<f64>)> = Vec::new();
    for record in read_metrics(&source.dir)? {
        let Record::Update { step, posterior } = record else { continue };
        let mut weights: Vec<f64> = posterior.into_iter().map(|Weight(weight)| weight).collect();
        if let ([_], Some((_, before))) = (&weights[..], posteriors.last()) {
            let best = (0..before.len()).max_by(|&i, &j| before[i].total_cmp(&before[j])).unwrap_or(0);
            weights = (0..before.len()).map(|head| if head == best { 1.0 } else { 0.0 }).collect();
        }
        let same_heads = posteriors.last().is_none_or(|(_, before)| before.len() == weights.len());
        if same_heads && weights.iter().all(|weight| weight.is_finite()) {
            posteriors.push((step as f64, weights));
        }
    }
    // A resumed run may repeat some steps.
    posteriors.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    Ok(posteriors)
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Record {
    Update {
        step: u64,
        #[serde(default)]
        posterior: Vec<Weight>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Weight(#[serde(deserialize_with = "null_as_nan")] f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_stacked() {
        let posteriors = [(100.0, vec![0.25, 0.5, 0.25])];
        let edges = [0, 1, 2].map(|head| area(&posteriors, head)[0]).map(|point| (point.low, point.high));
        assert_eq!(edges, [(0.0, 0.25), (0.25, 0.75), (0.75, 1.0)]);
    }
}
