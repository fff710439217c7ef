//! Environments for agents that choose among a few actions.
//!
//! An agent needs three things of its world: to start an episode from a seed, to act, and to look. [`Environment`] is
//! these three; anything that has them can be trained on. The wrappers add what no environment should have to bring
//! itself: [`Checked`] holds it to the contract, [`TimeLimit`] ends long episodes, [`Recorded`] brings one back in the
//! middle of an episode.
//!
//! With the feature `gym` (on by default) come [`Pendulum`], equal to Gymnasium's to the last bit, the adapter
//! [`GymEnvironment`] for whatever implements gym-rs's `Env`, and [`make`], which builds an environment from its name.
//! Without it the crate depends on neither gym-rs nor SDL2.

// The documentation is written for the default features.
#![cfg_attr(not(feature = "gym"), allow(rustdoc::broken_intra_doc_links))]

mod check;
mod checked;
mod environment;
mod error;
mod recorded;
mod scene;
mod time_limit;
mod vector;

#[cfg(feature = "draw")]
mod draw;
#[cfg(feature = "gym")]
mod gym;
#[cfg(feature = "gym")]
pub mod numpy_random;
#[cfg(feature = "gym")]
mod pendulum;
#[cfg(feature = "gym")]
mod registry;
#[cfg(feature = "window")]
mod window;

pub use check::{CheckFailure, CheckReport, CheckWarning, check};
pub use checked::Checked;
pub use environment::{Environment, Step};
pub use error::EnvironmentError;
pub use recorded::{Recorded, Snapshot};
pub use scene::{LanderScene, PendulumScene, Pose, Scene};
pub use time_limit::TimeLimit;
pub use vector::Vector;

#[cfg(feature = "draw")]
pub use draw::{Frame, PictureError, save_gif};
#[cfg(feature = "gym")]
pub use gym::GymEnvironment;
#[cfg(feature = "gym")]
pub use pendulum::{Pendulum, PendulumState};
#[cfg(feature = "gym")]
pub use registry::{EnvironmentSettings, make, names};
#[cfg(feature = "window")]
pub use window::{Shown, WindowError, show};
