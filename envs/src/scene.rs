//! What there is to see of an environment at a moment: [`Scene`].
//!
//! Plain numbers, so that an environment tells how it looks without knowing how to draw, and whoever draws needs to know
//! nothing of the simulation. A drawing shows exactly this moment; nothing remains of the moments before.

/// The visible state of an environment that can be drawn.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Scene {
    /// A pendulum.
    Pendulum(PendulumScene),
    /// A lander above the moon.
    Lander(LanderScene),
}

/// A rod on a hinge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PendulumScene {
    /// The rod's angle in radians, counter-clockwise from upright.
    pub theta: f64,
    /// The torque of the last step, N m, counter-clockwise; none before the first step.
    pub torque: Option<f32>,
}

/// Where a rigid body is.
#[repr(C)] // lander.cpp writes it
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pose {
    /// To the right, metres.
    pub x: f32,
    /// Upwards, metres.
    pub y: f32,
    /// Counter-clockwise, radians.
    pub angle: f32,
}

/// A lander above the moon, in a world 20 m wide and 13 1/3 m high, with the origin at the bottom left.
#[derive(Clone, Debug, PartialEq)]
pub struct LanderScene {
    /// The corners of the ground, `x` and `y` in metres, from left to right.
    pub terrain: Vec<[f32; 2]>,
    /// Where to land: `x` of the left flag, `x` of the right flag, `y` of the ground; metres.
    pub helipad: [f32; 3],
    /// The lander's body.
    pub lander: Pose,
    /// The legs, the one that hangs to the right first.
    pub legs: [Pose; 2],
    /// Which of the legs touches the ground.
    pub leg_contact: [bool; 2],
    /// The power of the main engine in the last step: 0, or from 0.5 to 1.
    pub main_power: f32,
    /// The power of the side engines in the last step, 0, or from 0.5 to 1 with the sign of the engine: the left one's
    /// is negative, and its exhaust leaves to the lander's right; the right one's is positive, to the left.
    pub side_power: f32,
}
