//! Image folders in ImageNet's layout: training images in `train/<class>/*`, test images in `val/<class>/*`.
//!
//! Files that are neither named as images nor begin as a JPEG or PNG are passed over, hidden files silently.
//!
//! A twentieth of the training images, at most 60,000, is held out for validation, stratified by class. The selection
//! depends only on the names and sizes of the classes, so that all runs use the same split.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use alrao_core::path::Shown;
use alrao_core::streams::{Stream, stream};
use rand::seq::SliceRandom;

use super::augment::RandomResizedCrop;
use super::dataset_info::{list, unlike_classes};
use super::decode::ImageFile;
use super::{ImageDataset, Split, SplitInfo, augment, decode};
use crate::Error;
use crate::networks::ChannelStats;

/// One in this many training images is held out for validation,
const VALIDATION_FRACTION: usize = 20;
/// but at most this many.
const MAX_VALIDATION: usize = 60_000;
/// The number of files per class that are inspected; one must be an image.
const INSPECTED: usize = 8;
/// Endings of names that promise an image, as in torchvision; those of other formats than JPEG and PNG are corrupt images.
const ENDINGS: [&str; 11] = ["jpg", "jpeg", "png", "ppm", "bmp", "pgm", "tif", "tiff", "webp", "gif", "heic"];
const LAYOUT: &str = "images as train/CLASS/* and val/CLASS/*";

/// An image-folder dataset.
pub struct ImageFolder {
    folder: PathBuf,
    side: usize,
    classes: Vec<String>,
    splits: [SplitData; 3],
    /// names of files that are no images
    passed_over: Vec<String>,
}

/// The images of a split.
#[derive(Default)]
struct SplitData {
    labels: Vec<u16>,
    paths: Vec<PathBuf>,
    bytes: u64,
    checksum: u32,
}

/// An image and its size in bytes.
type Image = (PathBuf, u64);

impl ImageFolder {
    /// Lists the images in `folder`, which are resized to `side` by `side` pixels.
    ///
    /// # Errors
    /// [`Error::Folder`] if the layout is wrong, a class has no image, or the test classes differ from the training
    /// classes; [`Error::File`] if a file or folder can't be read.
    pub fn read(folder: &Path, side: usize) -> Result<Self, Error> {
        Self::read_with(folder, side, None)
    }

    /// Lists the images as [`read`](Self::read) does, with the classes of a trained model, if given.
    ///
    /// # Errors
    /// As [`read`](Self::read); [`Error::Classes`] if the folder has other classes.
    pub fn read_with(folder: &Path, side: usize, known: Option<&[String]>) -> Result<Self, Error> {
        let [train, val] = ["train", "val"].map(|name| folder.join(name));
        if !(train.is_dir() && val.is_dir()) {
            return Err(Error::folder(folder, LAYOUT));
        }
        let (of_train, of_val) = (Listing::of(&train)?, Listing::of(&val)?);
        let mut folders = of_train.folders;
        if folders.len() < 2 {
            return Err(Error::folder(&train, "a folder of images for each class, of two classes at least"));
        }
        if folders.len() > usize::from(u16::MAX) {
            return Err(Error::folder(&train, format!("at most {} classes", u16::MAX)));
        }
        if let Some(other) = of_val.folders.iter().find(|name| folders.binary_search(name).is_err()) {
            return Err(Error::file(&val.join(other), format!("class without training images in {}", train.shown())));
        }
        let mut classes: Vec<String> = folders.iter().map(|name| name.shown()).collect();
        if let Some(known) = known.filter(|known| *known != classes) {
            let mut sorted = known.to_vec();
            sorted.sort();
            let mut found: Vec<_> = classes.iter().cloned().zip(folders).collect();
            found.sort();
            if found.iter().map(|(name, _)| name).ne(&sorted) {
                let problem = unlike_classes(known, &classes).expect("they differ");
                return Err(Error::Classes { path: folder.into(), problem });
            }
            let place = |name: &String| known.iter().position(|known| known == name);
            found.sort_by_key(|(name, _)| place(name));
            (classes, folders) = found.into_iter().unzip();
        }
        let beside_classes = of_train.files.into_iter().chain(of_val.files);
        let mut passed_over: Vec<OsString> = beside_classes.map(|(name, _)| name).collect();
        let mut images_of = |part: &Path| -> Result<Vec<Vec<Image>>, Error> {
            folders.iter().map(|class| images(&part.join(class), &mut passed_over)).collect()
        };
        let (train, val) = (images_of(&train)?, images_of(&val)?);

        let counts: Vec<usize> = train.iter().map(Vec::len).collect();
        let mut splits: [SplitData; 3] = Default::default();
        for (label, (mut images, validation)) in train.into_iter().zip(validation_counts(&counts)).enumerate() {
            images.shuffle(&mut stream(0, &format!("validation images of {}", classes[label])));
            let train = images.split_off(validation);
            splits[Split::Validation as usize].add(folder, label, images);
            splits[Split::Train as usize].add(folder, label, train);
        }
        val.into_iter().enumerate().for_each(|(label, images)| splits[Split::Test as usize].add(folder, label, images));
        let passed_over = passed_over.iter().map(|name| name.shown()).collect();
        Ok(ImageFolder { folder: folder.into(), side, classes, splits, passed_over })
    }

