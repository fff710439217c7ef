//! LunarLander, bit-identical to Gymnasium 1.4.0's `LunarLander-v3`: [`LunarLander`].
//!
//! This holds on x86-64 with glibc and the same Box2D: Python's computations are `f64` here, and values passed to Box2D
//! are rounded to `f32`. Random draws are numpy's, in Gymnasium's order.

use std::f64::consts::PI;
use std::mem;

use serde::{Deserialize, Serialize};

use super::heuristic::{land, land_continuous};
use crate::lander_world::{LanderWorld, WorldState};
use crate::numpy_random::{Generator, default_rng};
use crate::{
    Action, ActionSpace, EntryPoint, EnvSpec, Environment, EnvironmentError, LanderRenderState, Physics, RenderState,
    Step,
};

const SCALE: f64 = 30.0; // Gymnasium's pixels per meter
const WIDTH: f64 = 600.0 / SCALE;
const HEIGHT: f64 = 400.0 / SCALE;
const VERTICES: usize = 11; // of the ground
const HELIPAD_Y: f64 = HEIGHT / 4.0;
const STEPS_PER_SECOND: f64 = 50.0;
const INITIAL_FORCE: f64 = 1000.0; // N
const MAIN_POWER: f64 = 13.0;
const SIDE_POWER: f64 = 0.6;
const MAIN_Y: f64 = 4.0; // pixels below the center
const SIDE_X: f64 = 12.0; // pixels from the center
const SIDE_Y: f64 = 14.0; // pixels above the center
const LEG_DOWN: f64 = 18.0; // pixels

/// The settings of a [`LunarLander`], with Gymnasium's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanderSettings {
    /// Whether actions are continuous, set by the environment's name.
    #[serde(skip)]
    pub continuous: bool,
    /// Gravity in m/s^2, between -12 and 0, both excluded.
    pub gravity: f64,
    /// Whether there is wind until a leg touches the ground.
    pub enable_wind: bool,
    /// The wind's maximum force in N, from 0 to 20.
    pub wind_power: f64,
    /// The wind's maximum torque in N m, from 0 to 2.
    pub turbulence_power: f64,
}

impl Default for LanderSettings {
    fn default() -> Self {
        Self { continuous: false, gravity: -10.0, enable_wind: false, wind_power: 15.0, turbulence_power: 1.5 }
    }
}

/// Returns the specification with discrete actions.
pub fn spec() -> EnvSpec {
    EnvSpec {
        name: "lunar-lander".into(),
        description: "`LunarLander-v3`".into(),
        obs_dim: 8,
        actions: ActionSpace::Discrete(4),
        time_limit: Some(1000),
        fps: 50,
        heuristic: Some(|observation| Action::Discrete(land(observation))),
        entry_point: EntryPoint::new(LunarLander::new),
    }
}

/// Returns the specification with continuous actions.
pub fn continuous_spec() -> EnvSpec {
    EnvSpec {
        name: "lunar-lander-continuous".into(),
        description: "`LunarLander-v3`, `continuous=True`".into(),
        actions: ActionSpace::Continuous { low: -1.0, high: 1.0, dim: 2 },
        heuristic: Some(|observation| Action::Continuous(land_continuous(observation).to_vec().into())),
        entry_point: EntryPoint::new(|settings| LunarLander::new(LanderSettings { continuous: true, ..settings })),
        ..spec()
    }
}

/// A lander with a main engine below and one on each side, to be landed on a pad in the middle of random terrain.
///
/// | observation | | | action | fires |
/// |---|---|-|---|---|
/// | position relative to the pad | 1 is the frame's edge | | 0 | nothing |
/// | velocity | | | 1 | the left engine |
/// | angle | rad, counter-clockwise | | 2 | the main engine |
/// | angular velocity | 0.4 rad/s | | 3 | the right engine |
/// | leg contacts | 0 or 1 | | | |
///
/// A continuous action is two throttles from -1 to 1: of the main engine (off below 0, then from half to full power) and
/// of the side engines (left below -0.5, right above 0.5, from half to full power).
///
/// The reward is 100 times the decrease of the distance from the pad, of the speed and of the tilt, plus 10 for each leg
/// that touches the ground, minus 0.3 for full power of the main engine and 0.03 of a side engine. The episode terminates
/// with reward -100 when the body touches the ground or the lander leaves the frame at a side, and with 100 when it comes
/// to rest. A step is 0.02 s.
pub struct LunarLander {
    settings: LanderSettings,
    episode: Option<Episode>,
    observation: [f32; 8],
}

struct Episode {
    rng: Generator,
    terrain: Vec<[f32; 2]>,
    world: LanderWorld,
    state: WorldState,
    wind: Option<Wind>,
    thrust: Thrust,
    /// whether wind and engines were applied for the next step
    begun: bool,
    /// the previous shaping potential, whose differences are rewards
    shaping: Option<f64>,
}

