//! The data loader: prefetches batches of images on all cores.
//!
//! A batch depends only on the seed, the epoch and its index: an epoch has one shuffle, and each image its own random
//! stream. Neither the number of threads nor the first batch of a resumed epoch matters.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use alrao_core::filled::{filled, filled_from};
use alrao_core::streams::stream;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use super::{Batch, Batches, ImageDataLoader, SkippedFile, Split};
use crate::Error;

/// The number of prefetched batches, enough to keep training busy.
const PREFETCHED: usize = 4;

impl ImageDataLoader {
    /// Returns an epoch of a split from batch `from` on, prefetched: images `[B, 3, S, S]` u8 and labels `[B]`. The last
    /// batch may be smaller, but in training never a single image, which batch normalization can't use.
    pub fn batches(&self, split: Split, epoch: u64, from: u64) -> Batches {
        let epoch = Arc::new(Epoch::new(self.clone(), split, epoch));
        Box::new(Prefetcher { epoch, not_started: from..self.num_batches(split), pending: VecDeque::new() })
    }
}

/// The shared input of the workers of an epoch.
struct Epoch {
    data: ImageDataLoader,
    split: Split,
    epoch: u64,
    order: Vec<u32>,
    /// whether the batches were dropped
    dropped: AtomicBool,
}

/// The batches of an epoch, in order, prefetched.
struct Prefetcher {
    epoch: Arc<Epoch>,
    not_started: std::ops::Range<u64>,
    pending: VecDeque<Receiver<Result<Batch, Error>>>,
}

impl Iterator for Prefetcher {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.pending.len() < PREFETCHED
            && let Some(batch) = self.not_started.next()
        {
            let (sender, receiver) = sync_channel(1);
            let epoch = self.epoch.clone();
            rayon::spawn(move || {
                if !epoch.dropped.load(Ordering::Relaxed) {
                    let _ = sender.send(epoch.batch(batch)); // fails only if the batches were dropped
                }
            });
            self.pending.push_back(receiver);
        }
        self.pending.pop_front().map(|batch| batch.recv().expect("a batch, or an error"))
    }
}

impl Drop for Prefetcher {
    fn drop(&mut self) {
        self.epoch.dropped.store(true, Ordering::Relaxed);
    }
}

impl Epoch {
    fn new(data: ImageDataLoader, split: Split, epoch: u64) -> Self {
        let mut order: Vec<u32> = (0..data.images.labels(split).len() as u32).collect();
        if data.num_images(split) < order.len() {
            let name = if split == Split::Train { "images to learn from" } else { "images to validate by" };
            order.shuffle(&mut stream(0, name));
            order.truncate(data.num_images(split));
        }
        if split == Split::Train {
            order.shuffle(&mut stream(data.seed, &format!("order-{epoch}")));
        }
        Epoch { data, split, epoch, order, dropped: AtomicBool::new(false) }
    }

    fn batch(&self, batch: u64) -> Result<Batch, Error> {
        let (images, size) = (&self.data.images, self.data.batch_size_of(self.split));
        let first = batch as usize * size;
        let indices = &self.order[first..self.order.len().min(first + size)];
        let (side, pixels) = (images.side() as i64, 3 * images.side() * images.side());
        let mut made = Vec::new();
        let x = filled(&[indices.len() as i64, 3, side, side], |bytes: &mut [u8]| {
            made = bytes.par_chunks_mut(pixels).zip(indices).map(|(to, index)| self.image(*index, to)).collect();
        });
        let mut skipped_files = Vec::new();
        let mut valid = Vec::new(); // indices in the batch
        for (place, made) in made.into_iter().enumerate() {
            match made {
                Ok(()) => valid.push(place),
                Err(Error::File { path, problem }) => skipped_files.push(SkippedFile { path, problem }),
                Err(error) => return Err(error),
            }
        }
        let labels = images.labels(self.split);
        let of = |place: &usize| i64::from(labels[indices[*place] as usize]);
        let y = filled_from(valid.len(), valid.iter().map(of));
        let x = match skipped_files.is_empty() {
            true => x,
            false => x.index_select(0, &filled_from(valid.len(), valid.iter().map(|place| *place as i64))),
        };
        Ok(Batch { x, y, skipped_files })
    }

    fn image(&self, index: u32, pixels: &mut [u8]) -> Result<(), Error> {
        let ImageDataLoader { images, seed, .. } = &self.data;
        let mut draws = || stream(*seed, &format!("augmentation-{}-{index}", self.epoch));
        let mut draws = (self.split == Split::Train).then(&mut draws);
        images.image(self.split, index as usize, draws.as_mut(), pixels)
    }
}

#[cfg(test)]
mod tests {
    use alrao_core::streams::Stream;
    use rand::RngExt;
    use tch::{Kind, Tensor};

    use super::*;
    use crate::data::ImageDataset;
    use crate::networks::ChannelStats;

    /// Images of one pixel: index, random draw and 7; the label is the index, too. Some images are corrupt.
    struct Numbered {
        labels: Vec<u16>,
        corrupt: Vec<usize>,
    }

    impl ImageDataset for Numbered {
        fn side(&self) -> usize {
            1
        }

        fn classes(&self) -> usize {
            self.labels.len()
        }

        fn channel_stats(&self) -> ChannelStats {
            ChannelStats { mean: [0.0; 3], std: [1.0; 3] }
        }

