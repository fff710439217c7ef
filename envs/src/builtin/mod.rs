//! The built-in environments, one a file, each with its specification.

mod acrobot;
mod cartpole;
pub mod heuristic;
mod lunar_lander;
mod minatar;
mod mountain_car;
mod pendulum;
mod pendulum_env;

pub use acrobot::{Acrobot, AcrobotState};
pub use cartpole::{CartPole, CartPoleState};
pub use lunar_lander::{LanderSettings, LunarLander};
pub use minatar::{Asterix, Breakout, Freeway, MinAtar, MinAtarSettings, Seaquest, SpaceInvaders};
pub use mountain_car::{MountainCar, MountainCarState};
pub use pendulum::{Pendulum, PendulumState};
pub use pendulum_env::{PendulumEnv, PendulumSettings};

use crate::EnvSpec;

/// Returns the specifications of all built-in environments.
pub fn specs() -> Vec<EnvSpec> {
    let mut specs = vec![
        acrobot::spec(),
        cartpole::spec(),
        pendulum_env::spec(),
        pendulum_env::continuous_spec(),
        lunar_lander::spec(),
        lunar_lander::continuous_spec(),
        mountain_car::spec(),
    ];
    specs.extend(minatar::specs());
    specs
}
