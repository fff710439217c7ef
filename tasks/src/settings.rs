//! The settings of a supervised task: data, model and training.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alrao_core::adaptive_softmax::Cutoffs;
use alrao_core::heads::Outputs;
use alrao_core::memory;
use alrao_core::method::Method;
use alrao_core::network::{ADAPTIVE_SAMPLES, Network};
use alrao_core::parameters::ParameterBuilder;
use alrao_core::path;
use alrao_core::streams::stream;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind};

use crate::Error;
use crate::data::{Cifar10, Data, ImageDataLoader, ImageDataset, ImageFolder, Split, Symbol, Text};
use crate::model::Model;
use crate::networks::{Architecture, ComputeSettings, ImageModel, LanguageModel, Precision};
use crate::training::TrainingSettings;

/// A supervised task.
#[derive(Clone, Debug, PartialEq)]
pub struct SupervisedTask {
    /// The dataset.
    pub data: DataSettings,
    /// The model.
    pub model: ModelSettings,
    /// The training settings.
    pub training: TrainingSettings,
}

/// The dataset and its batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DataSettings {
    /// A text in three files, see [`Text`].
    Text {
        /// Dataset directory; required for training.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "path::in_file")]
        folder: Option<PathBuf>,
        /// The kind of symbols.
        symbol: Symbol,
        /// Streams of text that are read in parallel.
        #[serde(default = "twenty")]
        batch_size: usize,
        /// Sequence length of truncated back-propagation through time, in symbols.
        #[serde(default = "seventy")]
        bptt: usize,
    },
    /// CIFAR-10, see [`Cifar10`].
    Cifar10 {
        /// Dataset directory; required for training.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "path::in_file")]
        folder: Option<PathBuf>,
        /// Training images per batch.
        #[serde(default = "thirty_two")]
        batch_size: usize,
        /// Maximum number of training images; the validation images are reduced by the same fraction.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_train_images: Option<usize>,
    },
    /// A folder of images in ImageNet's layout, see [`ImageFolder`].
    ImageFolder {
        /// Dataset directory; required for training.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "path::in_file")]
        folder: Option<PathBuf>,
        /// Side length of the network's input images, in pixels.
        #[serde(default = "two_hundred_and_twenty_four")]
        image_size: usize,
        /// Training images per batch.
        #[serde(default = "one_hundred_and_twenty_eight")]
        batch_size: usize,
        /// Maximum number of training images; the validation images are reduced by the same fraction.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_train_images: Option<usize>,
    },
}

impl DataSettings {
    /// Returns the dataset directory.
    pub fn folder(&self) -> &Option<PathBuf> {
        match self {
            DataSettings::Text { folder, .. }
            | DataSettings::Cifar10 { folder, .. }
            | DataSettings::ImageFolder { folder, .. } => folder,
        }
    }

    /// Sets the dataset directory, as an absolute path.
    pub fn set_folder(&mut self, path: &Path) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
        match self {
            DataSettings::Text { folder, .. }
            | DataSettings::Cifar10 { folder, .. }
            | DataSettings::ImageFolder { folder, .. } => *folder = Some(path),
        }
    }

    /// Returns whether the complete dataset is used.
    pub fn is_all(&self) -> bool {
        match self {
            DataSettings::Text { .. } => true,
            DataSettings::Cifar10 { max_train_images, .. } | DataSettings::ImageFolder { max_train_images, .. } => {
                max_train_images.is_none()
            }
        }
    }

    /// Returns the image size, in pixels.
    fn image_size(&self) -> Option<usize> {
        match self {
            DataSettings::Text { .. } => None,
            DataSettings::Cifar10 { .. } => Some(Cifar10::SIDE),
            DataSettings::ImageFolder { image_size, .. } => Some(*image_size),
        }
    }
}

fn thirty_two() -> usize {
    32
}

fn one_hundred_and_twenty_eight() -> usize {
    128
}

fn two_hundred_and_twenty_four() -> usize {
    224
}

fn twenty() -> usize {
    20
}

fn seventy() -> usize {
    70
}

