//! Data sets, as their publishers lay them out.

mod text;

use tch::Tensor;

use crate::Error;

pub use text::{Symbol, Text};

/// What to predict from what.
#[derive(Debug)]
pub struct Batch {
    /// Images, `[B, 3, S, S]`, or symbols, `[T, B]`.
    pub x: Tensor,
    /// Their classes, `[B]`, or the symbols that follow, `[T*B]`; i64.
    pub y: Tensor,
}

/// Batches that are made while they are asked for.
pub type Batches = Box<dyn Iterator<Item = Result<Batch, Error>>>;

/// What a part of the data is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// To learn from.
    Train,
    /// To choose the best epoch by.
    Validation,
    /// To judge the best epoch by, once.
    Test,
}
