//! A canvas for anti-aliased shapes in world coordinates: [`Canvas`].

use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PremultipliedColorU8, Stroke, Transform,
};

use super::Frame;
use crate::Pose;

/// Red, green and blue.
pub(super) type Rgb = [u8; 3];

/// A point in the world, meters to the right and upwards.
pub(super) type Point = [f32; 2];

/// An unfinished frame.
pub(super) struct Canvas {
    pixmap: Pixmap,
    to_pixels: Transform,
}

impl Canvas {
    /// Creates an empty canvas with the world's origin at the pixel `origin`.
    pub fn new(size: [u16; 2], background: Rgb, pixels_per_meter: f32, origin: Point) -> Self {
        let [width, height] = size.map(u32::from);
        let mut pixmap = Pixmap::new(width, height).expect("the size is above 0");
        let [r, g, b] = background;
        pixmap.fill(Color::from_rgba8(r, g, b, 255));
        let [x, y] = origin;
        Self { pixmap, to_pixels: Transform::from_row(pixels_per_meter, 0.0, 0.0, -pixels_per_meter, x, y) }
    }

    pub fn polygon(&mut self, corners: impl IntoIterator<Item = Point>, color: Rgb) {
        self.fill(path(corners, true), color);
    }

    /// Draws the edges of a polygon.
    pub fn outline(&mut self, corners: impl IntoIterator<Item = Point>, width: f32, color: Rgb) {
        self.stroke(path(corners, true), width, LineCap::Butt, color);
    }

    pub fn line(&mut self, points: impl IntoIterator<Item = Point>, width: f32, color: Rgb) {
        self.stroke(path(points, false), width, LineCap::Butt, color);
    }

    /// Draws a line with round ends.
    pub fn rod(&mut self, ends: [Point; 2], width: f32, color: Rgb) {
        self.stroke(path(ends, false), width, LineCap::Round, color);
    }

    pub fn disc(&mut self, [x, y]: Point, radius: f32, color: Rgb) {
        self.fill(PathBuilder::from_circle(x, y, radius), color);
    }

    pub fn into_frame(self) -> Frame {
        let [width, height] = [self.pixmap.width(), self.pixmap.height()].map(|pixels| pixels as u16);
        let values = |pixel: &PremultipliedColorU8| [pixel.red(), pixel.green(), pixel.blue()];
        let rgb = self.pixmap.pixels().iter().flat_map(values).collect();
        Frame::new(width, height, rgb).expect("three values a pixel")
    }

    fn fill(&mut self, path: Option<Path>, color: Rgb) {
        if let Some(path) = path {
            self.pixmap.fill_path(&path, &paint(color), FillRule::Winding, self.to_pixels, None);
        }
    }

    fn stroke(&mut self, path: Option<Path>, width: f32, line_cap: LineCap, color: Rgb) {
        if let Some(path) = path {
            let stroke = Stroke { width, line_cap, line_join: LineJoin::Round, ..Stroke::default() };
            self.pixmap.stroke_path(&path, &paint(color), &stroke, self.to_pixels, None);
        }
    }
}

/// Converts a point from a body's coordinates to the world's.
pub(super) fn to_world(body: &Pose, [x, y]: Point) -> Point {
    let (sin, cos) = body.angle.sin_cos();
    [body.x + cos * x - sin * y, body.y + sin * x + cos * y]
}

fn paint(color: Rgb) -> Paint<'static> {
    let mut paint = Paint::default();
    let [r, g, b] = color;
    paint.set_color_rgba8(r, g, b, 255);
    paint
}

/// Returns the path through the points; none if a point is non-finite or all are equal.
fn path(points: impl IntoIterator<Item = Point>, closed: bool) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for [x, y] in points {
        if builder.is_empty() { builder.move_to(x, y) } else { builder.line_to(x, y) }
    }
    if closed {
        builder.close();
    }
    builder.finish()
}
