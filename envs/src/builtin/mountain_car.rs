//! MountainCar, bit-identical to Gymnasium 1.4.0's `MountainCar-v0`: [`MountainCar`].

use gym_rs::spaces::Discrete;
use rand::Rng;
use serde::Serialize;

use crate::classic_control::{ClassicControl, Dynamics};
use crate::numpy_random::uniform;
use crate::{ActionSpace, EntryPoint, EnvSpec, GymEnvironment, NoSettings};

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
        entry_point: EntryPoint::new(|NoSettings {}| Ok(GymEnvironment::new(MountainCar::new()))),
    }
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
