//! What a trained model must know of its dataset: the meaning of its outputs, the preprocessing of its inputs, and a
//! fingerprint of each split, by which the dataset is recognized later.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Split;

/// The most names that a difference lists.
const TOLD: usize = 5;

/// A dataset's classes, preprocessing and fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetInfo {
    /// Names of the classes, or the symbols of the vocabulary of a text, in the order of the model's outputs, `[A]`.
    pub classes: Vec<String>,
    /// What happens to each sample before the model, by the name of the setting.
    pub preprocessing: BTreeMap<String, String>,
    /// The training data.
    pub train: SplitInfo,
    /// The validation data.
    pub validation: SplitInfo,
    /// The test data.
    pub test: SplitInfo,
}

/// The size and the fingerprint of a split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitInfo {
    /// Number of samples: images, characters or words.
    pub samples: usize,
    /// Size of the files, in bytes.
    pub bytes: u64,
    /// CRC-32C of [`checksum_of`](Self::checksum_of).
    pub checksum: u32,
    /// `contents`, or `names and sizes` of the files if there are too many to read.
    pub checksum_of: String,
    /// Mean of each channel of the images, in [0, 1], if all were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_means: Option<[f64; 3]>,
}

impl DatasetInfo {
    /// Returns the size and fingerprint of a split.
    pub fn split(&self, split: Split) -> &SplitInfo {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }

    /// Describes how `found` differs from this dataset, in a sentence for each difference; `samples` is the name of the
    /// samples.
    pub fn differences(&self, found: &DatasetInfo, samples: &str) -> Vec<String> {
        let splits = Split::ALL.into_iter().filter_map(|split| {
            let difference = self.split(split).difference(found.split(split), samples)?;
            Some(format!("{}: {difference}", split.name()))
        });
        self.unlike_inputs(found).into_iter().chain(splits).collect()
    }

    /// Describes differences of classes and preprocessing, with which a model's predictions would be meaningless.
    pub fn unlike_inputs(&self, found: &DatasetInfo) -> Vec<String> {
        let keys = self.preprocessing.keys().chain(found.preprocessing.keys());
        let keys: std::collections::BTreeSet<&String> = keys.collect();
        let setting = |info: &DatasetInfo, key: &str| info.preprocessing.get(key).cloned().unwrap_or("none".into());
        let settings = keys.into_iter().filter_map(|key| {
            let (before, now) = (setting(self, key), setting(found, key));
            (before != now).then(|| format!("preprocessing: {key} is {now}, not {before}"))
        });
        unlike_classes(&self.classes, &found.classes).into_iter().chain(settings).collect()
    }
}

/// Describes how the class names `found` differ from `expected`, if they do.
pub fn unlike_classes(expected: &[String], found: &[String]) -> Option<String> {
    if expected == found {
        return None;
    }
    let only = |of: &[String], other: &[String]| {
        let other: std::collections::HashSet<&String> = other.iter().collect();
        list(&of.iter().filter(|name| !other.contains(name)).cloned().collect::<Vec<_>>())
    };
    let differences = match (only(expected, found), only(found, expected)) {
        (None, None) => "in another order".into(),
        (Some(missing), None) => format!("without {missing}"),
        (None, Some(new)) => format!("with {new}"),
        (Some(missing), Some(new)) => format!("without {missing}, with {new}"),
    };
    Some(format!("classes: {differences}"))
}

/// Joins names for a message, at most five; none if there are none.
pub(crate) fn list(names: &[String]) -> Option<String> {
    let (last, before) = names.split_last()?;
    Some(match (before.is_empty(), names.len().saturating_sub(TOLD)) {
        (true, _) => last.clone(),
        (false, 0) => format!("{} and {last}", before.join(", ")),
        (false, more) => format!("{} and {more} more", names[..TOLD].join(", ")),
    })
}

impl SplitInfo {
    /// Creates the description of a split of which no image was read.
    pub fn new(samples: usize, bytes: u64, checksum: u32, checksum_of: &str) -> Self {
        SplitInfo { samples, bytes, checksum, checksum_of: checksum_of.into(), channel_means: None }
    }

    fn difference(&self, found: &SplitInfo, samples: &str) -> Option<String> {
        if (self.samples, self.bytes, self.checksum) == (found.samples, found.bytes, found.checksum) {
            return None;
        }
        Some(match (self.samples, self.bytes) == (found.samples, found.bytes) {
            true => format!("other {} than the run's", found.checksum_of),
            false => format!(
                "{} {samples} of {} bytes, but the run's are {} {samples} of {} bytes",
                found.samples, found.bytes, self.samples, self.bytes
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> DatasetInfo {
        let split = SplitInfo::new(7, 70, 1, "contents");
        DatasetInfo {
            classes: ["cat", "dog"].map(String::from).into(),
            preprocessing: [("image_size".into(), "32".into())].into(),
            train: split.clone(),
            validation: split.clone(),
            test: split,
        }
    }

    #[test]
    fn every_difference_is_said() {
        let said = |change: &dyn Fn(&mut DatasetInfo)| {
            let mut found = info();
            change(&mut found);
            info().differences(&found, "images").join("; ")
        };
        assert_eq!(said(&|_| {}), "");
        assert_eq!(said(&|found| found.classes[1] = "ox".into()), "classes: without dog, with ox");
        assert_eq!(said(&|found| found.classes.reverse()), "classes: in another order");
        let size = |found: &mut DatasetInfo| drop(found.preprocessing.insert("image_size".into(), "40".into()));
        assert_eq!(said(&size), "preprocessing: image_size is 40, not 32");
        let more = "training data: 8 images of 70 bytes, but the run's are 7 images of 70 bytes";
        assert_eq!(said(&|found| found.train.samples = 8), more);
        assert_eq!(said(&|found| found.test.checksum = 2), "test data: other contents than the run's");
        let many: Vec<String> = (0..9).map(|i| i.to_string()).collect();
        assert_eq!(list(&many).unwrap(), "0, 1, 2, 3, 4 and 4 more");
    }
}
