//! Series of points and their marks, in a panel and in the legend.

use std::iter::once;

use plotters::element::DashedPathElement;
use plotters::prelude::*;

use crate::canvas::{Canvas, Drawn, FINE, TEXT, fine, length};

/// Width of a legend entry's sample, in pixels.
pub(crate) const SAMPLE: i32 = 36;

/// Points with one color.
#[derive(Clone)]
pub(crate) struct Series {
    /// Its entry in the legend.
    pub label: Option<String>,
    pub color: RGBColor,
    pub marks: &'static [Mark],
    pub points: Vec<Point<f64>>,
}

/// A point with an interval around y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point<T> {
    pub x: T,
    pub y: T,
    pub low: T,
    pub high: T,
}

/// The mark of a series' points; lengths in pixels.
pub(crate) enum Mark {
    /// A band of the intervals around the points.
    Band {
        opacity: f64,
    },
    /// A bar from each point to the next, with the height of the first.
    Bars,
    Line {
        width: f64,
        opacity: f64,
    },
    Dashes {
        width: f64,
        dash: f64,
        gap: f64,
    },
    Dots {
        radius: f64,
        opacity: f64,
    },
    Star,
}

impl Point<f64> {
    pub(crate) fn new(x: f64, y: f64) -> Self {
        Self::between(x, y, 0.0)
    }

    /// Creates a point with the interval `y` ± `spread`, without interval if `spread` is non-finite.
    pub(crate) fn between(x: f64, y: f64, spread: f64) -> Self {
        let spread = if spread.is_finite() { spread } else { 0.0 };
        Self { x, y, low: y - spread, high: y + spread }
    }
}

impl Series {
    /// Draws the visible parts of the series; `place` maps points to pixels.
    pub(crate) fn draw(
        &self,
        canvas: &Canvas,
        (bottom, top): (f64, f64),
        place: &impl Fn(f64, f64) -> (i32, i32),
    ) -> Drawn {
        let placed = |point: &Point<f64>| {
            let ((x, y), height) = (place(point.x, point.y), |y: f64| place(point.x, y.clamp(bottom, top)).1);
            Point { x, y, low: height(point.low), high: height(point.high) }
        };
        for stretch in in_view(&self.points, bottom, top) {
            let points: Vec<_> = stretch.iter().map(placed).collect();
            self.marks.iter().try_for_each(|mark| mark.draw(canvas, self.color, &points, place(0.0, bottom).1))?;
        }
        Ok(())
    }

    /// Draws a sample of the marks for the legend: lines at full length, points and stars once, at the center.
    pub(crate) fn draw_sample(&self, canvas: &Canvas, x: i32, y: i32) -> Drawn {
        let ((left, y), half) = (fine(x, y), 8 * FINE);
        let at = |x| Point { x, y, low: y + half, high: y - half };
        let middle = at(left + SAMPLE * FINE / 2);
        let ends = [at(left), at(left + SAMPLE * FINE)];
        self.marks.iter().try_for_each(|mark| match mark {
            Mark::Dots { .. } | Mark::Star => mark.draw(canvas, self.color, &[middle], 0),
            Mark::Bars => Mark::Band { opacity: 1.0 }.draw(canvas, self.color, &ends, 0),
            Mark::Band { .. } | Mark::Line { .. } | Mark::Dashes { .. } => mark.draw(canvas, self.color, &ends, 0),
        })
    }
}

/// Clips a curve to the y range and returns its visible parts.
fn in_view(points: &[Point<f64>], bottom: f64, top: f64) -> Vec<Vec<Point<f64>>> {
    let inside = |point: &Point<f64>| (bottom..=top).contains(&point.y);
    let (mut stretches, mut stretch) = (Vec::new(), Vec::new());
    for (i, point) in points.iter().enumerate() {
        if let Some(before) = i.checked_sub(1).map(|i| &points[i])
            && inside(before) != inside(point)
        {
            let edge = if before.y.max(point.y) > top { top } else { bottom };
            let share = (edge - before.y) / (point.y - before.y);
            stretch.push(Point::new(before.x + share * (point.x - before.x), edge));
        }
        if inside(point) {
            stretch.push(*point);
        } else if !stretch.is_empty() {
            stretches.push(std::mem::take(&mut stretch));
        }
    }
    stretches.extend((!stretch.is_empty()).then_some(stretch));
    stretches
}

impl Mark {
    fn draw(&self, canvas: &Canvas, color: RGBColor, points: &[Point<i32>], bottom: i32) -> Drawn {
        let path = || points.iter().map(|point| (point.x, point.y));
        match *self {
            Self::Band { opacity } => {
                let upper = points.iter().map(|point| (point.x, point.high));
                let lower = points.iter().rev().map(|point| (point.x, point.low));
                canvas.draw(&Polygon::new(upper.chain(lower).collect::<Vec<_>>(), color.mix(opacity)))
            }
            Self::Bars => points.windows(2).filter(|pair| pair[0].y != bottom).try_for_each(|pair| {
                let corners = [(pair[0].x, pair[0].y), (pair[1].x - FINE, bottom)];
                canvas.draw(&Rectangle::new(corners, color.filled()))
            }),
            Self::Line { width, opacity } => {
                let style = color.mix(opacity).stroke_width(length(width) as u32);
                canvas.draw(&PathElement::new(path().collect::<Vec<_>>(), style))
            }
            Self::Dashes { width, dash, gap } => {
                let style = color.stroke_width(length(width) as u32);
                canvas.draw(&DashedPathElement::new(path(), length(dash), length(gap), style))
            }
            Self::Dots { radius, opacity } => {
                path().try_for_each(|at| canvas.draw(&Circle::new(at, length(radius), color.mix(opacity).filled())))
            }
            Self::Star => path().try_for_each(|at| {
                let corners = star(at);
                canvas.draw(&Polygon::new(corners.clone(), color))?;
                let outline: Vec<_> = corners.iter().chain(once(&corners[0])).copied().collect();
                canvas.draw(&PathElement::new(outline, TEXT.stroke_width(length(1.5) as u32)))
            }),
        }
    }
}

fn star((x, y): (i32, i32)) -> Vec<(i32, i32)> {
    (0..10)
        .map(|corner| {
            let radius = f64::from(length(if corner % 2 == 0 { 11.0 } else { 4.6 }));
            let (sin, cos) = (f64::from(corner) * std::f64::consts::PI / 5.0).sin_cos();
            (x + (radius * sin).round() as i32, y - (radius * cos).round() as i32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_clipped_to_the_y_range() {
        let points = [(0.0, 5.0), (1.0, 15.0), (2.0, 15.0), (3.0, 5.0), (4.0, -5.0)].map(|(x, y)| Point::new(x, y));
        let stretches: Vec<Vec<(f64, f64)>> = in_view(&points, 0.0, 10.0)
            .into_iter()
            .map(|stretch| stretch.into_iter().map(|point| (point.x, point.y)).collect())
            .collect();
        assert_eq!(stretches, [vec![(0.0, 5.0), (0.5, 10.0)], vec![(2.5, 10.0), (3.0, 5.0), (3.5, 0.0)]]);
        assert!(in_view(&points[1..3], 0.0, 10.0).is_empty());
    }
}
