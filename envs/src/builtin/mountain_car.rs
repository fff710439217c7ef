//! MountainCar, bit-identical to Gymnasium 1.4.0's `MountainCar-v0`: [`MountainCar`].

use gym_rs::spaces::Discrete;
use rand::Rng;
use serde::Serialize;

use crate::classic_control::{ClassicControl, Dynamics};
use crate::numpy_random::uniform;
use crate::{ActionSpace, EntryPoint, EnvSpec, GymEnvironment, NoSettings, Point, Pose, Rgb, Scene};

const ENGINE: f64 = 0.001;
const GRAVITY: f64 = 0.0025;
const MAX_SPEED: f64 = 0.07;
const WALL: f64 = -1.2;
const END: f64 = 0.6;
const GOAL: f64 = 0.5;

/// An underpowered car in the valley `sin(3 x)`, which must swing up by accelerating left (action 0), not accelerating (1)
/// and accelerating right (2).
///
/// The observation is position, from -1.2 to 0.6, and velocity, from -0.07 to 0.07 per step. An episode starts at rest
/// between -0.6 and -0.4 and terminates at 0.5; the reward is -1 per step. After Moore (1990).
pub type MountainCar = ClassicControl<MountainCarState>;

/// Returns the environment's specification.
pub fn spec() -> EnvSpec {
    EnvSpec {
        name: "mountain-car".into(),
        description: "`MountainCar-v0`".into(),
        obs_dim: 2,
        actions: ActionSpace::Discrete(MountainCarState::ACTION_SPACE.0),
        time_limit: Some(200),
        fps: 30, // Gymnasium's; steps have no duration
        heuristic: None,
        entry_point: EntryPoint::new(|NoSettings {}| Ok(GymEnvironment::new(MountainCar::new()).with_scene(scene))),
    }
}

/// Returns the scene of an observation, as Gymnasium draws it: hill, car, wheels and the goal's flag.
fn scene(observation: &[f32]) -> Scene {
    const SIZE: [u16; 2] = [600, 400];
    const PIXEL: f32 = (END - WALL) as f32 / 600.0;
    // Gymnasium fills the pixels on both edges, so its shapes are a pixel larger than their sizes in its source.
    const CAR: Point = [41.0 * PIXEL, 21.0 * PIXEL];
    const CLEARANCE: f32 = 10.0 * PIXEL;
    const WHEEL: f32 = 8.5 * PIXEL;
    const WHEELS: [f32; 2] = [-10.0 * PIXEL, 10.0 * PIXEL]; // along the car
    const POLE: f32 = 50.0 * PIXEL;
    const WHITE: Rgb = [255; 3];
    const BLACK: Rgb = [0; 3];
    const GRAY: Rgb = [128; 3];
    const YELLOW: Rgb = [204, 204, 0];

    let mut scene = Scene::new(SIZE, WHITE, 1.0 / PIXEL, [-WALL as f32 / PIXEL, 400.0]);
    let hill = (0..100u8).map(|i| WALL as f32 + (END - WALL) as f32 * f32::from(i) / 99.0);
    scene.line(hill.map(|x| [x + PIXEL / 2.0, height(x) + PIXEL / 2.0]), PIXEL, BLACK);

    let x = observation[0];
    let ground = Pose { x, y: height(x) + CLEARANCE, angle: (3.0 * x).cos() };
    let [x_of_car, y_of_car] = ground.to_world([0.0, CAR[1] / 2.0]);
    scene.rectangle(Pose { x: x_of_car, y: y_of_car, ..ground }, CAR, BLACK);
    for along in WHEELS {
        scene.disc(ground.to_world([along, 0.0]), WHEEL, GRAY);
    }

    let goal = GOAL as f32;
    let flag = |right: f32, up: f32| [goal + right * PIXEL, height(goal) + POLE + up * PIXEL];
    scene.line([flag(0.0, -50.0), flag(0.0, 0.0)], PIXEL, BLACK);
    scene.polygon([flag(0.0, 0.0), flag(0.0, -10.0), flag(25.0, -5.0)], YELLOW);
    scene
}

/// Returns the height of the hill in the picture.
fn height(x: f32) -> f32 {
    0.45 * (3.0 * x).sin() + 0.55
}

/// A car's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct MountainCarState {
    /// The position, from -1.2 to 0.6; the bottom of the valley is at -pi/6.
    pub position: f64,
    /// The velocity per step, to the right.
    pub velocity: f64,
}

impl Dynamics for MountainCarState {
    type Action = usize;
    type ActionSpace = Discrete;

    const ACTION_SPACE: Discrete = Discrete(3);
    const OBSERVATION_SPACE: [Self; 2] =
        [Self { position: WALL, velocity: -MAX_SPEED }, Self { position: END, velocity: MAX_SPEED }];
    const INITIAL_STATES: [Self; 2] = [Self { position: -0.6, velocity: 0.0 }, Self { position: -0.4, velocity: 0.0 }];

    /// Draws only the position, as Gymnasium does; the velocity is 0.
    fn sample<R: Rng + ?Sized>(rng: &mut R, low: &Self, high: &Self) -> Self {
        Self { position: uniform(rng, low.position, high.position), velocity: 0.0 }
    }

    fn step(self, action: usize) -> (Self, f64, bool) {
        let force = (action as f64 - 1.0) * ENGINE + (3.0 * self.position).cos() * -GRAVITY;
        let velocity = (self.velocity + force).clamp(-MAX_SPEED, MAX_SPEED);
        let position = (self.position + velocity).clamp(WALL, END);
        let velocity = if position == WALL && velocity < 0.0 { 0.0 } else { velocity };
        (Self { position, velocity }, -1.0, position >= GOAL && velocity >= 0.0)
    }
}

impl From<MountainCarState> for Vec<f64> {
    fn from(MountainCarState { position, velocity }: MountainCarState) -> Self {
        [position, velocity].into()
    }
}
