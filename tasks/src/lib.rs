//! Supervised learning without a learning rate: the paper's experiments on CIFAR-10, ImageNet and Penn Treebank.
//!
//! [`networks`] are the bodies that the paper trains, [`data`] is what they learn from.

pub mod data;
mod error;
pub mod model;
pub mod networks;
pub mod scores;
pub mod settings;
pub mod training;

pub use error::Error;

/// Keeps other tests waiting that use libtorch's generator, which is the whole process's.
#[cfg(test)]
fn alone() -> impl Drop {
    use std::sync::{Mutex, PoisonError};
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
