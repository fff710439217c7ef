//! A panel: a pair of axes with series or the cells of a heat map.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::canvas::{AXIS, Canvas, Drawn, FINE, Failed, GRID, fine, text_style, width};
use crate::marks::{Point, Series};
use crate::palette::{BLACK, GREY_CELL, WHITE, is_dark};

/// Margins of a panel around its plot, in pixels.
const LEFT: i32 = 94;
const RIGHT: i32 = 16;
const BOTTOM: i32 = 64;
const TITLE: i32 = 32;
/// Width of the space for a color bar, and of the bar.
const COLOR_BAR_SPACE: i32 = 108;
const COLOR_BAR: i32 = 18;

/// The largest magnitude that is drawn: differences of such numbers are finite. Larger values count as non-finite.
const LARGEST: f64 = 1e300;

/// A panel. Axes without a range cover the points.
#[derive(Clone)]
pub(crate) struct Panel {
    pub title: Option<String>,
    pub x: Axis,
    pub y: Axis,
    /// The series, in drawing and legend order.
    pub series: Vec<Series>,
    pub cells: Vec<Cell>,
    pub color_bar: Option<ColorBar>,
    /// The fraction of the height, if panels are stacked.
    pub height: f64,
}

/// An axis: its label, range and scale.
#[derive(Clone)]
pub(crate) struct Axis {
    pub label: String,
    pub scale: Scale,
    pub range: Option<(f64, f64)>,
}

/// The scale of an axis.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scale {
    Linear,
    /// Decimal logarithms.
    Log,
    /// Indices of this list.
    Places(Vec<String>),
}

/// A cell of a heat map, centered on its coordinates.
#[derive(Clone)]
pub(crate) struct Cell {
    pub x: f64,
    pub y: f64,
    pub fill: RGBColor,
    pub text: String,
    /// Whether a grey corner marks diverged seeds.
    pub corner: bool,
}

/// A color bar.
#[derive(Clone)]
pub(crate) struct ColorBar {
    /// The color at a fraction of the bar's height.
    pub color: fn(f64) -> RGBColor,
    /// Labels at the bottom, the middle and the top.
    pub labels: [String; 3],
}

/// The position of a panel's plot: left, top, right and bottom in pixels, and the coordinates of these edges.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Place {
    pub pixels: [i32; 4],
    pub x: (f64, f64),
    pub y: (f64, f64),
}

impl Axis {
    pub(crate) fn new(label: impl Into<String>) -> Self {
        Axis { label: label.into(), scale: Scale::Linear, range: None }
    }

    pub(crate) fn log(label: impl Into<String>, range: (f64, f64)) -> Self {
        Axis { label: label.into(), scale: Scale::Log, range: Some(range) }
    }

    pub(crate) fn places(label: impl Into<String>, names: Vec<String>) -> Self {
        let range = (-0.5, names.len() as f64 - 0.5);
        Axis { label: label.into(), scale: Scale::Places(names), range: Some(range) }
    }

    pub(crate) fn within(self, low: f64, high: f64) -> Self {
        Axis { range: Some((low, high)), ..self }
    }
}

impl Panel {
    /// Creates a panel of these series without their non-finite points, of which the legend gives the number.
    pub(crate) fn new(x: Axis, y: Axis, series: Vec<Series>) -> Self {
        let series = series.into_iter().map(drawable).collect();
        Panel { title: None, x, y, series, cells: Vec::new(), color_bar: None, height: 1.0 }
    }