/// The model and its width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSettings {
    /// Architecture of an image classifier; none for text, whose model is [`LanguageModel`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// Version of `mobilenet`: 1 or 2 (default).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Factor on the width of the hidden layers (the paper's gamma).
    pub width_factor: f64,
    /// Where the words, by frequency, are divided into the shortlist and the clusters of an adaptive softmax; by default, heads
    /// have a full softmax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive_softmax_cutoffs: Option<Vec<usize>>,
    /// Precision of an image classifier's activations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Whether an image classifier uses the channels-last memory format; by default on a CPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels_last: Option<bool>,
}

impl Default for ModelSettings {
    fn default() -> Self {
        ModelSettings {
            architecture: None,
            version: None,
            width_factor: 1.0,
            adaptive_softmax_cutoffs: None,
            precision: None,
            channels_last: None,
        }
    }
}

impl ModelSettings {
    /// Returns the architecture of an image classifier.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is missing, or has no such version.
    pub fn image_architecture(&self) -> Result<Architecture, Error> {
        match (self.architecture, self.version) {
            (None, _) => Err(Error::setting(
                "model.architecture",
                "none",
                "missing; choose one for images, such as \"mobilenet\"",
            )),
            (Some(Architecture::MobileNet), None | Some(2)) => Ok(Architecture::MobileNetV2),
            (Some(Architecture::MobileNet), Some(1)) => Ok(Architecture::MobileNet),
            (Some(Architecture::MobileNet), Some(version)) => {
                Err(Error::setting("model.version", version, "mobilenet has versions 1 and 2"))
            }
            (Some(_), Some(version)) => Err(Error::setting("model.version", version, "only mobilenet has versions")),
            (Some(architecture), None) => Ok(architecture),
        }
    }

    /// Returns an image classifier's computation settings on this device.
    pub fn computation(&self, device: Device) -> ComputeSettings {
        let default = ComputeSettings::default_for(device);
        ComputeSettings {
            precision: self.precision.unwrap_or(default.precision),
            channels_last: self.channels_last.unwrap_or(default.channels_last),
        }
    }

    /// Checks that no field of an image classifier is set.
    ///
    /// # Errors
    /// [`Error::Setting`] if one is.
    pub fn check_for_text(&self) -> Result<(), Error> {
        let given = [
            ("model.architecture", self.architecture.map(|architecture| architecture.to_string())),
            ("model.version", self.version.map(|version| version.to_string())),
            ("model.precision", self.precision.map(|precision| format!("{precision:?}").to_lowercase())),
            ("model.channels_last", self.channels_last.map(|last| last.to_string())),
        ];
        match given.into_iter().find_map(|(field, value)| Some((field, value?))) {
            Some((field, value)) => Err(Error::setting(field, value, "only for images; remove it for text")),
            None => Ok(()),
        }
    }
}

/// The setting of an adaptive softmax.
const CUTOFFS: &str = "model.adaptive_softmax_cutoffs";

impl SupervisedTask {
    /// Returns the task's name: the dataset and, for images, the architecture.
    pub fn name(&self) -> String {
        let network = || self.model.architecture.map_or("none".into(), |architecture| architecture.to_string());
        match self.data {
            DataSettings::Text { symbol: Symbol::Character, .. } => "ptb-char".into(),
            DataSettings::Text { symbol: Symbol::Word, .. } => "ptb-word".into(),
            DataSettings::Cifar10 { .. } => format!("cifar10-{}", network()),
            DataSettings::ImageFolder { .. } => format!("imagenet-{}", network()),
        }
    }

