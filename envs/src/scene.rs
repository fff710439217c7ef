//! What there is to draw: [`Scene`].

/// An environment as a picture of it needs it.
#[derive(Clone, Debug, PartialEq)]
pub enum Scene {
    /// A pendulum.
    Pendulum(PendulumScene),
    /// A lunar lander.
    Lander(LanderScene),
}

/// A pendulum and what drives it.
#[derive(Clone, Debug, PartialEq)]
pub struct PendulumScene {
    /// The angle in radians, counter-clockwise from upright.
    pub theta: f64,
    /// The torque of the last step, N m; none before the first.
    pub torque: Option<f32>,
}

/// The moon, the lander above it and its engines. Lengths are Box2D's metres; the origin is at the left, on the ground.
#[derive(Clone, Debug, PartialEq)]
pub struct LanderScene {
    /// The corners of the ground, `[x, y]`, from left to right.
    pub terrain: Vec<[f32; 2]>,
    /// The landing pad: left end, right end, height.
    pub helipad: [f32; 3],
    /// The lander's body.
    pub lander: Pose,
    /// Its legs: first the one the observation names first.
    pub legs: [Pose; 2],
    /// Whether each leg touches the ground.
    pub leg_contact: [bool; 2],
    /// The main engine's power in the last step: 0, or from 0.5 to 1.
    pub main_power: f32,
    /// The side engines' power in the last step: negative where the left one fired, positive where the right one did.
    pub side_power: f32,
}

/// Where a rigid body is.
#[repr(C)] // lander.cpp writes it
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pose {
    /// To the right, m.
    pub x: f32,
    /// Upwards, m.
    pub y: f32,
    /// Counter-clockwise, rad.
    pub angle: f32,
}
