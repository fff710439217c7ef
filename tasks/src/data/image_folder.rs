//! Image folders in ImageNet's layout: training images in `train/<class>/*`, test images in `val/<class>/*`.
//!
//! A twentieth of the training images, at most 60,000, is held out for validation, stratified by class. The selection
//! depends only on the names and sizes of the classes, so that all runs use the same split.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use alrao_core::streams::{Stream, stream};
use rand::seq::SliceRandom;

use super::{ImageDataset, Split, augment, decode};
use crate::Error;
use crate::networks::ChannelStats;

/// One in this many training images is held out for validation,
const VALIDATION_FRACTION: usize = 20;
/// but at most this many.
const MAX_VALIDATION: usize = 60_000;
/// The number of files per class that are inspected; one must be an image.
const INSPECTED: usize = 8;
const LAYOUT: &str = "images as train/CLASS/* and val/CLASS/*";

/// An image-folder dataset.
pub struct ImageFolder {
    side: usize,
    classes: Vec<String>,
    splits: [SplitData; 3],
}

/// The images of a split.
#[derive(Default)]
struct SplitData {
    labels: Vec<u16>,
    paths: Vec<PathBuf>,
}

impl ImageFolder {
    /// Lists the images in `folder`, which are resized to `side` by `side` pixels.
    ///
    /// # Errors
    /// [`Error::Folder`] if the layout is wrong, a class has no image, or the test classes differ from the training
    /// classes; [`Error::File`] if a file or folder can't be read.
    pub fn read(folder: &Path, side: usize) -> Result<Self, Error> {
        let [train, val] = ["train", "val"].map(|name| folder.join(name));
        if !(train.is_dir() && val.is_dir()) {
            return Err(Error::folder(folder, LAYOUT));
        }
        let classes = names(&train, true)?;
        if classes.len() < 2 {
            return Err(Error::folder(&train, "a folder of images for each class, of two classes at least"));
        }
        if classes.len() > usize::from(u16::MAX) {
            return Err(Error::folder(&train, format!("at most {} classes", u16::MAX)));
        }
        if let Some(other) = names(&val, true)?.iter().find(|name| !classes.contains(name)) {
            return Err(Error::file(&val.join(other), format!("class without training images in {}", train.display())));
        }
        let train = classes.iter().map(|class| images(&train.join(class))).collect::<Result<Vec<_>, _>>()?;
        let val = classes.iter().map(|class| images(&val.join(class))).collect::<Result<Vec<_>, _>>()?;

        let counts: Vec<usize> = train.iter().map(Vec::len).collect();
        let mut splits: [SplitData; 3] = Default::default();
        for (label, (mut paths, validation)) in train.into_iter().zip(validation_counts(&counts)).enumerate() {
            paths.shuffle(&mut stream(0, &format!("validation images of {}", classes[label])));
            let train = paths.split_off(validation);
            splits[Split::Validation as usize].add(label, paths);
            splits[Split::Train as usize].add(label, train);
        }
        val.into_iter().enumerate().for_each(|(label, paths)| splits[Split::Test as usize].add(label, paths));
        Ok(ImageFolder { side, classes, splits })
    }

    /// Returns the file of an image.
    pub fn path(&self, split: Split, index: usize) -> &Path {
        &self.splits[split as usize].paths[index]
    }
}

impl SplitData {
    fn add(&mut self, label: usize, mut paths: Vec<PathBuf>) {
        paths.sort();
        self.labels.resize(self.labels.len() + paths.len(), label as u16);
        self.paths.append(&mut paths);
    }
}

impl ImageDataset for ImageFolder {
    fn side(&self) -> usize {
        self.side
    }

    fn classes(&self) -> usize {
        self.classes.len()
    }

    /// Mean and standard std of ImageNet.
    fn channel_stats(&self) -> ChannelStats {
        ChannelStats { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
    }

    fn labels(&self, split: Split) -> &[u16] {
        &self.splits[split as usize].labels
    }

    fn image(&self, split: Split, index: usize, draws: Option<&mut Stream>, pixels: &mut [u8]) -> Result<(), Error> {
        let path = self.path(split, index);
        let file = fs::read(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound if path.is_symlink() => Error::file(path, "link to a file that doesn't exist"),
            _ => Error::Read { path: path.into(), source },
        })?;
        let image = decode::decode(&file).map_err(|problem| Error::file(path, problem))?;
        match draws {
            Some(draws) => augment::random_resized_crop(&image, self.side, draws, pixels),
            None => augment::center_crop(&image, self.side, pixels),
        }
        Ok(())
    }
}

/// Returns the number of validation images of each class, proportional to its size; the largest remainders are rounded
/// up.
fn validation_counts(counts: &[usize]) -> Vec<usize> {
    let all: usize = counts.iter().sum();
    let total = (all / VALIDATION_FRACTION).clamp(1, MAX_VALIDATION);
    let mut validation: Vec<usize> = counts.iter().map(|count| count * total / all).collect();
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by_key(|class| std::cmp::Reverse(counts[*class] * total % all));
    let missing = total - validation.iter().sum::<usize>();
    by_remainder.into_iter().take(missing).for_each(|class| validation[class] += 1);
    validation
}

