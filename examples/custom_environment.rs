//! A custom environment with everything that the built-in ones have: settings, run directory, resume, sweeps, reports, a
//! picture.
//!
//! `cargo run --release --example custom_environment -- train catch` learns it in half a minute;
//! `... -- --help` lists the other commands. `alrao-setup new` writes a crate with an environment like this one.

use std::process::ExitCode;

use alrao::App;
use alrao::envs::{EnvSpec, Environment, EnvironmentError, Pose, RenderState, Scene, Step};
use serde::{Deserialize, Serialize};

/// What `[environment]` in a configuration and `--set environment.width=9` can set.
#[derive(Serialize, Deserialize)]
struct CatchSettings {
    width: i32,
    height: i32,
}

impl Default for CatchSettings {
    fn default() -> Self {
        Self { width: 7, height: 7 }
    }
}

/// A ball falls through a field; a paddle at the bottom catches it or misses it.
struct Catch {
    settings: CatchSettings,
    ball: [i32; 2],
    paddle: i32,
    /// columns of ball and paddle, row of the ball, from -1 to 1
    observation: [f32; 3],
}

impl Catch {
    fn new(settings: CatchSettings) -> Result<Self, EnvironmentError> {
        if settings.width < 2 || settings.height < 2 {
            return Err("width and height must be at least 2".into());
        }
        Ok(Self { settings, ball: [0; 2], paddle: 0, observation: [0.0; 3] })
    }

    fn observe(&mut self) {
        let CatchSettings { width, height } = self.settings;
        let place = |cell: i32, cells: i32| 2.0 * cell as f32 / (cells - 1) as f32 - 1.0;
        self.observation = [place(self.ball[0], width), place(self.ball[1], height), place(self.paddle, width)];
    }
}

impl Environment for Catch {
    fn obs_dim(&self) -> usize {
        3
    }

    fn num_actions(&self) -> usize {
        3 // left, stay, right
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        let CatchSettings { width, height } = self.settings;
        self.ball = [(seed % width as u64) as i32, height - 1];
        self.paddle = (seed / width as u64 % width as u64) as i32;
        self.observe();
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        self.paddle = (self.paddle + action as i32 - 1).clamp(0, self.settings.width - 1);
        self.ball[1] -= 1;
        self.observe();
        let terminated = self.ball[1] == 0;
        let reward = match (terminated, self.paddle == self.ball[0]) {
            (true, true) => 1.0,
            (true, false) => -1.0,
            (false, _) => 0.0,
        };
        Ok(Step { reward, terminated, truncated: false })
    }

    fn observation(&self) -> &[f32] {
        &self.observation
    }

    fn render_state(&self) -> Option<RenderState> {
        const SIDE: u16 = 300; // pixels
        let CatchSettings { width, height } = self.settings;
        let cell = f32::from(SIDE) / width.max(height) as f32; // pixels
        // [0, 0] is the center of the cell at the bottom left
        let mut scene = Scene::new([SIDE, SIDE], [255, 255, 255], cell, [cell / 2.0, f32::from(SIDE) - cell / 2.0]);
        scene.disc(self.ball.map(|place| place as f32), 0.4, [204, 77, 77]);
        scene.rectangle(Pose { x: self.paddle as f32, ..Pose::default() }, [1.0, 0.3], [0, 0, 0]);
        Some(RenderState::Scene(scene))
    }
}

/// The built-in environments and this one.
pub fn app() -> App {
    App::new().spec(EnvSpec { fps: 5, ..EnvSpec::new("catch", Catch::new) })
}

#[allow(dead_code)] // the tests call `app`
fn main() -> ExitCode {
    app().main()
}
