//! Pendulum, bit-identical to Gymnasium 1.4.0's `Pendulum-v1`: [`Pendulum`].
//!
//! This holds on x86-64 with glibc, because every operation has the type that it has in numpy: the torque and its products
//! with Python numbers are `f32` (`0.001 u^2`, `3 u`), the state is `f64`. Squares, sines and cosines are libm's, whose
//! `pow(x, 2)` is not always `x * x`.

use std::f64::consts::PI;
use std::hint::black_box;

use gym_rs::spaces::BoxR;
use rand::Rng;
use serde::Serialize;

use crate::classic_control::{ClassicControl, Dynamics};
use crate::numpy_random::uniform;

const GRAVITY: f64 = 10.0; // m/s^2
const MASS: f64 = 1.0; // kg
const LENGTH: f64 = 1.0; // m
const DT: f64 = 0.05; // seconds per step
const MAX_SPEED: f64 = 8.0; // rad/s
pub const MAX_TORQUE: f32 = 2.0; // N m

/// A rod on a hinge, to be swung up and balanced by a torque too weak to lift it directly.
///
/// | observation | range | | action | range |
/// |---|---|-|---|---|
/// | `cos theta` | -1 to 1 | | torque, N m, counter-clockwise; clipped to | -2 to 2 |
/// | `sin theta` | -1 to 1 | | | |
/// | angular velocity, rad/s | -8 to 8 | | | |
///
/// The reward of a step is `-(theta^2 + 0.1 velocity^2 + 0.001 torque^2)` of the state it starts from, with `theta`
/// between -pi and pi and 0 upright: at least -16.27. An episode starts at any angle with up to 1 rad/s and never
/// terminates. A step is 0.05 s.
///
/// The action is an `f32`, and NaN makes the state NaN.
pub type Pendulum = ClassicControl<PendulumState>;

/// A pendulum's state. `Vec<f64>::from` returns its observation, `[cos theta, sin theta, velocity]`, rounded to `f32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct PendulumState {
    /// The angle in radians, counter-clockwise from upright, counting full turns.
    pub theta: f64,
    /// The angular velocity, rad/s.
    pub velocity: f64,
}

impl Dynamics for PendulumState {
    type Action = f32;
    type ActionSpace = BoxR<f32>;

    const ACTION_SPACE: BoxR<f32> = BoxR { low: -MAX_TORQUE, high: MAX_TORQUE };
    const OBSERVATION_SPACE: [Self; 2] =
        [Self { theta: f64::NEG_INFINITY, velocity: -MAX_SPEED }, Self { theta: f64::INFINITY, velocity: MAX_SPEED }];
    const INITIAL_STATES: [Self; 2] = [Self { theta: -PI, velocity: -1.0 }, Self { theta: PI, velocity: 1.0 }];

    fn sample<R: Rng + ?Sized>(rng: &mut R, low: &Self, high: &Self) -> Self {
        let theta = uniform(rng, low.theta, high.theta);
        Self { theta, velocity: uniform(rng, low.velocity, high.velocity) }
    }

    fn step(self, torque: f32) -> (Self, f64, bool) {
        let Self { theta, velocity } = self;
        let torque = torque.clamp(-MAX_TORQUE, MAX_TORQUE);

        let effort = 0.001 * torque.powf(black_box(2.0));
        let cost = squared(wrap(theta)) + 0.1 * squared(velocity) + f64::from(effort);

        let pull = 3.0 * GRAVITY / (2.0 * LENGTH) * theta.sin();
        let push = (3.0 / (MASS * LENGTH * LENGTH)) as f32 * torque;
        let velocity = (velocity + (pull + f64::from(push)) * DT).clamp(-MAX_SPEED, MAX_SPEED);
        (Self { theta: theta + velocity * DT, velocity }, -cost, false)
    }
}

impl From<PendulumState> for Vec<f64> {
    fn from(PendulumState { theta, velocity }: PendulumState) -> Self {
        [theta.cos(), theta.sin(), velocity].map(|value| f64::from(value as f32)).into()
    }
}

/// Wraps an angle to -pi..pi.
fn wrap(theta: f64) -> f64 {
    (theta + PI).rem_euclid(2.0 * PI) - PI
}

/// Computes libm's `pow(x, 2)`. The compiler would replace it by `x * x`, which rounds differently once in a thousand times.
fn squared(x: f64) -> f64 {
    x.powf(black_box(2.0))
}
