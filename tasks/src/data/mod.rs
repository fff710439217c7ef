//! Data sets, as their publishers lay them out.

mod text;

use tch::{Device, Tensor};

use crate::Error;
use crate::scores::Measure;

pub use text::{Symbol, Text};

/// What to predict from what.
#[derive(Debug)]
pub struct Batch {
    /// Images, `[B, 3, S, S]`, or symbols, `[T, B]`.
    pub x: Tensor,
    /// Their classes, `[B]`, or the symbols that follow, `[T*B]`; i64.
    pub y: Tensor,
}

impl Batch {
    /// The same on a device.
    pub fn to_device(&self, device: Device) -> Self {
        Batch { x: self.x.to_device(device), y: self.y.to_device(device) }
    }
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

/// A data set, ready to learn from.
pub enum Data {
    /// A text.
    Text(Text),
}

impl Data {
    /// Batches of one time through a split.
    pub fn batches(&self, split: Split) -> u64 {
        match self {
            Data::Text(text) => text.batches(split),
        }
    }

    /// One time through a split from batch `from` on; training data may differ from epoch to epoch.
    pub fn through(&self, split: Split, _epoch: u64, from: u64) -> Batches {
        match self {
            Data::Text(text) => text.through(split, from),
        }
    }

    /// How many classes there are, A.
    pub fn classes(&self) -> usize {
        match self {
            Data::Text(text) => text.vocabulary(),
        }
    }

    /// What its samples are called.
    pub fn sample(&self) -> &'static str {
        match self.measure() {
            Measure::Characters => "characters",
            Measure::Words => "words",
            Measure::Class | Measure::TopFive => "images",
        }
    }

    /// What is told of predictions.
    pub fn measure(&self) -> Measure {
        match self {
            Data::Text(text) => match text.symbol() {
                Symbol::Character => Measure::Characters,
                Symbol::Word => Measure::Words,
            },
        }
    }
}