    /// Checks every setting; the dataset is checked when it is [read](Self::read).
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid field.
    pub fn check(&self) -> Result<(), Error> {
        const MAX_WIDTH: f64 = 16.0;
        self.training.check()?;
        let width_factor = self.model.width_factor;
        if !(width_factor > 0.0 && width_factor <= MAX_WIDTH) {
            return Err(Error::setting(
                "model.width_factor",
                width_factor,
                format!("must be above 0 and at most {MAX_WIDTH}"),
            ));
        }
        match self.data.image_size() {
            Some(side) => {
                let architecture = self.model.image_architecture()?;
                let smallest = architecture.min_image_size();
                if (side as i64) < smallest {
                    let problem = format!("needs an image size of at least {smallest} pixels, but it is {side}");
                    return Err(Error::setting("model.architecture", architecture, problem));
                }
            }
            None => self.model.check_for_text()?,
        }
        if let Some(cutoffs) = &self.model.adaptive_softmax_cutoffs {
            let problem = match self.data {
                DataSettings::Text { symbol: Symbol::Word, .. } => {
                    let increase = Cutoffs::new(cutoffs, usize::MAX).is_ok();
                    (!increase).then_some("must be increasing cutoffs of at least 1, such as [2000, 6000]")
                }
                _ => Some("only for words; remove it"),
            };
            if let Some(problem) = problem {
                return Err(Error::setting(CUTOFFS, format!("{cutoffs:?}"), problem));
            }
        }
        let least: &[(&str, usize, usize)] = match &self.data {
            DataSettings::Text { batch_size, bptt, .. } => {
                &[("data.batch_size", *batch_size, 1), ("data.bptt", *bptt, 1)]
            }
            DataSettings::Cifar10 { batch_size, max_train_images, .. }
            | DataSettings::ImageFolder { batch_size, max_train_images, .. } => {
                &[("data.batch_size", *batch_size, 2), ("data.max_train_images", max_train_images.unwrap_or(2), 2)]
            }
        };
        if let Some((field, value, least)) = least.iter().find(|(_, value, least)| value < least) {
            return Err(Error::setting(field, value, format!("must be at least {least}")));
        }
        match self.data.folder() {
            Some(_) => Ok(()),
            None => Err(Error::setting("data.folder", "none", "missing; give the dataset directory with --data DIR")),
        }
    }

    /// Reads and checks the dataset; `seed` determines the order and augmentation of images.
    ///
    /// # Errors
    /// The folder is missing files or is corrupt.
    pub fn read(&self, seed: u64) -> Result<Data, Error> {
        self.read_with(seed, None)
    }

    /// Reads the dataset as [`read`](Self::read) does, for a trained model with these `classes` (or this vocabulary), which
    /// are matched by name.
    ///
    /// # Errors
    /// As [`read`](Self::read); [`Error::Classes`] if the dataset has other classes; [`Error::File`] if a text contains a
    /// symbol outside the vocabulary.
    pub fn read_as(&self, seed: u64, classes: &[String]) -> Result<Data, Error> {
        self.read_with(seed, Some(classes))
    }

    fn read_with(&self, seed: u64, known: Option<&[String]>) -> Result<Data, Error> {
        self.check()?;
        let folder = self.data.folder().as_deref().expect("checked");
        let of = |images: Arc<dyn ImageDataset>, batch_size: &usize, max_images: &Option<usize>| {
            let loader = ImageDataLoader { images, batch_size: *batch_size, max_images: *max_images, seed };
            check_memory_for_images(&loader)?;
            Ok::<_, Error>(Data::Images(loader))
        };
        Ok(match &self.data {
            DataSettings::Text { symbol, batch_size, bptt, .. } => {
                let text = Text::read_with(folder, *symbol, *batch_size, *bptt, known)?;
                self.outputs(text.vocabulary())?; // wrong cutoffs are an error before the run has a directory
                Data::Text(text)
            }
            DataSettings::Cifar10 { batch_size, max_train_images, .. } => {
                of(Arc::new(Cifar10::read(folder)?), batch_size, max_train_images)?
            }
            DataSettings::ImageFolder { image_size, batch_size, max_train_images, .. } => {
                of(Arc::new(ImageFolder::read_with(folder, *image_size, known)?), batch_size, max_train_images)?
            }
        })
    }

    /// Checks that the machine has the memory to train the network with so many heads, for the smallest of datasets.
    ///
    /// # Errors
    /// [`Error::Core`] if it hasn't.
    pub fn check_memory(&self, num_heads: i64) -> Result<(), Error> {
        let width_factor = self.model.width_factor;
        if let DataSettings::Text { .. } = self.data {
            return Ok(Network::check_memory(|b| LanguageModel::new(b, 1, width_factor), num_heads, 1)?);
        }
        let architecture = self.model.image_architecture()?;
        Ok(Network::check_memory(|b| architecture.build(b, width_factor), num_heads, 1)?)
    }