/// Returns the sorted names of the subfolders or files of a folder, without hidden ones.
fn names(folder: &Path, folders: bool) -> Result<Vec<String>, Error> {
    let unreadable = |error: io::Error| Error::file(folder, error.to_string());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && entry.path().is_dir() == folders {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Returns the images of a class.
fn images(class: &Path) -> Result<Vec<PathBuf>, Error> {
    if !class.is_dir() {
        return Err(Error::file(class, "missing, although the training images have this class"));
    }
    let paths: Vec<PathBuf> = names(class, false)?.into_iter().map(|name| class.join(name)).collect();
    for path in paths.iter().take(INSPECTED) {
        let mut beginning = [0; 4];
        let opened = File::open(path).and_then(|mut file| file.read(&mut beginning));
        opened.map_err(|error| Error::file(path, error.to_string()))?;
        if decode::is_image(&beginning) {
            return Ok(paths);
        }
    }
    Err(Error::folder(class, "images, JPEG or PNG"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodes a PNG of one gray level.
    fn png(grey: u8) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, 16, 12);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_image_data(&[grey; 16 * 12]).unwrap();
        file
    }

    /// Creates two classes with 60 and 20 training images and 3 test images each; all files are named `.JPEG`.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (part, class, count) in [("train", "cat", 60), ("train", "dog", 20), ("val", "cat", 3), ("val", "dog", 3)] {
            let class = folder.path().join(part).join(class);
            fs::create_dir_all(&class).unwrap();
            (0..count).for_each(|i| fs::write(class.join(format!("{i}.JPEG")), png(i)).unwrap());
        }
        folder
    }

    #[test]
    fn a_twentieth_of_every_class_is_for_validation() {
        let folder = folder();
        fs::write(folder.path().join("train/.DS_Store"), "").unwrap();
        fs::write(folder.path().join("train/cat/.DS_Store"), "").unwrap();
        let data = ImageFolder::read(folder.path(), 8).unwrap();
        let of_class = |split, class| data.labels(split).iter().filter(|label| **label == class).count();
        let counts = Split::ALL.map(|split| [of_class(split, 0), of_class(split, 1)]);
        assert_eq!((data.classes(), counts), (2, [[57, 19], [3, 1], [3, 3]]));
        assert_eq!(data.splits[1].paths, ImageFolder::read(folder.path(), 8).unwrap().splits[1].paths);
        let validation = &data.splits[1].paths;
        assert!(data.splits[0].paths.iter().all(|path| !validation.contains(path)));

        let mut pixels = vec![1; 3 * 8 * 8];
        data.image(Split::Test, 5, None, &mut pixels).unwrap();
        assert_eq!(pixels, [2; 3 * 8 * 8], "the last dog");
        data.image(Split::Test, 4, Some(&mut stream(0, "augmentation")), &mut pixels).unwrap();
        assert_eq!(pixels, [1; 3 * 8 * 8]);
    }

    #[test]
    fn validation_counts_are_proportional_to_class_sizes() {
        assert_eq!(validation_counts(&[30, 30, 30, 30]), [2, 2, 1, 1]);
        assert_eq!(validation_counts(&[3, 4]), [0, 1]);
        assert_eq!(validation_counts(&[1300; 1000]), [60; 1000]);
        assert_eq!(validation_counts(&[200_000; 20]), [3000; 20]);
    }

    #[test]
    fn invalid_folders_are_errors_with_their_path() {
        let error = |change: &dyn Fn(&Path), parts: &[&str]| {
            let folder = folder();
            change(folder.path());
            let error = ImageFolder::read(folder.path(), 8).map(|_| ()).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        };
        error(&|f| fs::remove_dir_all(f.join("val")).unwrap(), &["train/CLASS/*", "it contains train"]);
        error(&|f| fs::remove_dir_all(f.join("train/dog")).unwrap(), &["train", "two classes", "it contains cat"]);
        error(&|f| fs::remove_dir_all(f.join("val/dog")).unwrap(), &["val/dog", "missing"]);
        error(&|f| fs::create_dir(f.join("val/ox")).unwrap(), &["val/ox", "class without training images"]);
        error(&|f| fs::create_dir(f.join("train/ox")).unwrap(), &["train/ox", "images", "is empty"]);
        let texts = |f: &Path| (0..20).for_each(|i| fs::write(f.join(format!("train/dog/{i}.JPEG")), "dog").unwrap());
        error(&texts, &["train/dog", "JPEG or PNG", "0.JPEG"]);
    }

    #[test]
    fn corrupt_and_missing_images_are_different_errors() {
        let folder = folder();
        let data = ImageFolder::read(folder.path(), 8).unwrap();
        let image = |index| data.image(Split::Test, index, None, &mut [0; 3 * 8 * 8]).unwrap_err();
        fs::write(folder.path().join("val/cat/0.JPEG"), &png(0)[..40]).unwrap();
        assert!(matches!(image(0), Error::File { problem, .. } if problem.contains("corrupt PNG")));
        fs::remove_file(folder.path().join("val/cat/1.JPEG")).unwrap();
        assert!(matches!(image(1), Error::Read { .. }));
        std::os::unix::fs::symlink("/nowhere", folder.path().join("val/cat/1.JPEG")).unwrap();
        assert!(matches!(image(1), Error::File { problem, .. } if problem.contains("link")));
    }
}
