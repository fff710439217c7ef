//! The car too weak for its hill, equal to Gymnasium 1.4.0's `MountainCar-v0`: [`MountainCar`].

use crate::numpy_random::default_rng;
use crate::{Environment, EnvironmentError, Step};

const ENGINE: f64 = 0.001;
const GRAVITY: f64 = 0.0025;
const MAX_SPEED: f64 = 0.07;
const WALL: f64 = -1.2;
const END: f64 = 0.6;
const GOAL: f64 = 0.5;

/// A car in the valley `sin(3 x)`, which has to swing up by driving left (action 0), rolling (1) and driving right (2).
///
/// The observation is position, from -1.2 to 0.6, and velocity, from -0.07 to 0.07 a step. An episode starts at rest
/// between -0.6 and -0.4 and ends at 0.5; every step until then costs 1. After Moore (1990).
#[derive(Clone, Debug, Default)]
pub struct MountainCar {
    position: f64,
    velocity: f64,
    observation: [f32; 2],
}

impl MountainCar {
    fn observe(&mut self) {
        self.observation = [self.position as f32, self.velocity as f32];
    }
}

impl Environment for MountainCar {
    fn observation_len(&self) -> usize {
        2
    }

    fn action_count(&self) -> usize {
        3
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.position = default_rng(seed).uniform(-0.6, -0.4);
        self.velocity = 0.0;
        self.observe();
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        let force = (action as f64 - 1.0) * ENGINE + (3.0 * self.position).cos() * -GRAVITY;
        self.velocity = (self.velocity + force).clamp(-MAX_SPEED, MAX_SPEED);
        self.position = (self.position + self.velocity).clamp(WALL, END);
        if self.position == WALL && self.velocity < 0.0 {
            self.velocity = 0.0;
        }
        self.observe();
        let terminated = self.position >= GOAL && self.velocity >= 0.0;
        Ok(Step { reward: -1.0, terminated, truncated: false })
    }

    fn observation(&self) -> &[f32] {
        &self.observation
    }
}
