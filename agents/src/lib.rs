//! Deep Q-learning (Mnih et al., 2015) whose Q-network needs no learning rate.
//!
//! [`training::Training`] is the loop, [`dqn::Agent`] what it trains, [`q_network::QNetwork`] the part to reuse in a
//! loop of one's own. Environments are anything that implements [`alrao_envs::Environment`].

pub mod dqn;
pub mod evaluation;
pub mod exploration;
pub mod observation_scale;
pub mod priority;
pub mod q_network;
pub mod replay;
pub mod return_scale;
pub mod training;

mod error;
mod moments;

pub use error::Error;
