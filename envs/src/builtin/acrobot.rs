//! Acrobot, bit-identical to Gymnasium 1.4.0's `Acrobot-v1`: [`Acrobot`].
//!
//! This holds on x86-64 with glibc and a processor with FMA: Gymnasium rounds the initial state to `f32` and computes its
//! observation with numpy's single-precision sine and cosine, which use FMA. After the first step the state is `f64` and
//! the functions are libm's (squares are its `pow(x, 2)`, as for the pendulum).

use std::f32::consts::FRAC_PI_2;
use std::f64::consts::PI;
use std::hint::black_box;

use gym_rs::spaces::Discrete;
use rand::Rng;
use serde::Serialize;

use crate::classic_control::{ClassicControl, Dynamics};
use crate::numpy_random::uniform;
use crate::{ActionSpace, EntryPoint, EnvSpec, GymEnvironment, NoSettings, Pose, Rgb, Scene};

const GRAVITY: f64 = 9.8; // m/s^2
const MASS: f64 = 1.0; // of each link, kg
const LENGTH: f64 = 1.0; // of the upper link, m
const CENTER: f64 = 0.5; // of mass, along each link, m
const INERTIA: f64 = 1.0; // of each link, kg m^2
const DT: f64 = 0.2; // seconds per step
const MAX_SPEEDS: [f64; 2] = [4.0 * PI, 9.0 * PI]; // rad/s

/// Two hanging links, to be swung up by a motor at the joint between them, with torque -1, 0 or 1 N m (actions 0 to 2).
///
/// | observation | |
/// |---|---|
/// | `cos`, `sin` of the upper link's angle | from hanging down |
/// | `cos`, `sin` of the lower link's angle | relative to the upper link |
/// | both angular velocities, rad/s | up to 4 pi, 9 pi |
///
/// An episode starts with angles and velocities within 0.1 of hanging at rest, and terminates when the tip is one link's
/// length above the hinge. The reward is -1 per step and 0 for the last. A step is 0.2 s, one Runge-Kutta step of the
/// equations in Sutton and Barto's book.
pub type Acrobot = ClassicControl<AcrobotState>;

/// Returns the environment's specification.
pub fn spec() -> EnvSpec {
    EnvSpec {
        name: "acrobot".into(),
        description: "`Acrobot-v1`".into(),
        obs_dim: 6,
        actions: ActionSpace::Discrete(AcrobotState::ACTION_SPACE.0),
        time_limit: Some(500),
        fps: 5,
        heuristic: None,
        entry_point: EntryPoint::new(|NoSettings {}| Ok(GymEnvironment::new(Acrobot::new()).with_scene(scene))),
    }
}

/// Returns the scene of an observation, as Gymnasium draws it: the height of the goal, the links and their joints.
fn scene(observation: &[f32]) -> Scene {
    const SIZE: [u16; 2] = [500; 2];
    const PIXEL: f32 = 4.4 / 500.0; // m
    // Gymnasium fills the pixels on both edges, so its shapes are a pixel larger than their sizes in its source.
    const LINK: [f32; 2] = [1.0 + PIXEL, 0.2 + PIXEL]; // m
    const JOINT: f32 = 11.5 * PIXEL;
    const GOAL: f32 = 113.5 * PIXEL; // a row of pixels
    const WHITE: Rgb = [255; 3];
    const BLACK: Rgb = [0; 3];
    const CYAN: Rgb = [0, 204, 204];
    const YELLOW: Rgb = [204, 204, 0];

    let mut scene = Scene::new(SIZE, WHITE, 1.0 / PIXEL, [250.0; 2]);
    scene.line([[-2.2, GOAL], [2.2, GOAL]], PIXEL, BLACK);
    let upper = observation[1].atan2(observation[0]);
    let lower = upper + observation[3].atan2(observation[2]);
    let mut joint = [0.0; 2];
    for from_hanging in [upper, lower] {
        let link = Pose { x: joint[0], y: joint[1], angle: from_hanging - FRAC_PI_2 };
        let [x, y] = link.to_world([0.5, 0.0]);
        scene.rectangle(Pose { x, y, ..link }, LINK, CYAN);
        scene.disc(joint, JOINT, YELLOW);
        joint = link.to_world([1.0, 0.0]);
    }
    scene
}

/// An acrobot's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct AcrobotState {
    /// The angles of the upper link from hanging down and of the lower link from the upper link, rad.
    pub angles: [f64; 2],
    /// The angular velocities, rad/s.
    pub velocities: [f64; 2],
    /// Whether it is the initial state, whose observation is in single precision.
    pub initial: bool,
}

impl Dynamics for AcrobotState {
    type Action = usize;
    type ActionSpace = Discrete;

    const ACTION_SPACE: Discrete = Discrete(3);
    const OBSERVATION_SPACE: [Self; 2] = [
        Self { angles: [-PI; 2], velocities: [-MAX_SPEEDS[0], -MAX_SPEEDS[1]], initial: false },
        Self { angles: [PI; 2], velocities: MAX_SPEEDS, initial: false },
    ];
    const INITIAL_STATES: [Self; 2] = [
        Self { angles: [-0.1; 2], velocities: [-0.1; 2], initial: true },
        Self { angles: [0.1; 2], velocities: [0.1; 2], initial: true },
    ];

