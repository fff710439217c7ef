//! MinAtar's five games (Young and Tian, 2019), equal to the PyPI package `MinAtar` 1.0.15, draw for draw.
//!
//! The package is GPL-3.0: these files follow a description of what it does, not its source. A game is its state and its
//! rules, one file each ([`Game`](game::Game)); [`MinAtar`] makes an environment of it.

mod asterix;
mod breakout;
mod environment;
mod freeway;
mod game;
mod grid;
mod ramp;
mod random_state;
mod seaquest;
mod space_invaders;
mod sticky;
#[cfg(test)]
mod tests;

pub use asterix::Asterix;
pub use breakout::Breakout;
pub use environment::{MinAtar, MinAtarSettings};
pub use freeway::Freeway;
pub use seaquest::Seaquest;
pub use space_invaders::SpaceInvaders;

use crate::EnvSpec;

/// Returns the games' specifications.
pub fn specs() -> [EnvSpec; 5] {
    [asterix::spec(), breakout::spec(), freeway::spec(), seaquest::spec(), space_invaders::spec()]
}