    /// Draws the panel into a rectangle of the canvas: left, top, width and height in pixels.
    pub(crate) fn draw(&self, canvas: &Canvas, [left, top, wide, high]: [i32; 4]) -> Result<Place, Failed> {
        let title = self.title.as_ref().map_or(0, |_| TITLE);
        let left_room = self.left_room();
        if let Some(text) = &self.title {
            let style = text_style(19, FontStyle::Bold).pos(Pos::new(HPos::Left, VPos::Center));
            canvas.draw_text(text, &style, fine(left + left_room, top + TITLE / 2))?;
        }
        let ((x0, x1), (y0, y1)) = self.ranges();
        let bottom = if self.x.label.is_empty() { BOTTOM / 2 } else { BOTTOM };
        let right = RIGHT + self.color_bar.as_ref().map_or(0, |_| COLOR_BAR_SPACE);
        let area = canvas.clone().shrink(fine(left, top + title), fine(wide, high - title));
        let most_names = (wide - left_room - right) / (self.x.widest_name() + 8);
        let x_ticks = Ticks::of(&self.x, (x0, x1), wide / 100, most_names);
        let y_ticks = Ticks::of(&self.y, (y0, y1), high / 60, high / 20);
        let mut chart = ChartBuilder::on(&area)
            .margin_top(6 * FINE)
            .margin_right(right * FINE)
            .x_label_area_size(bottom * FINE)
            .y_label_area_size(left_room * FINE)
            .build_cartesian_2d(x_ticks, y_ticks)?;
        let mut mesh = chart.configure_mesh();
        if !self.cells.is_empty() {
            mesh.disable_mesh();
        }
        mesh.max_light_lines(0)
            .bold_line_style(GRID.stroke_width(FINE as u32))
            .axis_style(AXIS.stroke_width(FINE as u32 * 5 / 4))
            .set_all_tick_mark_size(5 * FINE)
            .label_style(text_style(17, FontStyle::Normal))
            .axis_desc_style(text_style(18, FontStyle::Normal))
            .x_labels(100)
            .y_labels(100)
            .x_label_formatter(&|&x| self.x.tick(x, x1 - x0))
            .y_label_formatter(&|&y| self.y.tick(y, y1 - y0))
            .x_desc(&self.x.label)
            .y_desc(&self.y.label)
            .draw()?;
        let plot = chart.plotting_area();
        let place = |x: f64, y: f64| plot.map_coordinate(&(x, y));
        self.draw_cells(canvas, &place)?;
        self.series.iter().try_for_each(|series| series.draw(canvas, (y0, y1), &place))?;
        let ((left, bottom), (right, top)) = (place(x0, y0), place(x1, y1));
        if let Some(key) = &self.color_bar {
            key.draw(canvas, [right / FINE + 24, top / FINE, COLOR_BAR, (bottom - top) / FINE])?;
        }
        Ok(Place { pixels: [left, top, right, bottom].map(|edge| edge / FINE), x: (x0, x1), y: (y0, y1) })
    }

    /// Returns the left margin.
    fn left_room(&self) -> i32 {
        let label = if self.y.label.is_empty() { 0 } else { LEFT / 3 };
        match &self.y.scale {
            Scale::Places(_) => label + 16 + self.y.widest_name(),
            _ => label + LEFT * 2 / 3,
        }
    }

