//! The drawing canvas: subpixel coordinates, the text style, and the colors of everything but data.

use std::io;

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;

use crate::image::FONT;

/// plotters rounds coordinates to integers, so it draws on a canvas this many times finer than a pixel.
pub(crate) const FINE: i32 = 4;

/// HTML pages replace these colors by their own, so no data may use them.
pub(crate) const TEXT: RGBColor = RGBColor(38, 38, 38);
pub(crate) const AXIS: RGBColor = RGBColor(110, 110, 110);
pub(crate) const GRID: RGBColor = RGBColor(230, 230, 230);

pub(crate) type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(crate) type Failed = DrawingAreaErrorKind<io::Error>;
pub(crate) type Drawn = Result<(), Failed>;

pub(crate) fn fine(x: i32, y: i32) -> (i32, i32) {
    (x * FINE, y * FINE)
}

pub(crate) fn length(pixels: f64) -> i32 {
    (pixels * f64::from(FINE)).round() as i32
}

/// Returns the text style of a font size in pixels. plotters divides sizes by 1.24 when it writes SVG.
pub(crate) fn text_style(pixels: i32, style: FontStyle) -> TextStyle<'static> {
    (FONT, f64::from(pixels * FINE) * 1.24, style, &TEXT).into_text_style(&(1, 1))
}

/// Measures the width of a text in pixels. plotters underestimates Noto Sans by a tenth.
pub(crate) fn width(text: &str, style: &TextStyle) -> i32 {
    let (width, _) = style.font.box_size(text).expect("the embedded font is valid");
    width as i32 * 11 / 10 / FINE
}
