//! Supervised learning without a learning rate: the paper's experiments on CIFAR-10, ImageNet and Penn Treebank.
//!
//! [`networks`] are the bodies that the paper trains, [`data`] is what they learn from.

pub mod data;
pub mod model;
pub mod networks;
pub mod scores;
pub mod settings;
pub mod training;

mod error;

pub use error::Error;
