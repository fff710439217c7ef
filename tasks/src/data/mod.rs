//! Data sets, as their publishers lay them out.

mod augment;
mod cifar10;
pub mod decode;
mod image_folder;
mod images;
mod loader;
mod text;

use std::path::PathBuf;

use serde::Serialize;
use tch::{Device, Tensor};

use crate::Error;
use crate::scores::Measure;

pub use cifar10::Cifar10;
pub use image_folder::ImageFolder;
pub use images::{ImageBatches, Images};
pub use text::{Symbol, Text};

/// Classes that are so few that five guesses tell nothing.
const FEW: usize = 10;

/// What to predict from what.
#[derive(Debug)]
pub struct Batch {
    /// Images, `[B, 3, S, S]` u8, or symbols, `[T, B]` i64.
    pub x: Tensor,
    /// Their classes, `[B]`, or the symbols that follow, `[T*B]`; i64.
    pub y: Tensor,
    /// What should have been in it.
    pub left_out: Vec<LeftOut>,
}

/// A file that is damaged, so that its image is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
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

/// A data set, ready to learn from.
pub enum Data {
    /// A text.
    Text(Text),
    /// Images.
    Images(ImageBatches),
}

impl Data {
    /// Batches of one time through a split.
    pub fn batches(&self, split: Split) -> u64 {
        match self {
            Data::Text(text) => text.batches(split),
            Data::Images(images) => images.batches(split),
        }
    }

    /// One time through a split from batch `from` on; training data may differ from epoch to epoch.
    pub fn through(&self, split: Split, epoch: u64, from: u64) -> Batches {
        match self {
            Data::Text(text) => text.through(split, from),
            Data::Images(images) => images.through(split, epoch, from),
        }
    }

    /// How many images there are in all, if it has any.
    pub fn images(&self) -> usize {
        match self {
            Data::Text(_) => 0,
            Data::Images(data) => Split::ALL.map(|split| data.images.labels(split).len()).iter().sum(),
        }
    }

    /// How many classes there are, A.
    pub fn classes(&self) -> usize {
        match self {
            Data::Text(text) => text.vocabulary(),
            Data::Images(images) => images.images.classes(),
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
            Data::Images(images) if images.images.classes() > FEW => Measure::TopFive,
            Data::Images(_) => Measure::Class,
        }
    }
}
