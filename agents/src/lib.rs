//! Deep Q-learning (Mnih et al., 2015) without learning-rate tuning.
//!
//! [`training::DqnTrainer`] is the training loop, [`dqn::Agent`] the agent, and [`q_network::QNetwork`] can be reused
//! alone in a custom loop. Environments implement [`alrao_envs::Environment`].

pub mod bodies;
pub mod callback;
pub mod dqn;
pub mod evaluation;
pub mod exploration;
pub mod frame_stack;
pub mod inputs;
pub mod mask;
pub mod obs_normalizer;
pub mod priority;
pub mod q_network;
pub mod ready_callbacks;
pub mod replay;
pub mod return_scale;
pub mod training;

mod error;
mod frames;
mod mask_buffer;
mod q_network_settings;
mod reserved;
mod running_mean_std;
mod shape_defaults;

pub use error::Error;