    /// Returns the file of an image.
    pub fn path(&self, split: Split, index: usize) -> &Path {
        &self.splits[split as usize].paths[index]
    }
}

impl SplitData {
    fn add(&mut self, folder: &Path, label: usize, mut images: Vec<Image>) {
        images.sort();
        self.labels.resize(self.labels.len() + images.len(), label as u16);
        for (path, size) in images {
            let name = path.strip_prefix(folder).unwrap_or(&path);
            self.checksum = crc32c::crc32c_append(self.checksum, name.as_os_str().as_encoded_bytes());
            self.checksum = crc32c::crc32c_append(self.checksum, &size.to_le_bytes());
            self.bytes += size;
            self.paths.push(path);
        }
    }
}

impl ImageDataset for ImageFolder {
    fn side(&self) -> usize {
        self.side
    }

    fn classes(&self) -> usize {
        self.classes.len()
    }

    fn class_names(&self) -> Vec<String> {
        self.classes.clone()
    }

    fn split_info(&self, split: Split) -> SplitInfo {
        let SplitData { paths, bytes, checksum, .. } = &self.splits[split as usize];
        SplitInfo::new(paths.len(), *bytes, *checksum, "names and sizes")
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.folder)
    }

    fn notes(&self) -> Vec<String> {
        let mut names = self.passed_over.clone();
        names.sort();
        names.dedup();
        let count = self.passed_over.len();
        list(&names).map(|names| format!("{count} files that are no images passed over: {names}")).into_iter().collect()
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
        let corrupt = |problem| Error::file(path, problem);
        let file = ImageFile::open(&file).map_err(corrupt)?;
        match draws.map(|draws| RandomResizedCrop::draw(file.size(), draws)) {
            Some(crop) => crop.apply(&file.decode_rows(crop.rows()).map_err(corrupt)?, self.side, pixels),
            None => augment::center_crop(&file.decode().map_err(corrupt)?, self.side, pixels),
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

/// The entries of a folder without hidden ones, sorted by name.
struct Listing {
    folders: Vec<OsString>,
    /// names and sizes; 0 for a link to a file that doesn't exist
    files: Vec<(OsString, u64)>,
}

impl Listing {
    fn of(folder: &Path) -> Result<Self, Error> {
        let unreadable = |error: io::Error| Error::file(folder, error.to_string());
        let mut listing = Listing { folders: Vec::new(), files: Vec::new() };
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            match fs::metadata(entry.path()) {
                Ok(metadata) if metadata.is_dir() => listing.folders.push(name),
                metadata => listing.files.push((name, metadata.map_or(0, |metadata| metadata.len()))),
            }
        }
        listing.folders.sort();
        listing.files.sort();
        Ok(listing)
    }
}

/// Returns the images of a class, and adds the names of other files to `passed_over`.
fn images(class: &Path, passed_over: &mut Vec<OsString>) -> Result<Vec<Image>, Error> {
    if !class.is_dir() {
        return Err(Error::file(class, "missing, although the training images have this class"));
    }
    let mut images = Vec::new();
    for (name, size) in Listing::of(class)?.files {
        let path = class.join(&name);
        match promises_image(&name) || decode::is_image(&beginning(&path)?) {
            true => images.push((path, size)),
            false => passed_over.push(name),
        }
    }
    for (path, _) in images.iter().take(INSPECTED) {
        if decode::is_image(&beginning(path)?) {
            return Ok(images);
        }
    }
    Err(Error::folder(class, "images, JPEG or PNG"))
}

/// Returns whether a file's name ends as an image's does.
fn promises_image(name: &OsStr) -> bool {
    let ending = Path::new(name).extension().and_then(OsStr::to_str);
    ending.is_some_and(|ending| ENDINGS.iter().any(|image| image.eq_ignore_ascii_case(ending)))
}

/// Returns the first bytes of a file; none of a link to a file that doesn't exist.
fn beginning(path: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(4).read_to_end(&mut bytes)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file(path, error.to_string())),
        _ => Ok(bytes),
    }
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
