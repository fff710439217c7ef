//! One chart as SVG: a title, a legend above the plot, where it covers no data, and series drawn over each other.
//!
//! A series is drawn by the same marks in the plot and in its legend entry.

use std::io;
use std::iter::once;

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::PlotError;
use crate::image::{FONT, register_fonts};

/// plotters rounds coordinates to integers, so it draws on a canvas this many times finer than a pixel.
const FINE: i32 = 4;
/// Width and height of the picture, pixels.
const SIZE: (i32, i32) = (960, 600);
/// From the picture's edges to the plot, pixels.
const LEFT: i32 = 110;
const RIGHT: i32 = 32;
const BOTTOM: i32 = 72;

const TITLE_HEIGHT: i32 = 62;
const LEGEND_ROW: i32 = 27;
const LEGEND_GAP: i32 = 14;
/// Width of a legend entry's sample, and the room between it and the label.
const SAMPLE: i32 = 36;
const SAMPLE_GAP: i32 = 10;
const COLUMN_GAP: i32 = 40;

const TEXT: RGBColor = RGBColor(38, 38, 38);
const AXIS: RGBColor = RGBColor(110, 110, 110);
const GRID: RGBColor = RGBColor(230, 230, 230);

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<io::Error>>;

/// A chart. The ranges of its axes are those of its points.
pub(crate) struct Figure {
    pub title: String,
    pub x_label: &'static str,
    pub y_label: &'static str,
    /// In the order they are drawn and listed.
    pub series: Vec<Series>,
}

/// Points drawn in one colour.
pub(crate) struct Series {
    /// Its entry in the legend.
    pub label: Option<String>,
    pub color: RGBColor,
    pub marks: &'static [Mark],
    pub points: Vec<Point<f64>>,
}

/// A point with an interval around its ordinate.
#[derive(Clone, Copy)]
pub(crate) struct Point<T> {
    pub x: T,
    pub y: T,
    pub low: T,
    pub high: T,
}

