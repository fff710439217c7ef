//! CIFAR-10 in its authors' binary format: 60,000 images of 32 by 32 pixels in 10 classes, kept in memory as bytes.
//!
//! The first four training files are the training split, the fifth is the validation split (the paper's 40,000 and 10,000
//! images). Training images are randomly shifted by up to 4 pixels, with zero padding, and flipped with probability 1/2.

use std::path::Path;

use alrao_core::streams::Stream;
use rand::RngExt;
use tch::{Kind, Tensor};

use super::{ImageDataset, Split, SplitInfo};
use crate::Error;
use crate::networks::ChannelStats;

const SIDE: usize = 32;
const PIXELS: usize = SIDE * SIDE;
/// The bytes of a record: a label and the pixels of an image, by channel.
const RECORD: usize = 1 + 3 * PIXELS;
/// The number of images in a file.
const IMAGES: usize = 10_000;
const CLASSES: u8 = 10;
/// The file with the names of the classes, one a line.
const META: &str = "batches.meta.txt";
/// The names in the published archive.
const NAMES: [&str; CLASSES as usize] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
/// The maximum shift of an image, in pixels.
const SHIFT: i64 = 4;

/// The files of each split.
const FILES: [&[&str]; 3] = [
    &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin"],
    &["data_batch_5.bin"],
    &["test_batch.bin"],
];
/// The folder in the published archive.
const PACKED_IN: &str = "cifar-10-batches-bin";

/// The CIFAR-10 dataset.
pub struct Cifar10 {
    names: Vec<String>,
    splits: [SplitData; 3],
}

/// The images of a split.
#[derive(Default)]
struct SplitData {
    labels: Vec<u16>,
    /// `[images, 3, 32, 32]`
    pixels: Vec<u8>,
    checksum: u32,
    /// sum of the pixels of each channel
    sums: [i64; 3],
}

impl Cifar10 {
    /// The side length of an image, in pixels.
    pub const SIDE: usize = SIDE;

    /// Reads the six files in `folder`, or in the published archive's folder in it. The classes have the names in
    /// `batches.meta.txt`, if it is there.
    ///
    /// # Errors
    /// [`Error::Folder`] if files are missing; [`Error::File`] if a file can't be read, has the wrong size, or contains an
    /// invalid label.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let packed = folder.join(PACKED_IN);
        let directory = if packed.is_dir() { &packed } else { folder };
        if !FILES.into_iter().flatten().all(|name| directory.join(name).is_file()) {
            let expected = "CIFAR-10's binary version, data_batch_1.bin to data_batch_5.bin and test_batch.bin";
            return Err(Error::folder(directory, expected));
        }
        let mut splits: [SplitData; 3] = Default::default();
        for (split, names) in splits.iter_mut().zip(FILES) {
            names.iter().try_for_each(|name| split.read(&directory.join(name)))?;
        }
        Ok(Cifar10 { names: names(&directory.join(META))?, splits })
    }
}

fn names(path: &Path) -> Result<Vec<String>, Error> {
    if !path.exists() {
        return Ok(NAMES.map(String::from).into());
    }
    let text = std::fs::read_to_string(path).map_err(|error| Error::file(path, error.to_string()))?;
    let names: Vec<String> = text.lines().map(str::trim).filter(|name| !name.is_empty()).map(String::from).collect();
    match names.len() == CLASSES as usize {
        true => Ok(names),
        false => Err(Error::file(path, format!("must name {CLASSES} classes, one a line, but has {}", names.len()))),
    }
}