    fn draw_cells(&self, canvas: &Canvas, place: &impl Fn(f64, f64) -> (i32, i32)) -> Drawn {
        for cell in &self.cells {
            let (left, bottom) = place(cell.x - 0.5, cell.y - 0.5);
            let (right, top) = place(cell.x + 0.5, cell.y + 0.5);
            let (left, bottom, right, top) = (left + FINE, bottom - FINE, right - FINE, top + FINE);
            canvas.draw(&Rectangle::new([(left, top), (right, bottom)], cell.fill.filled()))?;
            if cell.corner {
                let side = (right - left).min(bottom - top) / 3;
                let corner = vec![(right - side, top), (right, top), (right, top + side)];
                canvas.draw(&Polygon::new(corner, GREY_CELL))?;
            }
            let ink = if is_dark(cell.fill) { WHITE } else { BLACK };
            let room = (right - left) / FINE - 6;
            let sizes = [17, 15, 13, 11].map(|size| text_style(size, FontStyle::Normal));
            for style in sizes {
                if width(&cell.text, &style) <= room {
                    let style = style.color(&ink).pos(Pos::new(HPos::Center, VPos::Center));
                    canvas.draw_text(&cell.text, &style, ((left + right) / 2, (top + bottom) / 2))?;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Returns the ranges of the axes: the given ones, or from zero to the last x, and from the lowest to the highest y with
    /// some padding.
    fn ranges(&self) -> ((f64, f64), (f64, f64)) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = || (0.0, points().map(|point| point.x).fold(0.0, f64::max).max(1.0) * 1.02);
        let y = || padded(extent(points()));
        (with_length(self.x.range.unwrap_or_else(x)), with_length(self.y.range.unwrap_or_else(y)))
    }
}

/// Removes the non-finite points of a series and adds their number to its label.
fn drawable(series: Series) -> Series {
    let Series { label, color, marks, mut points } = series;
    let before = points.len();
    points.retain(|point| point.x.is_finite() && point.y.abs() <= LARGEST);
    for point in &mut points {
        let edge = |edge: f64| if edge.is_nan() { point.y } else { edge.clamp(-LARGEST, LARGEST) };
        (point.low, point.high) = (edge(point.low), edge(point.high));
    }
    let lost = before - points.len();
    Series { label: label.map(|label| with_non_finite(label, lost)), color, marks, points }
}

/// Adds the number of non-finite values to a label.
pub(crate) fn with_non_finite(label: String, count: usize) -> String {
    if count == 0 { label } else { format!("{label} ({count} non-finite)") }
}

/// Returns the range with finite ends that differ enough for ticks; without ends if there are none, as without points.
fn with_length((low, high): (f64, f64)) -> (f64, f64) {
    if low.is_nan() || high.is_nan() || low > high {
        return (0.0, 1.0);
    }
    let (low, high) = (low.max(-2.0 * LARGEST), high.min(2.0 * LARGEST));
    let least = (1e-6 * low.abs().max(high.abs())).max(1e-6);
    if high - low < least { (low - least, high + least) } else { (low, high) }
}

/// Returns the lowest and the highest y, including intervals.
pub(crate) fn extent<'a>(points: impl Iterator<Item = &'a Point<f64>>) -> (f64, f64) {
    points.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| (low.min(point.low), high.max(point.high)))
}

pub(crate) fn padded((low, high): (f64, f64)) -> (f64, f64) {
    // Values that hardly differ would need more digits than fit on the axis.
    let least = (0.005 * low.abs().max(high.abs())).max(0.005);
    let air = (0.05 * (high - low)).max(least);
    (low - air, high + air)
}

impl ColorBar {
    fn draw(&self, canvas: &Canvas, [left, top, wide, high]: [i32; 4]) -> Drawn {
        let strips = 64;
        for strip in 0..strips {
            let edge = |strip: i32| (top + high) * FINE - high * FINE * strip / strips;
            let color = (self.color)((f64::from(strip) + 0.5) / f64::from(strips));
            let corners = [(left * FINE, edge(strip + 1)), ((left + wide) * FINE, edge(strip))];
            canvas.draw(&Rectangle::new(corners, color.filled()))?;
        }
        let style = text_style(17, FontStyle::Normal).pos(Pos::new(HPos::Left, VPos::Center));
        let heights = [top + high - 8, top + high / 2, top + 8];
        let mut labels = self.labels.iter().zip(heights);
        labels.try_for_each(|(label, y)| canvas.draw_text(label, &style, fine(left + wide + 8, y)))
    }
}

/// A range with ticks.
#[derive(Clone)]
struct Ticks {
    range: Range<f64>,
    at: Vec<f64>,
}

impl Ticks {
    /// Returns at most about `most` ticks, or `most_names` of a list.
    fn of(axis: &Axis, (low, high): (f64, f64), most: i32, most_names: i32) -> Self {
        let at = match &axis.scale {
            Scale::Linear => RangedCoordf64::from(low..high).key_points(most as usize),
            Scale::Log => {
                let (first, last) = (low.ceil() as i64, high.floor() as i64);
                let step = ((last - first) / i64::from(most.max(1))).max(0) + 1;
                (first..=last).filter(|decade| decade.rem_euclid(step) == 0).map(|decade| decade as f64).collect()
            }
            Scale::Places(names) => {
                let step = names.len().div_ceil(most_names.max(1) as usize).max(1);
                (0..names.len()).step_by(step).map(|place| place as f64).collect()
            }
        };
        Ticks { range: low..high, at }
    }
}

impl Ranged for Ticks {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (first, last): (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range.clone()).map(value, (first, last))
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.at.clone()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Ticks {}

impl Axis {
    /// Returns the width of the widest name of a list, in pixels.
    fn widest_name(&self) -> i32 {
        let Scale::Places(names) = &self.scale else { return 0 };
        let style = text_style(17, FontStyle::Normal);
        names.iter().map(|name| width(name, &style)).max().unwrap_or(0)
    }

