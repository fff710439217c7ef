//! Learning with Random Learning Rates (Blier, Wolinski, Ollivier), the method itself.
//!
//! A network has a *body*, each of whose units has its own learning rate, sampled once from a log-uniform distribution
//! ([`rates`]), and K output heads ([`heads`]) with log-spaced learning rates, averaged by the Switch ([`averaging`]).
//! [`learner::Learner::step`] makes one training step (Algorithm 1 of the paper, lines 8 to 13).
//!
//! SGD and Adam run through this code with one learning rate and one head.

pub mod adaptive_softmax;
pub mod averaging;
pub mod device;
mod dueling;
pub mod filled;
pub mod graphed;
pub mod heads;
pub mod json;
pub mod layers;
pub mod learner;
pub mod likelihood;
pub mod lr_diagnostics;
pub mod memory;
pub mod method;
pub mod network;
pub mod noise;
pub mod optimizer;
pub mod parameters;
pub mod path;
pub mod rates;
pub mod state_dict;
pub mod streams;
pub mod units;

mod clip;
mod cuda_graph;
mod divergence;
mod error;
mod guard;
mod head_losses;
mod matmul;
mod slices;
mod update_bound;

pub use error::Error;
pub use tch;