impl SplitData {
    fn read(&mut self, path: &Path) -> Result<(), Error> {
        let bytes = std::fs::read(path).map_err(|error| Error::file(path, error.to_string()))?;
        if bytes.len() != IMAGES * RECORD {
            let expected = format!("{} bytes, {IMAGES} images of {RECORD}", IMAGES * RECORD);
            return Err(Error::file(path, format!("must have {expected}, but has {}; download it again", bytes.len())));
        }
        self.checksum = crc32c::crc32c_append(self.checksum, &bytes);
        let channels = Tensor::from_slice(&bytes).view([IMAGES as i64, RECORD as i64]).narrow(1, 1, 3 * PIXELS as i64);
        let channels = channels.reshape([IMAGES as i64, 3, PIXELS as i64]);
        for (sum, channel) in self.sums.iter_mut().zip(channels.unbind(1)) {
            *sum += channel.sum(Kind::Int64).int64_value(&[]);
        }
        for (image, record) in bytes.chunks_exact(RECORD).enumerate() {
            let (&label, pixels) = record.split_first().expect("a label");
            if label >= CLASSES {
                let problem = format!("image {image} has label {label}, but there are only 0 to {}", CLASSES - 1);
                return Err(Error::file(path, problem));
            }
            self.labels.push(label.into());
            self.pixels.extend(pixels);
        }
        Ok(())
    }
}

impl ImageDataset for Cifar10 {
    fn side(&self) -> usize {
        SIDE
    }

    fn classes(&self) -> usize {
        CLASSES.into()
    }

    fn class_names(&self) -> Vec<String> {
        self.names.clone()
    }

    fn split_info(&self, split: Split) -> SplitInfo {
        let SplitData { labels, pixels, checksum, sums } = &self.splits[split as usize];
        let of_channel = (pixels.len() / 3) as f64 * f64::from(u8::MAX);
        SplitInfo {
            channel_means: Some(sums.map(|sum| sum as f64 / of_channel)),
            ..SplitInfo::new(labels.len(), (labels.len() * RECORD) as u64, *checksum, "contents")
        }
    }

    /// Mean and standard std of the 50,000 training images.
    fn channel_stats(&self) -> ChannelStats {
        ChannelStats { mean: [0.4914, 0.4822, 0.4465], std: [0.2470, 0.2435, 0.2616] }
    }

    fn labels(&self, split: Split) -> &[u16] {
        &self.splits[split as usize].labels
    }

    fn image(&self, split: Split, index: usize, draws: Option<&mut Stream>, pixels: &mut [u8]) -> Result<(), Error> {
        let image = &self.splits[split as usize].pixels[index * 3 * PIXELS..][..3 * PIXELS];
        match draws {
            None => pixels.copy_from_slice(image),
            Some(draws) => {
                let [down, right] = [(); 2].map(|()| draws.random_range(-SHIFT..=SHIFT));
                shift(image, pixels, down, right, draws.random());
            }
        }
        Ok(())
    }
}

