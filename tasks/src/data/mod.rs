//! Data sets, as their publishers lay them out.

mod augment;
mod batch;
mod cifar10;
pub mod decode;
mod image_folder;
mod images;
mod loader;
mod measure;
mod text;

pub use crate::error::SkippedFile;
pub use batch::{Batch, Batches, Split};
pub use cifar10::Cifar10;
pub use image_folder::ImageFolder;
pub use images::{ImageBatches, Images};
pub use measure::Measure;
pub use text::{Symbol, Text};

/// Classes that are so few that five guesses tell nothing.
const FEW: usize = 10;

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
