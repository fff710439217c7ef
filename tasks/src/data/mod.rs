//! Datasets, in their publishers' formats.

mod augment;
mod batch;
mod cifar10;
mod dataset_info;
pub mod decode;
mod image_folder;
mod images;
mod loader;
mod metric_kind;
mod text;

pub use crate::error::SkippedFile;
pub use batch::{Batch, Batches, Split};
pub use cifar10::Cifar10;
pub use dataset_info::{DatasetInfo, SplitInfo, unlike_classes};
pub use image_folder::ImageFolder;
pub use images::{ImageDataLoader, ImageDataset};
pub use metric_kind::MetricKind;
pub use text::{Symbol, Text};

use std::path::Path;

use alrao_core::path::Shown;

use crate::Error;
use crate::networks::ChannelStats;

/// The largest number of classes for which top-5 accuracy is meaningless.
const FEW: usize = 10;

/// A dataset.
pub enum Data {
    /// A text.
    Text(Text),
    /// Images.
    Images(ImageDataLoader),
}

impl Data {
    /// Returns the number of batches in an epoch of a split.
    pub fn num_batches(&self, split: Split) -> u64 {
        match self {
            Data::Text(text) => text.num_batches(split),
            Data::Images(images) => images.num_batches(split),
        }
    }

    /// Returns an epoch of a split from batch `from` on; training data may differ between epochs.
    pub fn batches(&self, split: Split, epoch: u64, from: u64) -> Batches {
        match self {
            Data::Text(text) => text.batches(split, from),
            Data::Images(images) => images.batches(split, epoch, from),
        }
    }

    /// Returns the total number of images, if it has any.
    pub fn images(&self) -> usize {
        match self {
            Data::Text(_) => 0,
            Data::Images(data) => Split::ALL.map(|split| data.images.labels(split).len()).iter().sum(),
        }
    }

    /// Returns the number of classes, A.
    pub fn classes(&self) -> usize {
        match self {
            Data::Text(text) => text.vocabulary(),
            Data::Images(images) => images.images.classes(),
        }
    }

    /// Returns its classes, preprocessing and fingerprint.
    pub fn info(&self) -> DatasetInfo {
        let of = |key: &str, value: String| (key.to_string(), value);
        let (classes, preprocessing) = match self {
            Data::Text(text) => {
                let symbols = self.sample_name().to_string();
                (text.symbols().to_vec(), [of("symbols", symbols), of("line_ends", "LF".into())].into())
            }
            Data::Images(data) => {
                let (side, ChannelStats { mean, std }) = (data.images.side(), data.images.channel_stats());
                let channels = [of("mean", format!("{mean:?}")), of("std", format!("{std:?}"))];
                (data.images.class_names(), channels.into_iter().chain([of("image_size", side.to_string())]).collect())
            }
        };
        let split = |split| match self {
            Data::Text(text) => text.split_info(split),
            Data::Images(data) => data.images.split_info(split),
        };
        let [train, validation, test] = Split::ALL.map(split);
        DatasetInfo { classes, preprocessing, train, validation, test }
    }

    /// Returns what was passed over or normalized while reading, in sentences.
    pub fn notes(&self) -> Vec<String> {
        match self {
            Data::Text(text) => text.notes(),
            Data::Images(data) => data.images.notes(),
        }
    }

    /// Returns a name of a file that stays the same if the dataset moves: its path in the dataset.
    pub fn name_of(&self, file: &Path) -> String {
        let folder = match self {
            Data::Text(_) => None,
            Data::Images(data) => data.images.folder(),
        };
        folder.and_then(|folder| file.strip_prefix(folder).ok()).unwrap_or(file).shown()
    }

    /// Returns the name of its samples.
    pub fn sample_name(&self) -> &'static str {
        match self.metric_kind() {
            MetricKind::BitsPerChar => "characters",
            MetricKind::Perplexity => "words",
            MetricKind::Loss | MetricKind::Top5 => "images",
        }
    }

    /// Returns the metric of its task.
    pub fn metric_kind(&self) -> MetricKind {
        match self {
            Data::Text(text) => match text.symbol() {
                Symbol::Character => MetricKind::BitsPerChar,
                Symbol::Word => MetricKind::Perplexity,
            },
            Data::Images(images) if images.images.classes() > FEW => MetricKind::Top5,
            Data::Images(_) => MetricKind::Loss,
        }
    }
}

/// Checks that at most 1 % of the dataset's `of` images are skipped, the limit of trainings and evaluations.
///
/// # Errors
/// [`Error::TooManyCorrupt`], which names the last file.
pub fn check_skipped(count: usize, of: usize, last: &SkippedFile) -> Result<(), Error> {
    if count * 100 <= of {
        return Ok(());
    }
    Err(Error::TooManyCorrupt { count, of, last: last.clone() })
}