/// A way to draw the points of a series; lengths in pixels.
pub(crate) enum Mark {
    /// The interval around each point, as a transparent surface.
    Band,
    Line {
        width: f64,
        opacity: f64,
    },
    Dashes {
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

    /// `y` give or take `spread`, which counts as nothing if it isn't finite.
    pub(crate) fn between(x: f64, y: f64, spread: f64) -> Self {
        let spread = if spread.is_finite() { spread } else { 0.0 };
        Self { x, y, low: y - spread, high: y + spread }
    }
}

impl Figure {
    pub(crate) fn to_svg(&self) -> Result<String, PlotError> {
        register_fonts();
        let mut svg = String::new();
        let (width, height) = (SIZE.0 * FINE, SIZE.1 * FINE);
        let canvas = SVGBackend::with_string(&mut svg, (width as u32, height as u32)).into_drawing_area();
        self.draw(&canvas).map_err(PlotError::draw)?;
        drop(canvas);
        // Lines inherit round joins and ends: noisy curves would show spikes.
        Ok(svg.replacen(
            &format!(r#"width="{width}" height="{height}""#),
            &format!(r#"width="{}" height="{}" stroke-linejoin="round" stroke-linecap="round""#, SIZE.0, SIZE.1),
            1,
        ))
    }

    fn draw(&self, canvas: &Canvas) -> Drawn {
        canvas.fill(&WHITE)?;
        let title = text_style(23, FontStyle::Bold).pos(Pos::new(HPos::Left, VPos::Center));
        canvas.draw_text(&self.title, &title, fine(LEFT, TITLE_HEIGHT / 2 + 4))?;
        let top = TITLE_HEIGHT + self.draw_legend(canvas)?;

        let (x_range, y_range) = self.ranges();
        let (x_span, y_span) = (x_range.end - x_range.start, y_range.end - y_range.start);
        let mut chart = ChartBuilder::on(canvas)
            .margin_top(top * FINE)
            .margin_right(RIGHT * FINE)
            .margin_left(16 * FINE)
            .margin_bottom(14 * FINE)
            .x_label_area_size((BOTTOM - 14) * FINE)
            .y_label_area_size((LEFT - 16) * FINE)
            .build_cartesian_2d(x_range, y_range)?;
        chart
            .configure_mesh()
            .max_light_lines(0)
            .bold_line_style(GRID.stroke_width(FINE as u32))
            .axis_style(AXIS.stroke_width(FINE as u32 * 5 / 4))
            .set_all_tick_mark_size(5 * FINE)
            .label_style(text_style(17, FontStyle::Normal))
            .axis_desc_style(text_style(19, FontStyle::Normal))
            .x_labels(9)
            .y_labels(8)
            .x_label_formatter(&|&x| tick(x, x_span))
            .y_label_formatter(&|&y| tick(y, y_span))
            .x_desc(self.x_label)
            .y_desc(self.y_label)
            .draw()?;

        let plot = chart.plotting_area();
        for series in &self.series {
            let points = series.points.iter().map(|point| {
                let (x, y) = plot.map_coordinate(&(point.x, point.y));
                let (_, low) = plot.map_coordinate(&(point.x, point.low));
                let (_, high) = plot.map_coordinate(&(point.x, point.high));
                Point { x, y, low, high }
            });
            series.draw(canvas, &points.collect::<Vec<_>>())?;
        }
        canvas.present()
    }

    /// Draws the legend below the title in as many columns as fit; gives its height in pixels.
    fn draw_legend(&self, canvas: &Canvas) -> Result<i32, DrawingAreaErrorKind<io::Error>> {
        let style = text_style(17, FontStyle::Normal).pos(Pos::new(HPos::Left, VPos::Center));
        let mut entries = Vec::new();
        for series in &self.series {
            if let Some(label) = &series.label {
                // plotters measures Noto Sans a tenth narrower than it writes it.
                let width = canvas.estimate_text_size(label, &style)?.0 as i32 * 11 / 10 / FINE;
                entries.push((series, label, SAMPLE + SAMPLE_GAP + width + COLUMN_GAP));
            }
        }
        let widths = |rows| {
            let columns = entries.chunks(rows);
            columns.map(|column| column.iter().map(|&(.., width)| width).max().unwrap_or(0))
        };
        let room = SIZE.0 - LEFT - RIGHT + COLUMN_GAP;
        let fits = |&rows: &usize| widths(rows).sum::<i32>() <= room;
        let rows = (1..entries.len()).find(fits).unwrap_or(entries.len().max(1));
        let mut x = LEFT;
        for (column, width) in entries.chunks(rows).zip(widths(rows)) {
            for (row, (series, label, _)) in column.iter().enumerate() {
                let y = TITLE_HEIGHT + LEGEND_ROW * row as i32 + LEGEND_ROW / 2;
                series.draw_sample(canvas, x, y)?;
                canvas.draw_text(label, &style, fine(x + SAMPLE + SAMPLE_GAP, y))?;
            }
            x += width;
        }
        Ok(rows as i32 * LEGEND_ROW + LEGEND_GAP)
    }

    /// From zero to the last abscissa, and from the lowest to the highest ordinate with some air.
    fn ranges(&self) -> (std::ops::Range<f64>, std::ops::Range<f64>) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let last = points().map(|point| point.x).fold(0.0, f64::max);
        let low = points().map(|point| point.low).fold(f64::INFINITY, f64::min);
        let high = points().map(|point| point.high).fold(f64::NEG_INFINITY, f64::max);
        // Numbers that hardly differ would need more digits on the axis than there is room for.
        let least = (0.005 * low.abs().max(high.abs())).max(0.005);
        let air = (0.05 * (high - low)).max(least);
        (0.0..last.max(1.0) * 1.02, low - air..high + air)
    }
}

impl Series {
    fn draw(&self, canvas: &Canvas, points: &[Point<i32>]) -> Drawn {
        self.marks.iter().try_for_each(|mark| mark.draw(canvas, self.color, points))
    }

