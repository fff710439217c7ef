//! The spacecraft to be landed between two flags, equal to Gymnasium 1.4.0's `LunarLander-v3`: [`LunarLander`].
//!
//! Equal to the last bit on x86-64 with glibc, on the same Box2D: what Python computes is `f64` here, and is rounded to
//! `f32` where it goes to Box2D. All draws are numpy's, in Gymnasium's order.

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

const SCALE: f64 = 30.0; // Gymnasium's pixels a metre
const WIDTH: f64 = 600.0 / SCALE;
const HEIGHT: f64 = 400.0 / SCALE;
const CORNERS: usize = 11;
const HELIPAD_Y: f64 = HEIGHT / 4.0;
const STEPS_A_SECOND: f64 = 50.0;
const INITIAL_FORCE: f64 = 1000.0; // N
const MAIN_POWER: f64 = 13.0;
const SIDE_POWER: f64 = 0.6;
const MAIN_Y: f64 = 4.0; // pixels below the centre
const SIDE_X: f64 = 12.0; // pixels from the centre
const SIDE_Y: f64 = 14.0; // pixels above the centre
const LEG_DOWN: f64 = 18.0; // pixels

/// How a [`LunarLander`] is set; the default is Gymnasium's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanderSettings {
    /// Whether an action is two throttles instead of the number of an engine; the environment's name says so.
    #[serde(skip)]
    pub continuous: bool,
    /// In m/s^2: between -12 and 0, both excluded.
    pub gravity: f64,
    /// Whether wind blows at the lander until a leg touches the ground.
    pub enable_wind: bool,
    /// The strongest push of the wind, N: 0 to 20.
    pub wind_power: f64,
    /// The strongest turn by the wind, N m: 0 to 2.
    pub turbulence_power: f64,
}

impl Default for LanderSettings {
    fn default() -> Self {
        Self { continuous: false, gravity: -10.0, enable_wind: false, wind_power: 15.0, turbulence_power: 1.5 }
    }
}

/// The row of the lander with numbered actions.
pub fn spec() -> EnvSpec {
    EnvSpec {
        name: "lunar-lander".into(),
        description: "`LunarLander-v3`".into(),
        obs_dim: 8,
        actions: ActionSpace::Discrete(4),
        time_limit: Some(1000),
        fps: 50,
        heuristic: Some(|seen| Action::Discrete(land(seen))),
        entry_point: EntryPoint::new(LunarLander::new),
    }
}

/// The row of the lander with throttles.
pub fn continuous_spec() -> EnvSpec {
    EnvSpec {
        name: "lunar-lander-continuous".into(),
        description: "`LunarLander-v3`, `continuous=True`".into(),
        actions: ActionSpace::Continuous { low: -1.0, high: 1.0, dim: 2 },
        heuristic: Some(|seen| Action::Continuous(land_continuous(seen).to_vec().into())),
        entry_point: EntryPoint::new(|settings| LunarLander::new(LanderSettings { continuous: true, ..settings })),
        ..spec()
    }
}

/// A lander with a main engine below and one on each side, above ground that is different each time but for the landing
/// pad in the middle.
///
/// | observation | | | action | fires |
/// |---|---|-|---|---|
/// | place, seen from the pad | 1 is the picture's edge | | 0 | nothing |
/// | its change | | | 1 | the left engine |
/// | angle | rad, counter-clockwise | | 2 | the main engine |
/// | its change | 0.4 rad/s | | 3 | the right engine |
/// | whether each leg touches the ground | 0 or 1 | | | |
///
/// A continuous action is two throttles from -1 to 1, of the main engine (off below 0, then from half to full power) and
/// of the side engines (left below -0.5, right above 0.5, from half to full power).
///
/// The reward is the decrease of the distance from the pad, the speed and the tilt, times 100 each, and 10 for each leg
/// on the ground, less 0.3 for full power of the main engine and 0.03 of a side engine. The episode ends with -100 when
/// the body touches the ground or the lander leaves the picture sideways, and with 100 when it has come to rest. A step
/// is 0.02 s.
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
    /// Wind and engines have done their part of the next step.
    begun: bool,
    /// What the place is worth; rewards are its changes.
    worth: Option<f64>,
}

/// Where the wind is in its never repeating course.
struct Wind {
    push: i32,
    turn: i32,
}

/// The engines' powers, 0 where they are off.
#[derive(Clone, Copy, Default)]
struct Thrust {
    main: f64,
    side: f64,
    /// Which side engine: -1 is the left, 1 the right one.
    direction: f64,
}

impl LunarLander {
    /// A lander; `reset` starts an episode.
    ///
    /// # Errors
    /// [`EnvironmentError::SettingOutOfRange`].
    pub fn new(settings: LanderSettings) -> Result<Self, EnvironmentError> {
        let LanderSettings { gravity, wind_power, turbulence_power, .. } = settings;
        let within = |setting, value, holds, range| {
            if holds { Ok(()) } else { Err(EnvironmentError::SettingOutOfRange { setting, value, range }) }
        };
        within("gravity", gravity, -12.0 < gravity && gravity < 0.0, "between -12 and 0")?;
        within("wind_power", wind_power, (0.0..=20.0).contains(&wind_power), "from 0 to 20")?;
        within("turbulence_power", turbulence_power, (0.0..=2.0).contains(&turbulence_power), "from 0 to 2")?;
        Ok(Self { settings, episode: None, observation: [0.0; 8] })
    }

    fn fly(&mut self, thrust: Thrust) -> Result<Step, EnvironmentError> {
        let Some(episode) = &mut self.episode else { return Err(EnvironmentError::StepBeforeReset) };
        let (seen, step) = episode.step(thrust, &self.settings);
        self.observation = seen.map(|value| value as f32);
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
        self.fly(Thrust::numbered(action))
    }