/// Shifts an image with zero padding, then flips it if asked to.
fn shift(from: &[u8], to: &mut [u8], down: i64, right: i64, flip: bool) {
    to.fill(0);
    let place = |row: usize, by: i64| usize::try_from(row as i64 - by).ok().filter(|row| *row < SIDE);
    for (from, to) in from.chunks_exact(PIXELS).zip(to.chunks_exact_mut(PIXELS)) {
        for (row, to) in to.chunks_exact_mut(SIDE).enumerate() {
            let Some(row) = place(row, down) else { continue };
            let from = &from[row * SIDE..][..SIDE];
            let left = right.max(0) as usize; // the column of the first remaining pixel
            let kept = SIDE - right.unsigned_abs() as usize;
            to[left..][..kept].copy_from_slice(&from[(-right).max(0) as usize..][..kept]);
            if flip {
                to.reverse();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use alrao_core::streams::stream;

    use super::*;

    /// Creates the six files; each pixel of image `i` of file `f` is `i + f`, its class the last digit of `i`.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (f, name) in FILES.into_iter().flatten().enumerate() {
            let mut bytes = Vec::with_capacity(IMAGES * RECORD);
            for i in 0..IMAGES {
                bytes.push((i % 10) as u8);
                bytes.resize(bytes.len() + RECORD - 1, (i + f) as u8);
            }
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    fn image(data: &Cifar10, split: Split, index: usize, draws: Option<&mut Stream>) -> Vec<u8> {
        let mut pixels = vec![0; 3 * PIXELS];
        data.image(split, index, draws, &mut pixels).unwrap();
        pixels
    }

    #[test]
    fn files_are_assigned_to_splits_and_training_images_are_augmented() {
        let folder = folder();
        let data = Cifar10::read(folder.path()).unwrap();
        let counts = [Split::Train, Split::Validation, Split::Test].map(|split| data.labels(split).len());
        assert_eq!(counts, [40_000, 10_000, 10_000]);
        assert_eq!(data.labels(Split::Train)[20_017], 7);
        let pixels = (0..40_000).map(|i| ((i % IMAGES + i / IMAGES) % 256) as f64 / 255.0);
        let (mean, found) = (pixels.sum::<f64>() / 4e4, data.split_info(Split::Train).channel_means.unwrap());
        assert!(found.iter().all(|found| (found - mean).abs() < 1e-9), "{found:?}, not {mean}");
        let first = |split, index| image(&data, split, index, None)[0];
        assert_eq!(first(Split::Train, 20_017), (17 + 2) as u8);
        assert_eq!((first(Split::Validation, 17), first(Split::Test, 17)), (17 + 4, 17 + 5));

        let mut draws = stream(0, "augmentation");
        let changed: Vec<_> = (0..50).map(|_| image(&data, Split::Train, 17, Some(&mut draws))).collect();
        assert!(changed.iter().flatten().all(|pixel| [0, 17].contains(pixel)));
        assert!(changed.iter().any(|image| image[0] == 0) && changed.iter().any(|image| image[0] == 17));
    }

    #[test]
    fn invalid_files_are_errors_with_their_name() {
        let folder = folder();
        let error = || Cifar10::read(folder.path()).map(|_| ()).unwrap_err().to_string();
        let corrupt = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let path = folder.path().join(name);
            let whole = fs::read(&path).unwrap();
            let mut bytes = whole.clone();
            change(&mut bytes);
            fs::write(&path, bytes).unwrap();
            let error = error();
            fs::write(&path, whole).unwrap();
            error
        };
        let short = corrupt("data_batch_3.bin", &|bytes| bytes.truncate(1000));
        assert!(["data_batch_3.bin", "30730000", "1000"].iter().all(|part| short.contains(part)), "{short}");
        let label = corrupt("test_batch.bin", &|bytes| bytes[5 * RECORD] = 10);
        assert!(["test_batch.bin", "image 5", "label 10"].iter().all(|part| label.contains(part)), "{label}");
        fs::write(folder.path().join(META), "one\ntwo\n\n").unwrap();
        assert!(error().contains("batches.meta.txt: must name 10 classes, one a line, but has 2"), "{}", error());
        fs::write(folder.path().join(META), "0\n1\n2\n3\n4\n5\n6\n7\n8\nnine\n\n").unwrap();
        assert_eq!(Cifar10::read(folder.path()).unwrap().class_names()[9], "nine");
        fs::remove_file(folder.path().join(META)).unwrap();
        fs::remove_file(folder.path().join("data_batch_1.bin")).unwrap();
        let missing = error();
        assert!(missing.contains("data_batch_1.bin to") && missing.contains("contains data_batch_2.bin"), "{missing}");
    }

    #[test]
    fn shift_and_flip_equal_hand_computed_pixels() {
        // the pixel in row 3 and column 30 of the last channel
        let mut from = vec![0; 3 * PIXELS];
        from[2 * PIXELS + 3 * SIDE + 30] = 9;
        let found = |down, right, flip| {
            let mut to = vec![1; 3 * PIXELS];
            shift(&from, &mut to, down, right, flip);
            to.iter().position(|pixel| *pixel == 9).map(|at| [at / PIXELS, at % PIXELS / SIDE, at % SIDE])
        };
        assert_eq!(found(0, 0, false), Some([2, 3, 30]));
        assert_eq!(found(2, 1, false), Some([2, 5, 31]));
        assert_eq!(found(-3, -4, false), Some([2, 0, 26]));
        assert_eq!(found(0, -4, true), Some([2, 3, 31 - 26]));
        assert_eq!((found(0, 2, false), found(-4, 0, false)), (None, None), "shifted out of the image");
    }
}
