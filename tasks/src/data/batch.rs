//! Batches and splits.

use tch::{Device, Tensor};

use crate::Error;
use crate::error::SkippedFile;

/// A batch of inputs and targets.
#[derive(Debug)]
pub struct Batch {
    /// Images, `[B, 3, S, S]` u8, or symbols, `[T, B]` i64.
    pub x: Tensor,
    /// Labels, `[B]`, or the next symbols, `[T*B]`; i64.
    pub y: Tensor,
    /// Skipped files of the batch.
    pub skipped_files: Vec<SkippedFile>,
}

impl Batch {
    /// Copies the batch to a device, asynchronously to a GPU.
    pub fn to_device(self, device: Device) -> Self {
        let to = |tensor: Tensor| match device {
            // not `pin_memory`, for which libtorch warns at every call because tch passes a device
            Device::Cuda(_) => tensor.internal_pin_memory(device).to_device_(device, tensor.kind(), true, false),
            _ => tensor,
        };
        Batch { x: to(self.x), y: to(self.y), skipped_files: self.skipped_files }
    }
}

/// An iterator that creates batches lazily.
pub type Batches = Box<dyn Iterator<Item = Result<Batch, Error>>>;

/// A split of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Training data.
    Train,
    /// Validation data, which select the best epoch.
    Validation,
    /// Test data, on which the best epoch is evaluated once.
    Test,
}

impl Split {
    /// All splits.
    pub const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];

    /// Returns the name of its data.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "training data",
            Split::Validation => "validation data",
            Split::Test => "test data",
        }
    }
}
