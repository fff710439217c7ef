//! Smoothed shapes in world units: [`Canvas`].

use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PremultipliedColorU8, Stroke, Transform,
};

use super::Frame;
use crate::Pose;

/// Red, green and blue.
pub(super) type Rgb = [u8; 3];

/// A place in the world, metres to the right and upwards.
pub(super) type Point = [f32; 2];

/// A picture under way.
pub(super) struct Canvas {
    pixmap: Pixmap,
    to_pixels: Transform,
}

impl Canvas {
    /// An empty picture of a piece of the world, with the world's origin at the pixel `origin`.
    pub fn new(size: [u16; 2], background: Rgb, pixels_per_metre: f32, origin: Point) -> Self {
        let [width, height] = size.map(u32::from);
        let mut pixmap = Pixmap::new(width, height).expect("a scene has a size");
        let [r, g, b] = background;
        pixmap.fill(Color::from_rgba8(r, g, b, 255));
        let [x, y] = origin;
        Self { pixmap, to_pixels: Transform::from_row(pixels_per_metre, 0.0, 0.0, -pixels_per_metre, x, y) }
    }

    pub fn polygon(&mut self, corners: impl IntoIterator<Item = Point>, color: Rgb) {
        self.fill(path(corners, true), color);
    }

    /// The sides of a polygon.
    pub fn outline(&mut self, corners: impl IntoIterator<Item = Point>, width: f32, color: Rgb) {
        self.stroke(path(corners, true), width, LineCap::Butt, color);
    }

    pub fn line(&mut self, points: impl IntoIterator<Item = Point>, width: f32, color: Rgb) {
        self.stroke(path(points, false), width, LineCap::Butt, color);
    }

    /// A line with half a disc at each end.
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

/// Where a point of a body is in the world.
pub(super) fn placed(body: &Pose, [x, y]: Point) -> Point {
    let (sin, cos) = body.angle.sin_cos();
    [body.x + cos * x - sin * y, body.y + sin * x + cos * y]
}

fn paint(color: Rgb) -> Paint<'static> {
    let mut paint = Paint::default();
    let [r, g, b] = color;
    paint.set_color_rgba8(r, g, b, 255);
    paint
}

/// None if a point is not finite, or all are the same.
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
