//! Reinforcement-learning environments, modeled on Gymnasium.
//!
//! [`Environment`] is the interface: reset from a seed, step, observe; an [`ObservationSpace`] says whether observations
//! are vectors or images, of `f32`, `u8` or `bool`. Wrappers modify an environment:
//! [`PassiveEnvChecker`] checks calls and results, [`TimeLimit`] truncates long episodes, [`RewardScale`] scales
//! rewards, [`Resumable`] saves and restores an episode. [`VectorEnv`] steps many environments in parallel, and
//! [`check_env`] checks that an environment conforms to the API. A [`Registry`] makes environments by name from their
//! [`EnvSpec`].
//!
//! All features are on by default:
//!
//! - `gym`: [`Pendulum`], [`LunarLander`], [`CartPole`], [`MountainCar`] and [`Acrobot`], bit-identical to Gymnasium's;
//!   the games of [`MinAtar`]; and the adapter [`GymEnvironment`] for implementations of gym-rs's `Env`. Without this
//!   feature the crate depends on neither gym-rs nor Box2D.
//! - `gymnasium`: any environment of Gymnasium, in Python processes, by names such as `gymnasium:CartPole-v1`; needs
//!   Python with Gymnasium when such an environment is made.
//! - `draw`: renders a [`RenderState`] to a [`Frame`], PNG or GIF, without a display.
//! - `window`: [`show`] plays frames in a window, with SDL2.

// The documentation is written for the default features.
#![cfg_attr(not(all(feature = "gym", feature = "window")), allow(rustdoc::broken_intra_doc_links))]

mod action;
mod env_checker;
mod environment;
mod error;
mod observation;
mod passive_env_checker;
mod physics;
mod pose;
mod registry;
mod render_state;
mod resumable;
mod reward_scale;
mod running_resets;
mod scene;
mod spec;
mod time_limit;
mod vector_env;
mod wrapper;

#[cfg(feature = "gym")]
mod builtin;
#[cfg(feature = "gym")]
mod classic_control;
#[cfg(feature = "draw")]
mod draw;
#[cfg(feature = "gym")]
mod gym;
#[cfg(feature = "gymnasium")]
mod gymnasium;
#[cfg(feature = "gym")]
mod lander_world;
#[cfg(feature = "gym")]
pub mod numpy_random;
#[cfg(feature = "window")]
mod window;

pub use action::{Action, ActionSpace};
pub use env_checker::{CheckError, CheckReport, CheckWarning, EnvSpaces, check_env};
pub use environment::{Environment, Step};
pub use error::EnvironmentError;
pub(crate) use observation::ObservationMut;
pub use observation::{ObservationBuffer, ObservationDtype, ObservationRef, ObservationShape, ObservationSpace};
pub use passive_env_checker::PassiveEnvChecker;
pub use physics::Physics;
pub use pose::{Point, Pose};
pub use registry::{EnvironmentSettings, Registry};
pub use render_state::{GridRenderState, LanderRenderState, PendulumRenderState, RenderState, RgbRenderState};
pub use resumable::{Resumable, Snapshot};
pub use reward_scale::RewardScale;
pub use running_resets::{RunningReset, running_resets};
pub use scene::{Rgb, Scene, Shape};
pub use spec::{EntryPoint, EnvSpec, IntoEnvironment, NoSettings};
pub use time_limit::TimeLimit;
pub use vector_env::{VectorEnv, VectorSnapshot};
pub use wrapper::Wrapper;

#[cfg(feature = "gym")]
pub use builtin::{
    Acrobot, AcrobotState, Asterix, Breakout, CartPole, CartPoleState, Freeway, LanderSettings, LunarLander, MinAtar,
    MinAtarSettings, MountainCar, MountainCarState, Pendulum, PendulumEnv, PendulumSettings, PendulumState, Seaquest,
    SpaceInvaders, heuristic,
};
#[cfg(feature = "gym")]
pub use classic_control::{ClassicControl, Dynamics, Observation};
#[cfg(feature = "draw")]
pub use draw::{Frame, FrameError, save_gif};
#[cfg(feature = "gym")]
pub use gym::GymEnvironment;
#[cfg(feature = "gymnasium")]
pub use gymnasium::{GYMNASIUM_PREFIX, GymnasiumEnv, GymnasiumSettings, WrapperSettings};
#[cfg(feature = "window")]
pub use window::{Playback, WindowError, show};
