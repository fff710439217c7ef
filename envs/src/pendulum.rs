//! The pendulum to be swung up and kept there, equal to Gymnasium 1.4.0's `Pendulum-v1`: [`Pendulum`].
//!
//! Equal to the last bit on x86-64 with glibc, since rounding is followed where numpy's types lead it. A torque is an
//! `f32`, and what only numbers without a type of their own meet stays one (`0.001 u^2`, `3 u`); the state is `f64`.
//! Squares, sines and cosines are libm's: its `pow(x, 2)` is not always `x * x`.

use std::f64::consts::PI;
use std::hint::black_box;

use gym_rs::core::{ActionReward, Env, EnvProperties};
use gym_rs::spaces::BoxR;
use gym_rs::utils::custom::{structs::Metadata, traits::Sample, types::O64};
use gym_rs::utils::renderer::{RenderMode, Renders};
use rand::Rng;
use rand::distributions::uniform::{SampleBorrow, SampleUniform, UniformSampler};
use rand_pcg::Pcg64;
use serde::Serialize;

use crate::numpy_random::{pcg64, uniform};

const GRAVITY: f64 = 10.0; // m/s^2
const MASS: f64 = 1.0; // kg
const LENGTH: f64 = 1.0; // m
const DT: f64 = 0.05; // seconds a step
const MAX_SPEED: f64 = 8.0; // rad/s
const MAX_TORQUE: f32 = 2.0; // N m

/// A rod on a hinge, driven by a torque too weak to lift it at once.
///
/// | observation | range | | action | range |
/// |---|---|-|---|---|
/// | `cos theta` | -1 to 1 | | torque, N m, counter-clockwise; clipped to | -2 to 2 |
/// | `sin theta` | -1 to 1 | | | |
/// | angular velocity, rad/s | -8 to 8 | | | |
///
/// The reward of a step is `-(theta^2 + 0.1 velocity^2 + 0.001 torque^2)` of the state it starts from, with `theta`
/// between -pi and pi and 0 upright: at least -16.27. An episode starts at any angle with up to 1 rad/s, and has no end
/// of its own. A step is 0.05 s.
///
/// As an `Env` of gym-rs's: the action is an `f32`, and NaN makes the state NaN; `reset` without a seed goes on drawing
/// from where the generator is; its bounds are those of the first state. There are no render modes, so `render` has
/// nothing to give.
#[derive(Clone, Debug, Serialize)]
pub struct Pendulum {
    state: PendulumState,
    action_space: BoxR<f32>,
    observation_space: BoxR<PendulumState>,
    metadata: Metadata<Self>,
    #[serde(skip_serializing)]
    rng: Pcg64,
}

/// Where a pendulum is. `Vec<f64>::from` makes the observation of it, `[cos theta, sin theta, velocity]`, each rounded
/// to `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PendulumState {
    /// The angle in radians, counter-clockwise from upright, counting full turns.
    pub theta: f64,
    /// The angular velocity, rad/s.
    pub velocity: f64,
}

impl Pendulum {
    /// A pendulum with the generator of seed 0, at rest upright; `reset` starts an episode.
    pub fn new() -> Self {
        let fastest = PendulumState { theta: f64::INFINITY, velocity: MAX_SPEED };
        Self {
            state: PendulumState { theta: 0.0, velocity: 0.0 },
            action_space: BoxR::new(-MAX_TORQUE, MAX_TORQUE),
            observation_space: BoxR::new(fastest.negated(), fastest),
            metadata: Metadata::new(RenderMode::DEFAULT, 0),
            rng: pcg64(0),
        }
    }
}

impl Default for Pendulum {
    fn default() -> Self {
        Self::new()
    }
}

impl Env for Pendulum {
    type Action = f32;
    type Observation = PendulumState;
    type Info = ();
    type ResetInfo = ();

