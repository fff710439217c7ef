//! The visible state of an environment: [`RenderState`].
//!
//! It is plain data, so that environments don't depend on drawing and drawing doesn't depend on simulations. A frame
//! depends only on the current render state, not on earlier ones.

use crate::{Pose, Scene};

/// The visible state of an environment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RenderState {
    /// A pendulum.
    Pendulum(PendulumRenderState),
    /// A lunar lander.
    Lander(LanderRenderState),
    /// A grid of cells.
    Grid(GridRenderState),
    /// A frame that the environment rendered itself.
    Rgb(RgbRenderState),
    /// A scene of shapes, for environments whose state has no type of its own here.
    Scene(Scene),
}

/// The visible state of a pendulum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PendulumRenderState {
    /// The rod's angle in radians, counter-clockwise from upright.
    pub theta: f64,
    /// The torque of the last step, N m, counter-clockwise; none before the first step.
    pub torque: Option<f32>,
}

/// The visible state of a lunar lander, in a world 20 m wide and 13 1/3 m high with the origin at the bottom left.
#[derive(Clone, Debug, PartialEq)]
pub struct LanderRenderState {
    /// The vertices of the ground, `x` and `y` in meters, from left to right.
    pub terrain: Vec<[f32; 2]>,
    /// The landing pad: `x` of the left flag, `x` of the right flag, `y` of the ground; meters.
    pub helipad: [f32; 3],
    /// The lander's body.
    pub lander: Pose,
    /// The legs, the one on the right first.
    pub legs: [Pose; 2],
    /// Whether each leg touches the ground.
    pub leg_contact: [bool; 2],
    /// The power of the main engine in the last step: 0, or from 0.5 to 1.
    pub main_power: f32,
    /// The power of the side engines in the last step: 0, or from 0.5 to 1, negative for the left engine, whose exhaust
    /// leaves to the right, and positive for the right engine.
    pub side_power: f32,
}

/// The visible state of objects on a grid, with a channel for each kind of object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GridRenderState {
    /// The numbers of rows, columns and channels.
    pub shape: [usize; 3],
    /// Whether an object is in a cell, `[rows, columns, channels]`, row-major from the top left.
    pub cells: Vec<bool>,
}

/// A frame that the environment rendered itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RgbRenderState {
    /// The width, in pixels.
    pub width: u16,
    /// The height, in pixels.
    pub height: u16,
    /// The values from 0 to 255, `[height, width, 3]`.
    pub rgb: Vec<u8>,
}
