//! Labeled images with random access, of which batches are made.

use std::path::Path;
use std::sync::Arc;

use alrao_core::streams::Stream;

use super::{Split, SplitInfo};
use crate::Error;
use crate::networks::ChannelStats;

/// A dataset of labeled images of one size.
pub trait ImageDataset: Send + Sync {
    /// Returns the side length S, in pixels.
    fn side(&self) -> usize;

    /// Returns the number of classes, A.
    fn classes(&self) -> usize;

    /// Returns the names of the classes, `[A]`; by default their numbers.
    fn class_names(&self) -> Vec<String> {
        (0..self.classes()).map(|class| class.to_string()).collect()
    }

    /// Returns the size and the fingerprint of a split; by default those of its labels.
    fn split_info(&self, split: Split) -> SplitInfo {
        let labels: Vec<u8> = self.labels(split).iter().flat_map(|label| label.to_le_bytes()).collect();
        let (samples, checksum) = (self.labels(split).len(), crc32c::crc32c(&labels));
        SplitInfo::new(samples, labels.len() as u64, checksum, "labels")
    }

    /// Returns the folder of the files, if they have one; corrupt files are identified by their paths in it.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// Returns what was passed over while reading, in sentences.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Returns mean and standard std of the pixels, by channel.
    fn channel_stats(&self) -> ChannelStats;

    /// Returns the label of each image of a split, in a fixed order.
    fn labels(&self, split: Split) -> &[u16];

    /// Writes image `index` of a split, `[3, S, S]`; augmented if random draws are given.
    ///
    /// # Errors
    /// [`Error::File`] if it is corrupt.
    fn image(&self, split: Split, index: usize, draws: Option<&mut Stream>, pixels: &mut [u8]) -> Result<(), Error>;
}

/// A data loader: a dataset with the batch size, and the seed of the order and augmentation of images.
#[derive(Clone)]
pub struct ImageDataLoader {
    /// The images.
    pub images: Arc<dyn ImageDataset>,
    /// The batch size in training, B.
    pub batch_size: usize,
    /// The maximum number of training images; validation images are reduced by the same fraction. The selection doesn't
    /// depend on the run's seed.
    pub max_images: Option<usize>,
    /// The run's seed.
    pub seed: u64,
}

impl ImageDataLoader {
    /// Returns the number of batches in an epoch of a split.
    pub fn num_batches(&self, split: Split) -> u64 {
        let (images, size) = (self.num_images(split), self.batch_size_of(split));
        let single = split == Split::Train && images % size == 1;
        (images.div_ceil(size) - usize::from(single)) as u64
    }

    /// Returns the batch size of a split. Batches for evaluation may be larger than for training.
    pub fn batch_size_of(&self, split: Split) -> usize {
        const MIN_FOR_EVALUATION: usize = 128;
        match split {
            Split::Train => self.batch_size,
            Split::Validation | Split::Test => self.batch_size.max(MIN_FOR_EVALUATION),
        }
    }

    /// Returns the number of used images of a split.
    pub fn num_images(&self, split: Split) -> usize {
        let all = |split| self.images.labels(split).len();
        match (self.max_images, split) {
            (None, _) | (_, Split::Test) => all(split),
            (Some(most), Split::Train) => all(split).min(most),
            (Some(_), Split::Validation) => {
                (all(split) * self.num_images(Split::Train)).div_ceil(all(Split::Train).max(1))
            }
        }
    }
}
