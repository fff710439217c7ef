//! Supervised learning without a learning rate: the paper's experiments on CIFAR-10, ImageNet and Penn Treebank.
//!
//! [`networks`] contains the paper's bodies, [`data`] the datasets.

pub mod data;
pub mod metrics;
pub mod model;
pub mod networks;
pub mod settings;
pub mod training;

mod error;

pub use error::Error;
