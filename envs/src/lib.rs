//! Environments for agents that choose among a few actions.
//!
//! An agent needs three things of its world: to start an episode from a seed, to act, and to look. [`Environment`] is
//! these three; anything that has them can be trained on. The wrappers add what no environment should have to bring
//! itself: [`Checked`] holds it to the contract, [`TimeLimit`] ends long episodes, [`RewardScale`] counts rewards in
//! another unit, [`Recorded`] brings one back in the middle of an episode. [`Vector`] steps many copies at once, and [`check`] tells whoever writes an environment whether
//! agents can count on it.
//!
//! All features are on by default:
//!
//! - `gym`: [`Pendulum`], [`LunarLander`], [`CartPole`], [`MountainCar`] and [`Acrobot`], equal to Gymnasium's to the last
//!   bit, the adapter [`GymEnvironment`] for whatever implements gym-rs's `Env`, and the [`Registry`], which has a
//!   row ([`EnvSpec`]) for each environment and makes it from its name. Without it the crate depends on neither gym-rs nor
//!   Box2D.
//! - `draw`: a [`Scene`] becomes a [`Frame`], PNG and GIF, without a display.
//! - `window`: [`show`] plays frames on a display, with SDL2.

// The documentation is written for the default features.
#![cfg_attr(not(all(feature = "gym", feature = "window")), allow(rustdoc::broken_intra_doc_links))]

mod action;
mod check;
mod checked;
mod environment;
mod error;
mod physics;
mod recorded;
mod reward_scale;
mod scene;
mod time_limit;
mod vector;
mod wrapper;

#[cfg(feature = "gym")]
mod builtin;
#[cfg(feature = "gym")]
mod classic;
#[cfg(feature = "draw")]
mod draw;
#[cfg(feature = "gym")]
mod gym;
#[cfg(feature = "gym")]
mod lander_world;
#[cfg(feature = "gym")]
pub mod numpy_random;
#[cfg(feature = "gym")]
mod registry;
#[cfg(feature = "gym")]
mod spec;
#[cfg(feature = "window")]
mod window;

pub use action::{Action, ActionSpace};
pub use check::{CheckFailure, CheckReport, CheckShape, CheckWarning, check};
pub use checked::Checked;
pub use environment::{Environment, Step};
pub use error::EnvironmentError;
pub use physics::Physics;
pub use recorded::{Recorded, Snapshot};
pub use reward_scale::RewardScale;
pub use scene::{LanderScene, PendulumScene, Pose, Scene};
pub use time_limit::TimeLimit;
pub use vector::Vector;
pub use wrapper::Wrapper;

#[cfg(feature = "gym")]
pub use builtin::{
    Acrobot, AcrobotState, CartPole, CartPoleState, DrivenPendulum, LanderSettings, LunarLander, MountainCar,
    MountainCarState, Pendulum, PendulumSettings, PendulumState, heuristic,
};
#[cfg(feature = "gym")]
pub use classic::{Classic, Dynamics, Seen};
#[cfg(feature = "draw")]
pub use draw::{Frame, PictureError, save_gif};
#[cfg(feature = "gym")]
pub use gym::GymEnvironment;
#[cfg(feature = "gym")]
pub use registry::{EnvironmentSettings, Registry};
#[cfg(feature = "gym")]
pub use spec::{EntryPoint, EnvSpec, NoSettings};
#[cfg(feature = "window")]
pub use window::{Shown, WindowError, show};