    fn tick(&self, value: f64, span: f64) -> String {
        match &self.scale {
            Scale::Linear => tick(value, span),
            Scale::Log => rate(10f64.powf(value)),
            Scale::Places(names) => names.get(value.round() as usize).cloned().unwrap_or_default(),
        }
    }
}

/// Formats a number on an axis of length `span`: 250, 2.5k, 0.25M or 2e12.
fn tick(value: f64, span: f64) -> String {
    let (unit, suffix) = match span {
        1e10.. if value != 0.0 => return rate(value),
        1e6.. => (1e6, "M"),
        1e4.. => (1e3, "k"),
        _ => (1.0, ""),
    };
    // Ticks are sums of steps; rounding hides their error, as in 0.30000000000000004.
    let digits = (value / unit * 1e6).round() / 1e6;
    if digits == 0.0 { "0".into() } else { minus(format!("{digits}{suffix}")) }
}

/// Formats a positive number of any magnitude to four digits: 1e−5, 0.1, 10.
pub(crate) fn rate(value: f64) -> String {
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    match rounded.abs() {
        1e-2..1e4 => minus(format!("{rounded}")),
        _ => minus(format!("{rounded:e}")),
    }
}

/// Formats a result with a number of decimals, or a very large one to four digits.
pub(crate) fn result(value: f64, decimals: usize) -> String {
    match value.abs() {
        0.0..1e7 => minus(format!("{value:.decimals$}")),
        _ if value.is_finite() => rate(value),
        _ => "non-finite".into(),
    }
}

/// Replaces the hyphen of a number by a minus sign.
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
            (2e260, 1e261, "2e260"),
        ] {
            assert_eq!(tick(value, span), expected);
        }
    }

    #[test]
    fn rates_are_short() {
        for (value, expected) in
            [(1e-5, "1e\u{2212}5"), (0.1, "0.1"), (10.0, "10"), (1e7, "1e7"), (0.021_544_3, "0.02154")]
        {
            assert_eq!(rate(value), expected);
        }
    }

    #[test]
    fn log_axes_have_ticks_at_decades() {
        let decades = |low, high, most| Ticks::of(&Axis::log("", (low, high)), (low, high), most, 0).at;
        assert_eq!(decades(-5.2, 1.0, 9), [-5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0]);
        assert_eq!(decades(-9.0, 7.0, 8), [-9.0, -6.0, -3.0, 0.0, 3.0, 6.0]);
    }

    #[test]
    fn too_many_names_are_thinned_out() {
        let axis = Axis::places("", ["1e-9", "1e-7", "1e-5", "1e-3", "0.1"].map(String::from).into());
        let shown = |room| Ticks::of(&axis, (-0.5, 4.5), 0, room).at;
        assert_eq!(shown(5), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!([shown(4), shown(3)], [[0.0, 2.0, 4.0], [0.0, 2.0, 4.0]]);
        assert_eq!((shown(2), shown(0)), (vec![0.0, 3.0], vec![0.0]));
    }
}