    fn step(&mut self, torque: f32) -> ActionReward<PendulumState, ()> {
        let PendulumState { theta, velocity } = self.state;
        let torque = torque.clamp(-MAX_TORQUE, MAX_TORQUE);

        let effort = 0.001 * torque.powf(black_box(2.0));
        let cost = squared(wrapped(theta)) + 0.1 * squared(velocity) + f64::from(effort);

        let pull = 3.0 * GRAVITY / (2.0 * LENGTH) * theta.sin();
        let push = (3.0 / (MASS * LENGTH * LENGTH)) as f32 * torque;
        let velocity = (velocity + (pull + f64::from(push)) * DT).clamp(-MAX_SPEED, MAX_SPEED);
        self.state = PendulumState { theta: theta + velocity * DT, velocity };

        ActionReward { observation: self.state, reward: O64::from(-cost), done: false, truncated: false, info: None }
    }

    fn reset(
        &mut self,
        seed: Option<u64>,
        return_info: bool,
        options: Option<BoxR<PendulumState>>,
    ) -> (PendulumState, Option<()>) {
        if let Some(seed) = seed {
            self.rng = pcg64(seed);
        }
        self.state = PendulumState::sample_between(&mut self.rng, options);
        (self.state, return_info.then_some(()))
    }

    fn render(&mut self, _mode: RenderMode) -> Renders {
        Renders::None
    }

    fn close(&mut self) {}
}

impl EnvProperties for Pendulum {
    type ActionSpace = BoxR<f32>;
    type ObservationSpace = BoxR<PendulumState>;

    fn metadata(&self) -> &Metadata<Self> {
        &self.metadata
    }

    fn rand_random(&self) -> &Pcg64 {
        &self.rng
    }

    fn action_space(&self) -> &BoxR<f32> {
        &self.action_space
    }

    fn observation_space(&self) -> &BoxR<PendulumState> {
        &self.observation_space
    }
}

/// The angle's equal between -pi and pi.
fn wrapped(theta: f64) -> f64 {
    (theta + PI).rem_euclid(2.0 * PI) - PI
}

/// libm's `pow(x, 2)`; the compiler would make `x * x` of it, which rounds otherwise once in a thousand times.
fn squared(x: f64) -> f64 {
    x.powf(black_box(2.0))
}

impl PendulumState {
    fn negated(self) -> Self {
        Self { theta: -self.theta, velocity: -self.velocity }
    }
}

impl From<PendulumState> for Vec<f64> {
    fn from(PendulumState { theta, velocity }: PendulumState) -> Self {
        [theta.cos(), theta.sin(), velocity].map(|value| f64::from(value as f32)).into()
    }
}

impl Sample for PendulumState {
    fn sample_between<R: Rng>(rng: &mut R, bounds: Option<BoxR<Self>>) -> Self {
        let BoxR { low, high } = bounds.unwrap_or_else(|| {
            let most = Self { theta: PI, velocity: 1.0 };
            BoxR::new(most.negated(), most)
        });
        UniformState { low, high }.sample(rng)
    }
}

impl SampleUniform for PendulumState {
    type Sampler = UniformState;
}

/// Draws states as numpy would: first the angle, then the velocity.
pub struct UniformState {
    low: PendulumState,
    high: PendulumState,
}

impl UniformSampler for UniformState {
    type X = PendulumState;

    fn new<L, H>(low: L, high: H) -> Self
    where
        L: SampleBorrow<PendulumState>,
        H: SampleBorrow<PendulumState>,
    {
        Self { low: *low.borrow(), high: *high.borrow() }
    }

    fn new_inclusive<L, H>(low: L, high: H) -> Self
    where
        L: SampleBorrow<PendulumState>,
        H: SampleBorrow<PendulumState>,
    {
        Self::new(low, high) // a bound is hit once in 2^53 draws
    }

    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> PendulumState {
        PendulumState {
            theta: uniform(rng, self.low.theta, self.high.theta),
            velocity: uniform(rng, self.low.velocity, self.high.velocity),
        }
    }
}