/// The times in the wind's aperiodic functions.
struct Wind {
    push: i32,
    turn: i32,
}

/// The engines' powers; 0 is off.
#[derive(Clone, Copy, Default)]
struct Thrust {
    main: f64,
    side: f64,
    /// the side engine: -1 is the left, 1 the right
    direction: f64,
}

impl LunarLander {
    /// Creates a lander; call `reset` to start an episode.
    ///
    /// # Errors
    /// [`EnvironmentError::SettingOutOfRange`].
    pub fn new(settings: LanderSettings) -> Result<Self, EnvironmentError> {
        let LanderSettings { gravity, wind_power, turbulence_power, .. } = settings;
        let check = |setting, value, valid, range| {
            if valid { Ok(()) } else { Err(EnvironmentError::SettingOutOfRange { setting, value, range }) }
        };
        check("gravity", gravity, -12.0 < gravity && gravity < 0.0, "between -12 and 0")?;
        check("wind_power", wind_power, (0.0..=20.0).contains(&wind_power), "from 0 to 20")?;
        check("turbulence_power", turbulence_power, (0.0..=2.0).contains(&turbulence_power), "from 0 to 2")?;
        Ok(Self { settings, episode: None, observation: [0.0; 8] })
    }

    fn fly(&mut self, thrust: Thrust) -> Result<Step, EnvironmentError> {
        let Some(episode) = &mut self.episode else { return Err(EnvironmentError::StepBeforeReset) };
        let (observation, step) = episode.step(thrust, &self.settings);
        self.observation = observation.map(|value| value as f32);
        Ok(step)
    }
}

impl Environment for LunarLander {
    fn obs_dim(&self) -> usize {
        8
    }

    fn num_actions(&self) -> usize {
        if self.settings.continuous { 0 } else { 4 }
    }

    fn action_dim(&self) -> usize {
        if self.settings.continuous { 2 } else { 0 }
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.episode = Some(Episode::new(default_rng(seed), &self.settings));
        self.fly(Thrust::default())?;
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        self.fly(Thrust::discrete(action))
    }

    fn begin_step(&mut self, action: usize) -> Option<Physics<'_>> {
        let episode = self.episode.as_mut()?;
        episode.begin_step(Thrust::discrete(action), &self.settings);
        Some(Physics(&mut episode.world))
    }

    fn step_continuous(&mut self, action: &[f32]) -> Result<Step, EnvironmentError> {
        self.fly(Thrust::continuous(action[0], action[1]))
    }

    fn observation(&self) -> &[f32] {
        &self.observation
    }

    fn render_state(&self) -> Option<RenderState> {
        self.episode.as_ref().map(|episode| RenderState::Lander(episode.render_state()))
    }
}

impl Episode {
    fn new(mut rng: Generator, settings: &LanderSettings) -> Self {
        let terrain = terrain(&mut rng);
        let force = [(); 2].map(|()| rng.uniform(-INITIAL_FORCE, INITIAL_FORCE));
        let world = LanderWorld::new(&terrain, settings.gravity, force);
        let wind = settings.enable_wind.then(|| {
            let push = rng.integers(-9999, 9999);
            Wind { push, turn: rng.integers(-9999, 9999) }
        });
        let state = world.state();
        Self { rng, terrain, world, state, wind, thrust: Thrust::default(), begun: false, shaping: None }
    }

    fn begin_step(&mut self, thrust: Thrust, settings: &LanderSettings) {
        if !mem::replace(&mut self.begun, true) {
            self.apply_wind(settings);
            self.fire_engines(thrust);
        }
    }

    /// Takes a step and returns the observation and the result.
    fn step(&mut self, thrust: Thrust, settings: &LanderSettings) -> ([f64; 8], Step) {
        self.begin_step(thrust, settings);
        self.world.step();
        self.begun = false;
        self.state = self.world.state();

        let observation = self.observe();
        let shaping = shaping(&observation);
        let gain = self.shaping.map_or(0.0, |before| shaping - before);
        self.shaping = Some(shaping);
        let mut reward = gain - thrust.main * 0.30 - thrust.side * 0.03;
        let lost = self.state.crashed || observation[0].abs() >= 1.0;
        if lost {
            reward = -100.0;
        }
        if !self.state.awake {
            reward = 100.0;
        }
        (observation, Step { reward, terminated: lost || !self.state.awake, truncated: false })
    }

    fn apply_wind(&mut self, settings: &LanderSettings) {
        let Some(wind) = &mut self.wind else { return };
        if self.state.leg_contact != [false, false] {
            return;
        }
        let gust = |at: &mut i32| {
            let time = f64::from(*at);
            *at += 1;
            ((0.02 * time).sin() + (PI * 0.01 * time).sin()).tanh()
        };
        let force = gust(&mut wind.push) * settings.wind_power;
        let torque = gust(&mut wind.turn) * settings.turbulence_power;
        self.world.apply_wind(force, torque);
    }

