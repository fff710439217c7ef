//! Places in a picture: [`Point`] and [`Pose`].

/// A point: to the right and upwards, in units of the scene; a lander's in meters.
pub type Point = [f32; 2];

/// The pose of a rigid body.
#[repr(C)] // lander.cpp writes it
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pose {
    /// To the right, in units of the scene; a lander's in meters.
    pub x: f32,
    /// Upwards, in the same unit.
    pub y: f32,
    /// Counter-clockwise, radians.
    pub angle: f32,
}

impl Pose {
    /// Converts a point from the body's coordinates to the world's.
    pub fn to_world(&self, [x, y]: Point) -> Point {
        let (sin, cos) = self.angle.sin_cos();
        [self.x + cos * x - sin * y, self.y + sin * x + cos * y]
    }
}