    /// Returns the kind of output layer for this number of classes.
    ///
    /// # Errors
    /// [`Error::Setting`] if an adaptive softmax doesn't divide them.
    fn outputs(&self, classes: usize) -> Result<Outputs, Error> {
        match &self.model.adaptive_softmax_cutoffs {
            None => Ok(Outputs::Linear(classes as i64)),
            Some(cutoffs) => Cutoffs::new(cutoffs, classes).map(Outputs::AdaptiveSoftmax).map_err(|_| {
                let problem = format!("must be less than {classes}, the number of words in the training text");
                Error::setting(CUTOFFS, format!("{cutoffs:?}"), problem)
            }),
        }
    }

    /// Creates the initial network for a dataset.
    ///
    /// # Errors
    /// [`Error::Core`] if the method is invalid; this or [`Error::Setting`] if the machine lacks the memory to train the network.
    pub fn network(&self, data: &Data, method: &Method, seed: u64, device: Device) -> Result<Network<Model>, Error> {
        let (classes, width_factor) = (data.classes(), self.model.width_factor);
        let outputs = self.outputs(classes)?;
        if let Data::Text(text) = data {
            check_memory_for_text(text, width_factor, method.num_heads, &outputs)?;
        }
        let architecture = self.model.image_architecture();
        let model = |builder: &mut ParameterBuilder| match data {
            Data::Text(_) => Model::Text(LanguageModel::new(builder, classes, width_factor)),
            Data::Images(data) => {
                let (channel_stats, computation) = (data.images.channel_stats(), self.model.computation(device));
                let architecture = architecture.expect("checked as the data were read");
                Model::Image(ImageModel::new(builder, architecture, width_factor, channel_stats, computation, device))
            }
        };
        let rng = &mut stream(seed, "weights");
        Ok(Network::new(model, method.num_heads, outputs, rng, (Kind::Float, device))?)
    }
}

/// Checks that the largest batch of images fits the machine's memory, in bytes and as the network's inputs.
fn check_memory_for_images(loader: &ImageDataLoader) -> Result<(), Error> {
    const BYTES_PER_VALUE: f64 = 5.0; // u8, and f32
    let side = loader.images.side();
    let batch = |split| loader.batch_size_of(split).min(loader.num_images(split));
    let batch = Split::ALL.into_iter().map(batch).max().unwrap_or(0);
    match memory::shortage(BYTES_PER_VALUE * (3 * batch) as f64 * (side as f64).powi(2)) {
        None => Ok(()),
        Some(shortage) => {
            let problem = format!("a batch of {batch} images {shortage}: choose smaller images or batches");
            Err(Error::setting("data.image_size", side, problem))
        }
    }
}

/// Checks that a training step on a batch of text fits the machine's memory: what the model keeps for the backward pass, and
/// the outputs of all heads with their gradient. Of an adaptive softmax, these are the outputs of its first softmax, and all
/// those of an evaluation's part.
fn check_memory_for_text(text: &Text, width_factor: f64, heads: i64, outputs: &Outputs) -> Result<(), Error> {
    const BYTES: f64 = 4.0; // f32
    let ([streams, steps], symbols) = (text.largest_batch(), text.vocabulary());
    let of_heads = |outputs: i64| 2.0 * heads as f64 * outputs as f64;
    let (of_step, of_evaluation) = match outputs {
        Outputs::AdaptiveSoftmax(cutoffs) => {
            (of_heads(cutoffs.root_outputs()), ADAPTIVE_SAMPLES as f64 * of_heads(cutoffs.classes()))
        }
        _ => (of_heads(symbols as i64), 0.0),
    };
    let numbers = (streams * steps) as f64 * (LanguageModel::numbers_kept(width_factor) + of_step) + of_evaluation;
    match memory::shortage(BYTES * numbers) {
        None => Ok(()),
        Some(shortage) => {
            let problem = format!(
                "a step on {streams} streams of {steps} symbols, with {heads} heads for {symbols} symbols, {shortage}: choose a \
                 smaller data.batch_size, data.bptt or optimizer.num_heads"
            );
            Err(Error::setting("data.batch_size", streams, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_last_is_the_default_on_a_cpu() {
        let model = |channels_last| ModelSettings { channels_last, ..Default::default() };
        let resolved = |channels_last, device| model(channels_last).computation(device).channels_last;
        assert_eq!([resolved(None, Device::Cpu), resolved(None, Device::Cuda(0))], [true, false]);
        assert_eq!([resolved(Some(false), Device::Cpu), resolved(Some(true), Device::Cuda(0))], [false, true]);
    }
}
