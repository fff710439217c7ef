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
const AHEAD: usize = 4;

impl ImageDataLoader {
    /// Returns an epoch of a split from batch `from` on, prefetched: images `[B, 3, S, S]` u8 and labels `[B]`. The last
    /// batch may be smaller, but in training never a single image, which batch normalization can't use.
    pub fn batches(&self, split: Split, epoch: u64, from: u64) -> Batches {
        let work = Arc::new(Work::new(self.clone(), split, epoch));
        Box::new(Ahead { work, to_begin: from..self.num_batches(split), under_way: VecDeque::new() })
    }
}

/// The shared input of the workers of an epoch.
struct Work {
    data: ImageDataLoader,
    split: Split,
    epoch: u64,
    order: Vec<u32>,
    /// whether the batches were dropped
    abandoned: AtomicBool,
}

/// The batches of an epoch, in order.
struct Ahead {
    work: Arc<Work>,
    to_begin: std::ops::Range<u64>,
    under_way: VecDeque<Receiver<Result<Batch, Error>>>,
}

impl Iterator for Ahead {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.under_way.len() < AHEAD
            && let Some(batch) = self.to_begin.next()
        {
            let (done, wait) = sync_channel(1);
            let work = self.work.clone();
            rayon::spawn(move || {
                if !work.abandoned.load(Ordering::Relaxed) {
                    let _ = done.send(work.batch(batch)); // fails only if the batches were dropped
                }
            });
            self.under_way.push_back(wait);
        }
        self.under_way.pop_front().map(|batch| batch.recv().expect("a batch, or an error"))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.work.abandoned.store(true, Ordering::Relaxed);
    }
}

impl Work {
    fn new(data: ImageDataLoader, split: Split, epoch: u64) -> Self {
        let mut order: Vec<u32> = (0..data.images.labels(split).len() as u32).collect();
        if data.num_images(split) < order.len() {
            let kept = if split == Split::Train { "images to learn from" } else { "images to validate by" };
            order.shuffle(&mut stream(0, kept));
            order.truncate(data.num_images(split));
        }
        if split == Split::Train {
            order.shuffle(&mut stream(data.seed, &format!("order-{epoch}")));
        }
        Work { data, split, epoch, order, abandoned: AtomicBool::new(false) }
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
        let mut whole = Vec::new(); // indices in the batch
        for (place, made) in made.into_iter().enumerate() {
            match made {
                Ok(()) => whole.push(place),
                Err(Error::File { path, problem }) => skipped_files.push(SkippedFile { path, problem }),
                Err(error) => return Err(error),
            }
        }
        let labels = images.labels(self.split);
        let of = |place: &usize| i64::from(labels[indices[*place] as usize]);
        let y = filled_from(whole.len(), whole.iter().map(of));
        let x = match skipped_files.is_empty() {
            true => x,
            false => x.index_select(0, &filled_from(whole.len(), whole.iter().map(|place| *place as i64))),
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

    /// Images of one pixel: their index, what was drawn, and their class, which is the index again. Some are damaged.
    struct Numbered {
        labels: Vec<u16>,
        damaged: Vec<usize>,
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
            if self.damaged.contains(&index) {
                return Err(Error::file(format!("{index}.jpg").as_ref(), "isn't whole"));
            }
            pixels.copy_from_slice(&[index as u8, draws.map_or(0, |draws| draws.random()), 7]);
            Ok(())
        }
    }

    fn data(count: u16, damaged: &[usize]) -> ImageDataLoader {
        let images = Numbered { labels: (0..count).collect(), damaged: damaged.to_vec() };
        ImageDataLoader { images: Arc::new(images), batch_size: 4, max_images: None, seed: 1 }
    }

    fn epoch(data: &ImageDataLoader, split: Split, epoch: u64, from: u64) -> Vec<Batch> {
        data.batches(split, epoch, from).map(Result::unwrap).collect()
    }

    fn classes(batches: &[Batch]) -> Vec<i64> {
        batches.iter().flat_map(|batch| Vec::<i64>::try_from(&batch.y).unwrap()).collect()
    }

    #[test]
    fn an_epoch_has_every_image_once_in_an_order_of_its_own() {
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
    fn neither_threads_nor_where_an_epoch_is_entered_matter() {
        let data = data(30, &[]);
        let whole = epoch(&data, Split::Train, 3, 0);
        let later = epoch(&data, Split::Train, 3, 2);
        assert_eq!(later.len(), 6);
        assert!(later.iter().zip(&whole[2..]).all(|(later, whole)| later.x == whole.x && later.y == whole.y));
        let [one, three] = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Work::new(data.clone(), Split::Train, 3).batch(5).unwrap())
        });
        assert!(one.x == three.x && one.x == whole[5].x);
        let drawn = |batches: &[Batch]| Tensor::cat(&batches.iter().map(|b| b.x.select(1, 1)).collect::<Vec<_>>(), 0);
        assert!(drawn(&whole) != drawn(&epoch(&data, Split::Train, 4, 0)));
        let of_another = ImageDataLoader { seed: 2, ..data.clone() };
        assert_ne!(classes(&epoch(&of_another, Split::Train, 3, 0)), classes(&whole));
    }

    #[test]
    fn fewer_images_to_learn_from_are_the_same_for_every_seed() {
        let few = ImageDataLoader { max_images: Some(7), ..data(30, &[]) };
        let used = |data: &ImageDataLoader, split, number| -> std::collections::BTreeSet<i64> {
            classes(&epoch(data, split, number, 0)).into_iter().collect()
        };
        let learnt = |data: &ImageDataLoader, number| used(data, Split::Train, number);
        let seven = learnt(&few, 0);
        assert_eq!((seven.len(), few.num_batches(Split::Train)), (7, 2));
        assert!(seven.iter().any(|image| *image >= 7), "of all, not of the first");
        assert_eq!(learnt(&ImageDataLoader { seed: 2, ..few.clone() }, 5), seven);
        let validated = used(&few, Split::Validation, 0);
        assert_eq!((validated.len(), few.num_batches(Split::Validation)), (7, 1), "in proportion");
        assert_eq!(used(&ImageDataLoader { seed: 2, ..few.clone() }, Split::Validation, 5), validated);
        assert_eq!(used(&few, Split::Test, 0).len(), 30);
        let enough = ImageDataLoader { max_images: Some(100), ..few };
        assert_eq!([learnt(&enough, 0).len(), used(&enough, Split::Validation, 0).len()], [30, 30]);
    }

    #[test]
    fn damaged_images_are_left_out_and_named() {
        let batches = epoch(&data(6, &[1, 4]), Split::Test, 0, 0);
        assert_eq!(classes(&batches), [0, 2, 3, 5]);
        assert_eq!(Vec::<u8>::try_from(batches[0].x.select(1, 0).flatten(0, -1)).unwrap(), [0, 2, 3, 5]);
        let named: Vec<_> = batches.iter().flat_map(|batch| &batch.skipped_files).map(|out| out.path.clone()).collect();
        assert_eq!(named, ["1.jpg", "4.jpg"].map(std::path::PathBuf::from));
    }

    #[test]
    fn a_single_image_is_no_batch_to_learn_from() {
        let data = data(9, &[]);
        assert_eq!((data.num_batches(Split::Train), data.num_batches(Split::Test)), (2, 1));
        assert_eq!(epoch(&data, Split::Train, 0, 0).len(), 2);
        assert_eq!(epoch(&data, Split::Test, 0, 0).len(), 1);
    }
}
