//! A picture made of shapes: [`Scene`].
//!
//! It is plain data, as every render state, so that an environment describes its picture without depending on drawing.

use crate::{Point, Pose};

/// Red, green and blue, from 0 to 255.
pub type Rgb = [u8; 3];

/// A picture made of shapes, the later ones over the earlier ones.
///
/// ```
/// use alrao_envs::{RenderState, Scene};
///
/// // 200 x 100 pixels for a world 4 m wide and 2 m high, with the origin at the bottom left
/// let mut scene = Scene::new([200, 100], [255, 255, 255], 50.0, [0.0, 100.0]);
/// scene.line([[0.0, 0.5], [4.0, 0.5]], 0.02, [0, 0, 0]);
/// scene.disc([1.0, 1.0], 0.5, [204, 77, 77]);
/// # #[cfg(feature = "draw")]
/// assert_eq!(RenderState::Scene(scene).render().width(), 200);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Width and height of the picture, pixels; each from 1 to 4096, and the same in all states of an environment.
    pub size: [u16; 2],
    /// The color behind the shapes.
    pub background: Rgb,
    /// Pixels per unit.
    pub pixels_per_unit: f32,
    /// Where the point `[0, 0]` is in the picture: pixels from the left and from the top.
    pub origin: [f32; 2],
    /// The shapes, in the order of drawing.
    pub shapes: Vec<Shape>,
}

/// A shape of a [`Scene`]; one with non-finite coordinates is omitted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Shape {
    /// A filled polygon.
    Polygon {
        /// The corners.
        corners: Vec<Point>,
        /// The color.
        color: Rgb,
    },
    /// The edges of a polygon.
    Outline {
        /// The corners.
        corners: Vec<Point>,
        /// The width of the edges, in units.
        width: f32,
        /// The color.
        color: Rgb,
    },
    /// A line through points.
    Line {
        /// The points.
        points: Vec<Point>,
        /// The width, in units.
        width: f32,
        /// Whether the ends are round.
        round: bool,
        /// The color.
        color: Rgb,
    },
    /// A filled circle.
    Disc {
        /// The center.
        center: Point,
        /// The radius, in units.
        radius: f32,
        /// The color.
        color: Rgb,
    },
}

impl Scene {
    /// Creates an empty scene of `size` pixels, with the point `[0, 0]` at the pixel `origin`, counted from the top left.
    pub fn new(size: [u16; 2], background: Rgb, pixels_per_unit: f32, origin: [f32; 2]) -> Self {
        Self { size, background, pixels_per_unit, origin, shapes: Vec::new() }
    }

    /// Adds a filled polygon.
    pub fn polygon(&mut self, corners: impl IntoIterator<Item = Point>, color: Rgb) {
        self.shapes.push(Shape::Polygon { corners: corners.into_iter().collect(), color });
    }

    /// Adds a filled rectangle, `[width, height]` in size, whose center has this pose.
    pub fn rectangle(&mut self, center: Pose, [width, height]: [f32; 2], color: Rgb) {
        let corners = [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]];
        self.polygon(corners.map(|[x, y]| center.to_world([x * width, y * height])), color);
    }

    /// Adds the edges of a polygon.
    pub fn outline(&mut self, corners: impl IntoIterator<Item = Point>, width: f32, color: Rgb) {
        self.shapes.push(Shape::Outline { corners: corners.into_iter().collect(), width, color });
    }

    /// Adds a line through points.
    pub fn line(&mut self, points: impl IntoIterator<Item = Point>, width: f32, color: Rgb) {
        self.shapes.push(Shape::Line { points: points.into_iter().collect(), width, round: false, color });
    }

    /// Adds a line with round ends.
    pub fn rod(&mut self, ends: [Point; 2], width: f32, color: Rgb) {
        self.shapes.push(Shape::Line { points: ends.into(), width, round: true, color });
    }

    /// Adds a filled circle.
    pub fn disc(&mut self, center: Point, radius: f32, color: Rgb) {
        self.shapes.push(Shape::Disc { center, radius, color });
    }
}