        fn labels(&self, _split: Split) -> &[u16] {
            &self.labels
        }

        fn image(&self, _: Split, index: usize, draws: Option<&mut Stream>, pixels: &mut [u8]) -> Result<(), Error> {
            if self.corrupt.contains(&index) {
                return Err(Error::file(format!("{index}.jpg").as_ref(), "truncated"));
            }
            pixels.copy_from_slice(&[index as u8, draws.map_or(0, |draws| draws.random()), 7]);
            Ok(())
        }
    }

    fn data(count: u16, corrupt: &[usize]) -> ImageDataLoader {
        let images = Numbered { labels: (0..count).collect(), corrupt: corrupt.to_vec() };
        ImageDataLoader { images: Arc::new(images), batch_size: 4, max_images: None, seed: 1 }
    }

    fn epoch(data: &ImageDataLoader, split: Split, epoch: u64, from: u64) -> Vec<Batch> {
        data.batches(split, epoch, from).map(Result::unwrap).collect()
    }

    fn classes(batches: &[Batch]) -> Vec<i64> {
        batches.iter().flat_map(|batch| Vec::<i64>::try_from(&batch.y).unwrap()).collect()
    }

    #[test]
    fn each_epoch_has_every_image_once_in_another_order() {
        let data = data(11, &[]);
        let [first, second] = [0, 1].map(|number| epoch(&data, Split::Train, number, 0));
        assert_eq!(first.iter().map(|batch| batch.x.size()[0]).collect::<Vec<_>>(), [4, 4, 3]);
        assert_ne!(classes(&first), classes(&second));
        let mut sorted = classes(&first);
        sorted.sort();
        assert_eq!(sorted, (0..11).collect::<Vec<i64>>());
        for batch in &first {
            assert_eq!(batch.x.select(1, 0).flatten(0, -1).to_kind(Kind::Int64), batch.y);
        }
        assert_eq!(classes(&epoch(&data, Split::Validation, 0, 0)), (0..11).collect::<Vec<i64>>());
    }

    #[test]
    fn batches_do_not_depend_on_threads_or_on_the_first_batch() {
        let data = data(30, &[]);
        let whole = epoch(&data, Split::Train, 3, 0);
        let later = epoch(&data, Split::Train, 3, 2);
        assert_eq!(later.len(), 6);
        assert!(later.iter().zip(&whole[2..]).all(|(later, whole)| later.x == whole.x && later.y == whole.y));
        let [one, three] = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Epoch::new(data.clone(), Split::Train, 3).batch(5).unwrap())
        });
        assert!(one.x == three.x && one.x == whole[5].x);
        let drawn = |batches: &[Batch]| Tensor::cat(&batches.iter().map(|b| b.x.select(1, 1)).collect::<Vec<_>>(), 0);
        assert!(drawn(&whole) != drawn(&epoch(&data, Split::Train, 4, 0)));
        let other_seed = ImageDataLoader { seed: 2, ..data.clone() };
        assert_ne!(classes(&epoch(&other_seed, Split::Train, 3, 0)), classes(&whole));
    }

    #[test]
    fn max_images_selects_the_same_images_for_every_seed() {
        let few = ImageDataLoader { max_images: Some(7), ..data(30, &[]) };
        let used = |data: &ImageDataLoader, split, number| -> std::collections::BTreeSet<i64> {
            classes(&epoch(data, split, number, 0)).into_iter().collect()
        };
        let training = |data: &ImageDataLoader, number| used(data, Split::Train, number);
        let seven = training(&few, 0);
        assert_eq!((seven.len(), few.num_batches(Split::Train)), (7, 2));
        assert!(seven.iter().any(|image| *image >= 7), "selected from all images");
        assert_eq!(training(&ImageDataLoader { seed: 2, ..few.clone() }, 5), seven);
        let validated = used(&few, Split::Validation, 0);
        assert_eq!((validated.len(), few.num_batches(Split::Validation)), (7, 1), "in proportion");
        assert_eq!(used(&ImageDataLoader { seed: 2, ..few.clone() }, Split::Validation, 5), validated);
        assert_eq!(used(&few, Split::Test, 0).len(), 30);
        let enough = ImageDataLoader { max_images: Some(100), ..few };
        assert_eq!([training(&enough, 0).len(), used(&enough, Split::Validation, 0).len()], [30, 30]);
    }

    #[test]
    fn corrupt_images_are_skipped_and_reported() {
        let batches = epoch(&data(6, &[1, 4]), Split::Test, 0, 0);
        assert_eq!(classes(&batches), [0, 2, 3, 5]);
        assert_eq!(Vec::<u8>::try_from(batches[0].x.select(1, 0).flatten(0, -1)).unwrap(), [0, 2, 3, 5]);
        let skipped = batches.iter().flat_map(|batch| &batch.skipped_files).map(|file| file.path.clone());
        assert_eq!(skipped.collect::<Vec<_>>(), ["1.jpg", "4.jpg"].map(std::path::PathBuf::from));
    }

    #[test]
    fn training_has_no_batch_of_a_single_image() {
        let data = data(9, &[]);
        assert_eq!((data.num_batches(Split::Train), data.num_batches(Split::Test)), (2, 1));
        assert_eq!(epoch(&data, Split::Train, 0, 0).len(), 2);
        assert_eq!(epoch(&data, Split::Test, 0, 0).len(), 1);
    }
}
