//! Figures as SVG: a title, a legend above the panels, where it covers no data, and the panels.
//!
//! A series has the same marks in its panel and in its legend entry. A figure has two sizes: a wide one for files, and a
//! narrow one for phones; [`Figure::embed`] returns both for a page, with the data.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use serde::Serialize;

use crate::PlotError;
use crate::canvas::{Canvas, Drawn, FINE, Failed, fine, text_style, width};
use crate::image::{register_fonts, save};
use crate::marks::{SAMPLE, Series};
use crate::panel::{Panel, Place, Scale};

/// Widths of a figure, in pixels.
const WIDE: i32 = 960;
const NARROW: i32 = 480;
const MARGIN: i32 = 16;

const TITLE_HEIGHT: i32 = 62;
const LEGEND_LEFT: i32 = 110;
const LEGEND_ROW: i32 = 27;
const LEGEND_GAP: i32 = 14;
const SAMPLE_GAP: i32 = 10;
const COLUMN_GAP: i32 = 40;

/// A figure: a title and panels.
#[derive(Clone)]
pub struct Figure {
    pub(crate) title: String,
    pub(crate) panels: Vec<Panel>,
    pub(crate) layout: Layout,
}

/// The layout of panels; narrow figures always stack them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Beside,
    Below,
}

/// A figure for an HTML page with its own title and colors.
#[derive(Clone, Debug)]
pub struct EmbeddedFigure {
    /// The title.
    pub title: String,
    /// The SVG for pages at least 700 pixels wide.
    pub wide: String,
    /// The SVG for narrower pages.
    pub narrow: String,
    /// The data as JSON: the axes, series and positions of each panel.
    pub data: String,
}

/// A panel's data, for tooltips.
#[derive(Serialize)]
struct PanelData<'a> {
    x: AxisData<'a>,
    y: AxisData<'a>,
    wide: Place,
    narrow: Place,
    series: Vec<SeriesData<'a>>,
}

#[derive(Serialize)]
struct AxisData<'a> {
    label: &'a str,
    log: bool,
}

#[derive(Serialize)]
struct SeriesData<'a> {
    label: &'a str,
    color: String,
    points: Vec<[f64; 2]>,
}

impl Figure {
    pub(crate) fn one(title: String, panel: Panel) -> Self {
        Figure { title, panels: vec![panel], layout: Layout::Beside }
    }

    /// Writes the figure atomically, as SVG or PNG by the file's extension.
    ///
    /// # Errors
    /// The extension is another, or the file can't be written.
    pub fn save(&self, out: &std::path::Path) -> Result<(), PlotError> {
        save(self.to_svg()?, out)
    }

    /// Draws the SVG for files.
    pub(crate) fn to_svg(&self) -> Result<String, PlotError> {
        Ok(self.draw(WIDE, true)?.0)
    }

    /// Draws the figure for an HTML page.
    ///
    /// # Errors
    /// The drawing failed.
    pub fn embed(&self) -> Result<EmbeddedFigure, PlotError> {
        let ((wide, wide_places), (narrow, narrow_places)) = (self.draw(WIDE, false)?, self.draw(NARROW, false)?);
        let panels = self.panels.iter().zip(wide_places.into_iter().zip(narrow_places));
        let data: Vec<PanelData> = panels.map(|(panel, (wide, narrow))| PanelData::of(panel, wide, narrow)).collect();
        let data = serde_json::to_string(&data).expect("numbers and texts");
        Ok(EmbeddedFigure { title: self.title.clone(), wide, narrow, data })
    }