    /// Draws the marks on a short stretch, single ones in its middle.
    fn draw_sample(&self, canvas: &Canvas, x: i32, y: i32) -> Drawn {
        let ((left, y), half) = (fine(x, y), 8 * FINE);
        let at = |x| Point { x, y, low: y + half, high: y - half };
        let middle = at(left + SAMPLE * FINE / 2);
        let ends = [at(left), at(left + SAMPLE * FINE)];
        self.marks.iter().try_for_each(|mark| match mark {
            Mark::Dots { .. } | Mark::Star => mark.draw(canvas, self.color, &[middle]),
            Mark::Band | Mark::Line { .. } | Mark::Dashes { .. } => mark.draw(canvas, self.color, &ends),
        })
    }
}

impl Mark {
    fn draw(&self, canvas: &Canvas, color: RGBColor, points: &[Point<i32>]) -> Drawn {
        let path = || points.iter().map(|point| (point.x, point.y));
        match *self {
            Self::Band => {
                let upper = points.iter().map(|point| (point.x, point.high));
                let lower = points.iter().rev().map(|point| (point.x, point.low));
                canvas.draw(&Polygon::new(upper.chain(lower).collect::<Vec<_>>(), color.mix(0.18)))
            }
            Self::Line { width, opacity } => {
                let style = color.mix(opacity).stroke_width(length(width) as u32);
                canvas.draw(&PathElement::new(path().collect::<Vec<_>>(), style))
            }
            Self::Dashes { dash, gap } => {
                let style = color.stroke_width(length(2.2) as u32);
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

fn fine(x: i32, y: i32) -> (i32, i32) {
    (x * FINE, y * FINE)
}

fn length(pixels: f64) -> i32 {
    (pixels * f64::from(FINE)).round() as i32
}

/// Text of a font size in pixels. plotters divides sizes by 1.24 on the way to SVG.
fn text_style(pixels: i32, style: FontStyle) -> TextStyle<'static> {
    (FONT, f64::from(pixels * FINE) * 1.24, style, &TEXT).into_text_style(&(1, 1))
}

/// A number on an axis that spans `span`: 250, 2.5k or 0.25M.
fn tick(value: f64, span: f64) -> String {
    let (unit, suffix) = match span {
        1e6.. => (1e6, "M"),
        1e4.. => (1e3, "k"),
        _ => (1.0, ""),
    };
    // Ticks are sums of steps: rounding hides what they gather, such as 0.30000000000000004.
    let digits = (value / unit * 1e6).round() / 1e6;
    if digits == 0.0 { "0".into() } else { minus(format!("{digits}{suffix}")) }
}

/// Writes a number's hyphen as the sign it stands for.
pub(crate) fn minus(number: String) -> String {
    number.replace('-', "\u{2212}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_short() {
        for (value, span, expected) in [
            (0.0, 5e4, "0"),
            (-0.0, 10.0, "0"),
            (10_000.0, 5e4, "10k"),
            (2_500.0, 1e4, "2.5k"),
            (1_500.0, 2e3, "1500"),
            (250_000.0, 2e6, "0.25M"),
            (-1_200.0, 1.2e3, "\u{2212}1200"),
            (0.1 + 0.2, 1.0, "0.3"),
        ] {
            assert_eq!(tick(value, span), expected);
        }
    }

    #[test]
    fn one_point_and_huge_spans_still_draw() {
        for points in [vec![Point::new(0.0, 0.0)], vec![Point::new(1.0, -1e300), Point::new(1e18, 1e300)]] {
            let series = Series { label: None, color: BLACK, marks: &[Mark::Star], points };
            let figure = Figure { title: "t".into(), x_label: "x", y_label: "y", series: vec![series] };
            assert!(figure.to_svg().unwrap().contains("<polygon"));
        }
    }
}
