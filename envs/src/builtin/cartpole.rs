//! CartPole, bit-identical to Gymnasium 1.4.0's `CartPole-v1`: [`CartPole`].
//!
//! gym-rs's own CartPole has wider bounds for the initial state, and equations with a sum in place of a product.

use std::f64::consts::PI;

use gym_rs::spaces::Discrete;
use rand::Rng;
use serde::Serialize;

use crate::classic_control::{ClassicControl, Dynamics};
use crate::numpy_random::uniform;
use crate::{ActionSpace, EntryPoint, EnvSpec, GymEnvironment, NoSettings, Point, Pose, Rgb, Scene};

const GRAVITY: f64 = 9.8; // m/s^2
const POLE_MASS: f64 = 0.1; // kg
const MASS: f64 = POLE_MASS + 1.0; // of pole and cart
const HALF_LENGTH: f64 = 0.5; // of the pole, m
const MOMENT: f64 = POLE_MASS * HALF_LENGTH;
const FORCE: f64 = 10.0; // N
const DT: f64 = 0.02; // seconds per step
const TRACK: f64 = 2.4; // m to each side
const FALLEN: f64 = 12.0 * 2.0 * PI / 360.0; // 12 degrees

/// A pole hinged to a cart that is pushed to the left (action 0) or to the right (1).
///
/// The observation is position, velocity, angle from upright and angular velocity (m, m/s, rad, rad/s), each from -0.05
/// to 0.05 initially. The reward is 1 per step. The episode terminates when the cart is 2.4 m from the middle or the pole
/// 12 degrees from upright. A step is 0.02 s, an Euler step of the equations of Barto, Sutton and Anderson (1983) without
/// friction.
pub type CartPole = ClassicControl<CartPoleState>;

/// Returns the environment's specification.
pub fn spec() -> EnvSpec {
    EnvSpec {
        name: "cartpole".into(),
        description: "`CartPole-v1`".into(),
        obs_dim: 4,
        actions: ActionSpace::Discrete(CartPoleState::ACTION_SPACE.0),
        time_limit: Some(500),
        fps: 50,
        heuristic: None,
        entry_point: EntryPoint::new(|NoSettings {}| Ok(GymEnvironment::new(CartPole::new()).with_scene(scene))),
    }
}

/// Returns the scene of an observation, as Gymnasium draws it: the track is at height 0.
fn scene(observation: &[f32]) -> Scene {
    const SIZE: [u16; 2] = [600, 400];
    const PIXEL: f32 = 2.0 * TRACK as f32 / 600.0; // m
    // Gymnasium fills the pixels on both edges, so its shapes are a pixel larger than their sizes in its source.
    const CART: Point = [51.0 * PIXEL, 31.0 * PIXEL];
    const POLE: Point = [11.0 * PIXEL, 2.0 * HALF_LENGTH as f32 + PIXEL];
    const AXLE: f32 = 5.5 * PIXEL;
    const HINGE: f32 = 7.5 * PIXEL; // above the track
    const WHITE: Rgb = [255; 3];
    const BLACK: Rgb = [0; 3];
    const BROWN: Rgb = [202, 152, 101];
    const BLUE: Rgb = [129, 132, 203];

    let mut scene = Scene::new(SIZE, WHITE, 1.0 / PIXEL, [300.0, 299.5]);
    let (x, theta) = (observation[0], observation[2]);
    scene.rectangle(Pose { x, ..Pose::default() }, CART, BLACK);
    let hinge = Pose { x, y: HINGE, angle: -theta };
    let [x_of_pole, y_of_pole] = hinge.to_world([0.0, (POLE[1] - POLE[0]) / 2.0]);
    scene.rectangle(Pose { x: x_of_pole, y: y_of_pole, ..hinge }, POLE, BROWN);
    scene.disc([x, HINGE], AXLE, BLUE);
    scene.line([[-TRACK as f32, 0.0], [TRACK as f32, 0.0]], PIXEL, BLACK);
    scene
}

/// A CartPole's state: position, velocity, angle and angular velocity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct CartPoleState(pub [f64; 4]);

impl Dynamics for CartPoleState {
    type Action = usize;
    type ActionSpace = Discrete;

    const ACTION_SPACE: Discrete = Discrete(2);
    const OBSERVATION_SPACE: [Self; 2] = {
        let most = [2.0 * TRACK, f64::INFINITY, 2.0 * FALLEN, f64::INFINITY];
        [Self([-most[0], -most[1], -most[2], -most[3]]), Self(most)]
    };
    const INITIAL_STATES: [Self; 2] = [Self([-0.05; 4]), Self([0.05; 4])];

    fn sample<R: Rng + ?Sized>(rng: &mut R, Self(low): &Self, Self(high): &Self) -> Self {
        Self(std::array::from_fn(|i| uniform(rng, low[i], high[i])))
    }

    fn step(self, action: usize) -> (Self, f64, bool) {
        let Self([x, speed, theta, turn]) = self;
        let force = if action == 1 { FORCE } else { -FORCE };
        let (sin, cos) = (theta.sin(), theta.cos());

        let push = (force + MOMENT * (turn * turn) * sin) / MASS;
        let inertia = HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * (cos * cos) / MASS);
        let turning = (GRAVITY * sin - cos * push) / inertia;
        let acceleration = push - MOMENT * turning * cos / MASS;

        let (x, theta) = (x + DT * speed, theta + DT * turn);
        let next = Self([x, speed + DT * acceleration, theta, turn + DT * turning]);
        (next, 1.0, x.abs() > TRACK || theta.abs() > FALLEN)
    }
}

impl From<CartPoleState> for Vec<f64> {
    fn from(CartPoleState(state): CartPoleState) -> Self {
        state.into()
    }
}