    /// Fires the engines with random dispersion, which is drawn whether they fire or not.
    fn fire_engines(&mut self, thrust: Thrust) {
        self.thrust = thrust;
        let [x, y, angle] = [self.state.lander.x, self.state.lander.y, self.state.lander.angle].map(f64::from);
        let (sin, cos) = (angle.sin(), angle.cos());
        let [along, across] = [(); 2].map(|()| self.rng.uniform(-1.0, 1.0) / SCALE);
        if thrust.main > 0.0 {
            let along = MAIN_Y / SCALE + 2.0 * along;
            let away = [sin * along - cos * across, -cos * along - sin * across];
            let impulse = away.map(|away| -away * MAIN_POWER * thrust.main);
            self.world.apply_impulse(impulse, [x + away[0], y + away[1]]);
        }
        if thrust.side > 0.0 {
            let across = 3.0 * across + thrust.direction * SIDE_X / SCALE;
            let away = [sin * along - cos * across, -cos * along - sin * across];
            let impulse = away.map(|away| -away * SIDE_POWER * thrust.side);
            // Gymnasium uses 17 in one coordinate of the side engines' position and 14 in the other.
            let point = [x + away[0] - sin * 17.0 / SCALE, y + away[1] + cos * SIDE_Y / SCALE];
            self.world.apply_impulse(impulse, point);
        }
    }

    fn observe(&self) -> [f64; 8] {
        let WorldState { lander, velocity, angular_velocity, leg_contact, .. } = self.state;
        [
            (f64::from(lander.x) - WIDTH / 2.0) / (WIDTH / 2.0),
            (f64::from(lander.y) - (HELIPAD_Y + LEG_DOWN / SCALE)) / (HEIGHT / 2.0),
            f64::from(velocity[0]) * (WIDTH / 2.0) / STEPS_PER_SECOND,
            f64::from(velocity[1]) * (HEIGHT / 2.0) / STEPS_PER_SECOND,
            f64::from(lander.angle),
            20.0 * f64::from(angular_velocity) / STEPS_PER_SECOND,
            f64::from(u8::from(leg_contact[0])),
            f64::from(u8::from(leg_contact[1])),
        ]
    }

    fn render_state(&self) -> LanderRenderState {
        let WorldState { lander, legs, leg_contact, .. } = self.state;
        let pad = VERTICES / 2;
        LanderRenderState {
            terrain: self.terrain.clone(),
            helipad: [self.terrain[pad - 1][0], self.terrain[pad + 1][0], HELIPAD_Y as f32],
            lander,
            legs,
            leg_contact,
            main_power: self.thrust.main as f32,
            side_power: (self.thrust.direction * self.thrust.side) as f32,
        }
    }
}

impl Thrust {
    fn discrete(action: usize) -> Self {
        match action {
            1 => Self { side: 1.0, direction: -1.0, ..Self::default() },
            2 => Self { main: 1.0, ..Self::default() },
            3 => Self { side: 1.0, direction: 1.0, ..Self::default() },
            _ => Self::default(),
        }
    }

    fn continuous(main: f32, side: f32) -> Self {
        let [main, side] = [main, side].map(|throttle| f64::from(throttle.clamp(-1.0, 1.0)));
        Self {
            main: if main > 0.0 { (main + 1.0) * 0.5 } else { 0.0 },
            side: if side.abs() > 0.5 { side.abs() } else { 0.0 },
            direction: side.signum(),
        }
    }
}

/// Draws the vertices of the ground: random heights, smoothed, flat around the pad.
fn terrain(rng: &mut Generator) -> Vec<[f32; 2]> {
    let mut heights = [(); VERTICES + 1].map(|()| rng.uniform(0.0, HEIGHT / 2.0));
    heights[VERTICES / 2 - 2..=VERTICES / 2 + 2].fill(HELIPAD_Y);
    let vertex = |i: usize| {
        let left = heights[(i + VERTICES) % (VERTICES + 1)]; // wraps around at the left end
        let height = 0.33 * (left + heights[i] + heights[i + 1]);
        [(WIDTH / (VERTICES - 1) as f64 * i as f64) as f32, height as f32]
    };
    (0..VERTICES).map(vertex).collect()
}

/// Computes the shaping potential of an observation.
fn shaping(&[x, y, vx, vy, angle, _, left, right]: &[f64; 8]) -> f64 {
    -100.0 * (x * x + y * y).sqrt() - 100.0 * (vx * vx + vy * vy).sqrt() - 100.0 * angle.abs()
        + 10.0 * left
        + 10.0 * right
}
