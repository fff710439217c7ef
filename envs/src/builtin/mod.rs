//! The built-in environments, one a file, each with its specification.

mod acrobot;
mod cartpole;
pub mod heuristic;
mod lunar_lander;
mod mountain_car;
mod pendulum;
mod pendulum_env;

pub use acrobot::{Acrobot, AcrobotState};
pub use cartpole::{CartPole, CartPoleState};
pub use lunar_lander::{LanderSettings, LunarLander};
pub use mountain_car::{MountainCar, MountainCarState};
pub use pendulum::{Pendulum, PendulumState};
pub use pendulum_env::{PendulumEnv, PendulumSettings};

use crate::EnvSpec;

/// Returns the specifications of all built-in environments.
pub fn specs() -> Vec<EnvSpec> {
    vec![
        acrobot::spec(),
        cartpole::spec(),
        pendulum_env::spec(),
        pendulum_env::continuous_spec(),
        lunar_lander::spec(),
        lunar_lander::continuous_spec(),
        mountain_car::spec(),
    ]
}
