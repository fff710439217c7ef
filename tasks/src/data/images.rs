//! What batches of images are made of: images with classes, each of which can be had at any time.

use std::sync::Arc;

use alrao_core::streams::Stream;

use super::Split;
use crate::Error;
use crate::networks::Colours;

/// Images of one size, each of a class.
pub trait Images: Send + Sync {
    /// Pixels of a side, S.
    fn side(&self) -> usize;

    /// How many classes there are, A.
    fn classes(&self) -> usize;

    /// Mean and deviation of their colours.
    fn colours(&self) -> Colours;

    /// The class of each image of a split, in an order that never changes.
    fn labels(&self, split: Split) -> &[u16];

    /// Writes image `index` of a split, `[3, S, S]`; as it is to be learnt from if it is given draws to change it by.
    ///
    /// # Errors
    /// [`Error::File`]: it is damaged.
    fn image(&self, split: Split, index: usize, draws: Option<&mut Stream>, pixels: &mut [u8]) -> Result<(), Error>;
}

/// Images, how many make a batch, and the seed that their order and their changes derive from.
#[derive(Clone)]
pub struct ImageBatches {
    /// The images.
    pub images: Arc<dyn Images>,
    /// Images in a batch to learn from, B.
    pub batch: usize,
    /// The most images to learn from; others of that split are left alone, and of those to validate by the same share.
    /// The same ones whatever the run's seed.
    pub most: Option<usize>,
    /// The run's seed.
    pub seed: u64,
}

impl ImageBatches {
    /// Batches of one time through a split.
    pub fn batches(&self, split: Split) -> u64 {
        let (images, size) = (self.images_of(split), self.size(split));
        let alone = split == Split::Train && images % size == 1;
        (images.div_ceil(size) - usize::from(alone)) as u64
    }

    /// Images in a batch of a split. Where nothing is learnt, small batches only take longer.
    pub fn size(&self, split: Split) -> usize {
        const LEAST_TO_JUDGE: usize = 128;
        match split {
            Split::Train => self.batch,
            Split::Validation | Split::Test => self.batch.max(LEAST_TO_JUDGE),
        }
    }

    /// How many images of a split are used.
    pub fn images_of(&self, split: Split) -> usize {
        let all = |split| self.images.labels(split).len();
        match (self.most, split) {
            (None, _) | (_, Split::Test) => all(split),
            (Some(most), Split::Train) => all(split).min(most),
            (Some(_), Split::Validation) => {
                (all(split) * self.images_of(Split::Train)).div_ceil(all(Split::Train).max(1))
            }
        }
    }
}
