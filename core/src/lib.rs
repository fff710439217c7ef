//! Learning with Random Learning Rates (Blier, Wolinski, Ollivier), the method itself.
//!
//! A network is a *body* whose every unit learns at a rate of its own, drawn once from a log-uniform distribution
//! ([`rates`]), and K copies of its output layer ([`heads`]), each with a rate of its own, averaged by the Switch
//! ([`averaging`]). One step of learning (Algorithm 1 of the paper, lines 8 to 13) is [`learner::Learner::step`].
//!
//! Plain SGD and Adam are the same code with one rate and one head.

pub mod averaging;
pub mod device;
mod dueling;
pub mod filled;
pub mod graphed;
pub mod heads;
pub mod layers;
pub mod learner;
pub mod likelihood;
pub mod lr_diagnostics;
pub mod method;
pub mod network;
pub mod noise;
pub mod optimizer;
pub mod parameters;
pub mod rates;
pub mod state_dict;
pub mod streams;
pub mod units;

mod clip;
mod cuda_graph;
mod divergence;
mod error;
mod guard;
mod matmul;
mod slices;

pub use error::Error;
pub use tch;