    fn begin_step(&mut self, action: usize) -> Option<Physics<'_>> {
        let episode = self.episode.as_mut()?;
        episode.begin_step(Thrust::numbered(action), &self.settings);
        Some(Physics(&mut episode.world))
    }

    fn step_continuous(&mut self, action: &[f32]) -> Result<Step, EnvironmentError> {
        self.fly(Thrust::throttled(action[0], action[1]))
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
        Self { rng, terrain, world, state, wind, thrust: Thrust::default(), begun: false, worth: None }
    }

    fn begin_step(&mut self, thrust: Thrust, settings: &LanderSettings) {
        if !mem::replace(&mut self.begun, true) {
            self.blow(settings);
            self.fire(thrust);
        }
    }

    /// The observation and what else the step led to.
    fn step(&mut self, thrust: Thrust, settings: &LanderSettings) -> ([f64; 8], Step) {
        self.begin_step(thrust, settings);
        self.world.step();
        self.begun = false;
        self.state = self.world.state();

        let seen = self.seen();
        let worth = worth(&seen);
        let gain = self.worth.map_or(0.0, |before| worth - before);
        self.worth = Some(worth);
        let mut reward = gain - thrust.main * 0.30 - thrust.side * 0.03;
        let lost = self.state.crashed || seen[0].abs() >= 1.0;
        if lost {
            reward = -100.0;
        }
        if !self.state.awake {
            reward = 100.0;
        }
        (seen, Step { reward, terminated: lost || !self.state.awake, truncated: false })
    }

    fn blow(&mut self, settings: &LanderSettings) {
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
        self.world.blow(force, torque);
    }

    /// Fires the engines, each with some dispersion, which is drawn whether they fire or not.
    fn fire(&mut self, thrust: Thrust) {
        self.thrust = thrust;
        let [x, y, angle] = [self.state.lander.x, self.state.lander.y, self.state.lander.angle].map(f64::from);
        let (sin, cos) = (angle.sin(), angle.cos());
        let [along, across] = [(); 2].map(|()| self.rng.uniform(-1.0, 1.0) / SCALE);
        if thrust.main > 0.0 {
            let along = MAIN_Y / SCALE + 2.0 * along;
            let away = [sin * along - cos * across, -cos * along - sin * across];
            let impulse = away.map(|away| -away * MAIN_POWER * thrust.main);
            self.world.thrust(impulse, [x + away[0], y + away[1]]);
        }
        if thrust.side > 0.0 {
            let across = 3.0 * across + thrust.direction * SIDE_X / SCALE;
            let away = [sin * along - cos * across, -cos * along - sin * across];
            let impulse = away.map(|away| -away * SIDE_POWER * thrust.side);
            // Gymnasium's place of the side engines has 17 in one coordinate and 14 in the other.
            let place = [x + away[0] - sin * 17.0 / SCALE, y + away[1] + cos * SIDE_Y / SCALE];
            self.world.thrust(impulse, place);
        }
    }

    fn seen(&self) -> [f64; 8] {
        let WorldState { lander, velocity, angular_velocity, leg_contact, .. } = self.state;
        [
            (f64::from(lander.x) - WIDTH / 2.0) / (WIDTH / 2.0),
            (f64::from(lander.y) - (HELIPAD_Y + LEG_DOWN / SCALE)) / (HEIGHT / 2.0),
            f64::from(velocity[0]) * (WIDTH / 2.0) / STEPS_A_SECOND,
            f64::from(velocity[1]) * (HEIGHT / 2.0) / STEPS_A_SECOND,
            f64::from(lander.angle),
            20.0 * f64::from(angular_velocity) / STEPS_A_SECOND,
            f64::from(u8::from(leg_contact[0])),
            f64::from(u8::from(leg_contact[1])),
        ]
    }

    fn render_state(&self) -> LanderRenderState {
        let WorldState { lander, legs, leg_contact, .. } = self.state;
        let pad = CORNERS / 2;
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
    fn numbered(action: usize) -> Self {
        match action {
            1 => Self { side: 1.0, direction: -1.0, ..Self::default() },
            2 => Self { main: 1.0, ..Self::default() },
            3 => Self { side: 1.0, direction: 1.0, ..Self::default() },
            _ => Self::default(),
        }
    }

    fn throttled(main: f32, side: f32) -> Self {
        let [main, side] = [main, side].map(|throttle| f64::from(throttle.clamp(-1.0, 1.0)));
        Self {
            main: if main > 0.0 { (main + 1.0) * 0.5 } else { 0.0 },
            side: if side.abs() > 0.5 { side.abs() } else { 0.0 },
            direction: side.signum(),
        }
    }
}

/// The ground's corners: random heights, smoothed, flat around the pad.
fn terrain(rng: &mut Generator) -> Vec<[f32; 2]> {
    let mut heights = [(); CORNERS + 1].map(|()| rng.uniform(0.0, HEIGHT / 2.0));
    heights[CORNERS / 2 - 2..=CORNERS / 2 + 2].fill(HELIPAD_Y);
    let corner = |i: usize| {
        let left = heights[(i + CORNERS) % (CORNERS + 1)]; // the first one's left is the last
        let height = 0.33 * (left + heights[i] + heights[i + 1]);
        [(WIDTH / (CORNERS - 1) as f64 * i as f64) as f32, height as f32]
    };
    (0..CORNERS).map(corner).collect()
}

fn worth(&[x, y, vx, vy, angle, _, left, right]: &[f64; 8]) -> f64 {
    -100.0 * (x * x + y * y).sqrt() - 100.0 * (vx * vx + vy * vy).sqrt() - 100.0 * angle.abs()
        + 10.0 * left
        + 10.0 * right
}
