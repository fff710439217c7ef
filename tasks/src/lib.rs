//! Supervised learning without a learning rate: the paper's experiments on CIFAR-10, ImageNet and Penn Treebank.
//!
//! [`networks`] are the bodies that the paper trains, [`data`] is what they learn from.

pub mod data;
mod error;
pub mod networks;

pub use error::Error;
