//! An environment that implements gym-rs's `Env`, adapted by `GymEnvironment`: gym-rs's own CartPole.
//!
//! `cargo run --release --example gym_rs_environment -- train gym-rs-cartpole`

use std::process::ExitCode;

use alrao::App;
use alrao::envs::{EnvSpec, GymEnvironment, NoSettings};
use gym_rs::envs::classical_control::cartpole::CartPoleEnv;
use gym_rs::utils::renderer::RenderMode;

/// The built-in environments and gym-rs's CartPole, whose episodes end after 500 steps.
pub fn app() -> App {
    let make = |_: NoSettings| GymEnvironment::new(CartPoleEnv::new(RenderMode::None));
    App::new().spec(EnvSpec { time_limit: Some(500), ..EnvSpec::new("gym-rs-cartpole", make) })
}

#[allow(dead_code)] // the tests call `app`
fn main() -> ExitCode {
    app().main()
}
