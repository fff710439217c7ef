//! The environments of this crate, one a file, each with its row.

mod acrobot;
mod cartpole;
mod driven_pendulum;
pub mod heuristic;
mod lunar_lander;
mod mountain_car;
mod pendulum;

pub use acrobot::{Acrobot, AcrobotState};
pub use cartpole::{CartPole, CartPoleState};
pub use driven_pendulum::{DrivenPendulum, PendulumSettings};
pub use lunar_lander::{LanderSettings, LunarLander};
pub use mountain_car::{MountainCar, MountainCarState};
pub use pendulum::{Pendulum, PendulumState};

use crate::EnvSpec;

/// Their rows.
pub fn specs() -> Vec<EnvSpec> {
    vec![
        acrobot::spec(),
        cartpole::spec(),
        driven_pendulum::spec(),
        driven_pendulum::continuous_spec(),
        lunar_lander::spec(),
        lunar_lander::continuous_spec(),
        mountain_car::spec(),
    ]
}
