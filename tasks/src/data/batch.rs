//! Batches, and the parts of the data that they are of.

use tch::{Device, Tensor};

use crate::Error;
use crate::error::SkippedFile;

/// What to predict from what.
#[derive(Debug)]
pub struct Batch {
    /// Images, `[B, 3, S, S]` u8, or symbols, `[T, B]` i64.
    pub x: Tensor,
    /// Their classes, `[B]`, or the symbols that follow, `[T*B]`; i64.
    pub y: Tensor,
    /// What should have been in it.
    pub left_out: Vec<SkippedFile>,
}

impl Batch {
    /// Brings it to a device. A GPU fetches it on its own while the program goes on.
    pub fn to_device(self, device: Device) -> Self {
        let to = |tensor: Tensor| match device {
            // not `pin_memory`, which libtorch warns of at every call, since tch names the device
            Device::Cuda(_) => tensor.internal_pin_memory(device).to_device_(device, tensor.kind(), true, false),
            _ => tensor,
        };
        Batch { x: to(self.x), y: to(self.y), left_out: self.left_out }
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

impl Split {
    /// All of them.
    pub const ALL: [Split; 3] = [Split::Train, Split::Validation, Split::Test];
}