    fn draw(&self, wide: i32, titled: bool) -> Result<(String, Vec<Place>), PlotError> {
        register_fonts();
        let high = self.height(wide) + self.legend(wide).height();
        let mut svg = String::new();
        let (fine_width, fine_height) = (wide * FINE, high * FINE);
        let canvas = SVGBackend::with_string(&mut svg, (fine_width as u32, fine_height as u32)).into_drawing_area();
        let places = self.draw_on(&canvas, wide, high, titled).map_err(PlotError::draw)?;
        drop(canvas);
        // Lines inherit round joins and caps, since noisy curves would show spikes.
        let svg = svg.replacen(
            &format!(r#"width="{fine_width}" height="{fine_height}""#),
            &format!(r#"width="{wide}" height="{high}" stroke-linejoin="round" stroke-linecap="round""#),
            1,
        );
        Ok((svg, places))
    }

    /// Returns the height without the legend, in pixels.
    fn height(&self, wide: i32) -> i32 {
        let count = self.panels.len() as i32;
        match (wide, self.layout) {
            (WIDE, Layout::Beside) if count > 1 => 470,
            (WIDE, Layout::Beside) => 540,
            (WIDE, Layout::Below) => 700,
            _ => 20 + 360 * count,
        }
    }

    fn draw_on(&self, canvas: &Canvas, wide: i32, high: i32, titled: bool) -> Result<Vec<Place>, Failed> {
        canvas.fill(&plotters::style::WHITE)?;
        let mut top = 8;
        if titled {
            let style = text_style(23, FontStyle::Bold).pos(Pos::new(HPos::Left, VPos::Center));
            canvas.draw_text(&self.title, &style, fine(LEGEND_LEFT, TITLE_HEIGHT / 2 + 4))?;
            top = TITLE_HEIGHT;
        }
        let legend = self.legend(wide);
        legend.draw(canvas, top)?;
        top += legend.height();
        let (wide, high) = (wide - 2 * MARGIN, high - top - MARGIN);
        let sum: f64 = self.panels.iter().map(|panel| panel.height).sum();
        let count = self.panels.len() as i32;
        let (mut places, mut done) = (Vec::new(), 0.0);
        for (i, panel) in self.panels.iter().enumerate() {
            let rectangle = match self.layout {
                Layout::Beside if wide > NARROW => [MARGIN + wide / count * i as i32, top, wide / count, high],
                _ => {
                    let share = |part: f64| (f64::from(high) * part / sum) as i32;
                    [MARGIN, top + share(done), wide, share(panel.height)]
                }
            };
            places.push(panel.draw(canvas, rectangle)?);
            done += panel.height;
        }
        Ok(places)
    }

    /// Returns the distinct series with a legend entry.
    fn listed(&self) -> Vec<(&Series, &str)> {
        let mut listed: Vec<(&Series, &str)> = Vec::new();
        for series in self.panels.iter().flat_map(|panel| &panel.series) {
            if let Some(label) = &series.label
                && listed.iter().all(|(_, other)| other != label)
            {
                listed.push((series, label));
            }
        }
        listed
    }

    /// Arranges the legend in as many columns as fit.
    fn legend(&self, wide: i32) -> Legend<'_> {
        let style = text_style(17, FontStyle::Normal);
        let entry = |(series, label)| (series, label, SAMPLE + SAMPLE_GAP + width(label, &style) + COLUMN_GAP);
        let entries: Vec<_> = self.listed().into_iter().map(entry).collect();
        let left = if wide == WIDE { LEGEND_LEFT } else { 2 * MARGIN };
        let room = wide - left - 2 * MARGIN + COLUMN_GAP;
        let fits = |&rows: &usize| column_widths(&entries, rows).iter().sum::<i32>() <= room;
        let rows = (1..entries.len()).find(fits).unwrap_or(entries.len());
        Legend { entries, rows, left }
    }
}

/// The entries of a legend: series, label, and the width of both in pixels.
struct Legend<'a> {
    entries: Vec<(&'a Series, &'a str, i32)>,
    rows: usize,
    left: i32,
}

impl Legend<'_> {
    fn height(&self) -> i32 {
        self.rows as i32 * LEGEND_ROW + LEGEND_GAP
    }

    fn draw(&self, canvas: &Canvas, top: i32) -> Drawn {
        let style = text_style(17, FontStyle::Normal).pos(Pos::new(HPos::Left, VPos::Center));
        let mut x = self.left;
        for (column, width) in self.entries.chunks(self.rows.max(1)).zip(column_widths(&self.entries, self.rows)) {
            for (row, (series, label, _)) in column.iter().enumerate() {
                let y = top + LEGEND_ROW * row as i32 + LEGEND_ROW / 2;
                series.draw_sample(canvas, x, y)?;
                canvas.draw_text(label, &style, fine(x + SAMPLE + SAMPLE_GAP, y))?;
            }
            x += width;
        }
        Ok(())
    }
}

/// Returns the widths of the columns for a number of rows.
fn column_widths(entries: &[(&Series, &str, i32)], rows: usize) -> Vec<i32> {
    let columns = entries.chunks(rows.max(1));
    columns.map(|column| column.iter().map(|&(.., width)| width).max().unwrap_or(0)).collect()
}

impl<'a> PanelData<'a> {
    fn of(panel: &'a Panel, wide: Place, narrow: Place) -> Self {
        let axis = |axis: &'a crate::panel::Axis| AxisData { label: &axis.label, log: axis.scale == Scale::Log };
        let series = panel.series.iter().filter_map(|series| {
            let RGBColor(red, green, blue) = series.color;
            Some(SeriesData {
                label: series.label.as_deref()?,
                color: format!("#{red:02x}{green:02x}{blue:02x}"),
                points: series.points.iter().map(|point| [point.x, point.y]).collect(),
            })
        });
        PanelData { x: axis(&panel.x), y: axis(&panel.y), wide, narrow, series: series.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marks::{Mark, Point};
    use crate::panel::Axis;

    #[test]
    fn one_point_and_huge_spans_still_draw() {
        for points in [vec![Point::new(0.0, 0.0)], vec![Point::new(1.0, -1e300), Point::new(1e18, 1e300)]] {
            let series = Series { label: None, color: BLACK, marks: &[Mark::Star], points };
            let figure = Figure::one("t".into(), Panel::new(Axis::new("x"), Axis::new("y"), vec![series]));
            assert!(figure.to_svg().unwrap().contains("<polygon"));
        }
    }
}
