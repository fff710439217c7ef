//! The pole to be balanced on a cart, equal to Gymnasium 1.4.0's `CartPole-v1`: [`CartPole`].
//!
//! gym-rs has one too, which starts from wider bounds and adds where its equations multiply.

use std::f64::consts::PI;

use crate::numpy_random::default_rng;
use crate::{Environment, EnvironmentError, Step};

const GRAVITY: f64 = 9.8; // m/s^2
const POLE_MASS: f64 = 0.1; // kg
const MASS: f64 = POLE_MASS + 1.0; // of pole and cart
const HALF_LENGTH: f64 = 0.5; // of the pole, m
const MOMENT: f64 = POLE_MASS * HALF_LENGTH;
const FORCE: f64 = 10.0; // N
const DT: f64 = 0.02; // seconds a step
const TRACK: f64 = 2.4; // m to each side
const FALLEN: f64 = 12.0 * 2.0 * PI / 360.0; // 12 degrees

/// A pole hinged to a cart that is pushed to the left (action 0) or to the right (1).
///
/// The observation is position, velocity, angle from upright and angular velocity (m, m/s, rad, rad/s), each from -0.05
/// to 0.05 at the start. Every step is rewarded with 1. The episode ends when the cart is 2.4 m away from the middle or
/// the pole 12 degrees from upright. A step is 0.02 s. The equations are those of Barto, Sutton and Anderson (1983),
/// without friction, stepped by Euler's method.
#[derive(Clone, Debug, Default)]
pub struct CartPole {
    state: [f64; 4],
    observation: [f32; 4],
}

impl Environment for CartPole {
    fn observation_len(&self) -> usize {
        4
    }

    fn action_count(&self) -> usize {
        2
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        let mut rng = default_rng(seed);
        self.state = [(); 4].map(|()| rng.uniform(-0.05, 0.05));
        self.observation = self.state.map(|value| value as f32);
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        let [x, speed, theta, turn] = self.state;
        let force = if action == 1 { FORCE } else { -FORCE };
        let (sin, cos) = (theta.sin(), theta.cos());

        let push = (force + MOMENT * (turn * turn) * sin) / MASS;
        let inertia = HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * (cos * cos) / MASS);
        let turning = (GRAVITY * sin - cos * push) / inertia;
        let acceleration = push - MOMENT * turning * cos / MASS;

        let (x, theta) = (x + DT * speed, theta + DT * turn);
        self.state = [x, speed + DT * acceleration, theta, turn + DT * turning];
        self.observation = self.state.map(|value| value as f32);
        Ok(Step { reward: 1.0, terminated: x.abs() > TRACK || theta.abs() > FALLEN, truncated: false })
    }

    fn observation(&self) -> &[f32] {
        &self.observation
    }
}