    fn sample<R: Rng + ?Sized>(rng: &mut R, low: &Self, high: &Self) -> Self {
        let mut single = |low, high| f64::from(uniform(rng, low, high) as f32);
        let angles = [0, 1].map(|i| single(low.angles[i], high.angles[i]));
        Self { angles, velocities: [0, 1].map(|i| single(low.velocities[i], high.velocities[i])), initial: true }
    }

    fn step(self, action: usize) -> (Self, f64, bool) {
        let torque = action as f64 - 1.0;
        let state = [self.angles[0], self.angles[1], self.velocities[0], self.velocities[1]];
        let [upper, lower, velocities @ ..] = runge_kutta(state, |state| derivative(state, torque));
        let (upper, lower) = (wrap(upper), wrap(lower));
        let velocities = [0, 1].map(|i| velocities[i].clamp(-MAX_SPEEDS[i], MAX_SPEEDS[i]));
        let terminal = -upper.cos() - (lower + upper).cos() > 1.0;
        (Self { angles: [upper, lower], velocities, initial: false }, if terminal { 0.0 } else { -1.0 }, terminal)
    }
}

impl From<AcrobotState> for Vec<f64> {
    fn from(AcrobotState { angles, velocities, initial }: AcrobotState) -> Self {
        let [upper, lower] = if initial {
            angles.map(|angle| [cos(angle as f32), sin(angle as f32)].map(f64::from))
        } else {
            angles.map(|angle| [angle.cos(), angle.sin()])
        };
        [upper, lower, velocities].concat()
    }
}

fn derivative([upper, lower, upper_turn, lower_turn]: [f64; 4], torque: f64) -> [f64; 4] {
    const ARM: f64 = MASS * LENGTH * CENTER;
    const LEVER: f64 = MASS * CENTER * CENTER;
    let (sin, cos) = (lower.sin(), lower.cos());

    let d1 = LEVER + MASS * (LENGTH * LENGTH + CENTER * CENTER + 2.0 * LENGTH * CENTER * cos) + INERTIA + INERTIA;
    let d2 = MASS * (CENTER * CENTER + LENGTH * CENTER * cos) + INERTIA;
    let phi2 = MASS * CENTER * GRAVITY * (upper + lower - PI / 2.0).cos();
    let phi1 = -ARM * squared(lower_turn) * sin - 2.0 * ARM * lower_turn * upper_turn * sin
        + (MASS * CENTER + MASS * LENGTH) * GRAVITY * (upper - PI / 2.0).cos()
        + phi2;
    let lower_turning =
        (torque + d2 / d1 * phi1 - ARM * squared(upper_turn) * sin - phi2) / (LEVER + INERTIA - squared(d2) / d1);
    let upper_turning = -(d2 * lower_turning + phi1) / d1;
    [upper_turn, lower_turn, upper_turning, lower_turning]
}

/// Takes a step of the classical fourth-order Runge-Kutta method.
fn runge_kutta(state: [f64; 4], derivative: impl Fn([f64; 4]) -> [f64; 4]) -> [f64; 4] {
    use std::array::from_fn;
    let along = |slope: [f64; 4], dt: f64| from_fn(|i| state[i] + dt * slope[i]);
    let k1 = derivative(state);
    let k2 = derivative(along(k1, DT / 2.0));
    let k3 = derivative(along(k2, DT / 2.0));
    let k4 = derivative(along(k3, DT));
    along(from_fn(|i| k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]), DT / 6.0)
}

/// Wraps an angle to -pi..pi. Full turns are subtracted one at a time, as in Gymnasium, so that results round as there.
fn wrap(mut angle: f64) -> f64 {
    while angle > PI {
        angle -= 2.0 * PI;
    }
    while angle < -PI {
        angle += 2.0 * PI;
    }
    angle
}

fn squared(x: f64) -> f64 {
    x.powf(black_box(2.0))
}

/// numpy's coefficients, by T. Myklebust: powers 8 to 2 of `sin(x) / x`, and 8 to 0 of `cos(x)`.
const SINE: [f32; 4] = [2.840_409_7e-6, -1.985_649_1e-4, 8.333_397e-3, -1.666_666_7e-1];
const COSINE: [f32; 5] = [2.437_226_6e-5, -1.388_652e-3, 4.166_662e-2, -0.5, 1.0];

/// Computes numpy's `sin` of an `f32` within pi/4 of 0.
fn sin(x: f32) -> f32 {
    let squared = x * x;
    let series = polynomial(squared, SINE);
    (series * squared).mul_add(x, x)
}

/// Computes numpy's `cos` of an `f32` within pi/4 of 0.
fn cos(x: f32) -> f32 {
    polynomial(x * x, COSINE)
}

/// Evaluates a polynomial by Horner's rule with fused operations; the highest coefficient is first.
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    coefficients.into_iter().reduce(|sum, coefficient| sum.mul_add(x, coefficient)).expect("a polynomial has a term")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_precision_sine_and_cosine_equal_numpys() {
        // numpy 2.4.6: (x, sin(x), cos(x)) of float32; rounding the f64 sine and cosine gives other values
        let expected = [
            (-0.061414648, -0.061376046, 0.9981147),
            (-0.085352905, -0.085249305, 0.99635965),
            (0.06862654, 0.068572685, 0.9976461),
            (0.09116734, 0.0910411, 0.9958471),
        ];
        for (x, expected_sin, expected_cos) in expected {
            assert_eq!((sin(x), cos(x)), (expected_sin, expected_cos), "{x}");
        }
    }
}
