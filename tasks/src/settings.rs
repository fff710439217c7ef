//! A supervised task as it is written down: data, model, and how long to train.

use std::path::{Path, PathBuf};

use alrao_core::method::Method;
use alrao_core::network::Network;
use alrao_core::parameters::ParameterBuilder;
use alrao_core::streams::stream;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind};

use crate::Error;
use crate::data::{Data, Symbol, Text};
use crate::model::Model;
use crate::networks::{Architecture, LanguageModel};
use crate::training::Schedule;

/// A supervised task.
#[derive(Clone, Debug, PartialEq)]
pub struct SupervisedTask {
    /// What is learnt from.
    pub data: DataSettings,
    /// What learns.
    pub model: ModelSettings,
    /// How long it trains.
    pub training: Schedule,
}

/// Which data, and in what portions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DataSettings {
    /// A text in three files, see [`Text`].
    Text {
        /// Where the files are; must be given before training starts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        folder: Option<PathBuf>,
        /// What the text is a sequence of.
        symbol: Symbol,
        /// Streams that are read side by side.
        #[serde(default = "twenty")]
        streams: usize,
        /// Symbols of each stream in a batch, through which gradients go back.
        #[serde(default = "seventy")]
        steps: usize,
    },
}

impl DataSettings {
    /// Says where the data are; from then on it does not matter where the process is.
    pub fn set_folder(&mut self, path: &Path) {
        let DataSettings::Text { folder, .. } = self;
        *folder = Some(std::path::absolute(path).unwrap_or_else(|_| path.into()));
    }
}

fn twenty() -> usize {
    20
}

fn seventy() -> usize {
    70
}

/// Which network, and how wide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSettings {
    /// Which network of images; none for text, which there is one model of, [`LanguageModel`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub architecture: Option<Architecture>,
    /// Of `mobilenet`: 1 if not given, or 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Width of the hidden layers as a multiple of the usual one (the paper's gamma).
    pub gamma: f64,
}

impl Default for ModelSettings {
    fn default() -> Self {
        ModelSettings { architecture: None, version: None, gamma: 1.0 }
    }
}

impl ModelSettings {
    /// The network of images that is meant.
    ///
    /// # Errors
    /// [`Error::Setting`]: none is, or a version that there isn't.
    pub fn of_images(&self) -> Result<Architecture, Error> {
        match (self.architecture, self.version) {
            (None, _) => Err(Error::setting("model.architecture", "none", "images need one, such as \"mobilenet\"")),
            (Some(Architecture::MobileNet), Some(2)) => Ok(Architecture::MobileNetV2),
            (Some(Architecture::MobileNet), None | Some(1)) => Ok(Architecture::MobileNet),
            (Some(Architecture::MobileNet), Some(version)) => {
                Err(Error::setting("model.version", version, "of mobilenet there are 1 and 2"))
            }
            (Some(_), Some(version)) => Err(Error::setting("model.version", version, "only mobilenet has versions")),
            (Some(architecture), None) => Ok(architecture),
        }
    }

    /// Checks that no network of images is meant.
    ///
    /// # Errors
    /// [`Error::Setting`]: one is.
    pub fn of_text(&self) -> Result<(), Error> {
        let problem = "is for images; text has a model of its own";
        match (self.architecture, self.version) {
            (Some(architecture), _) => Err(Error::setting("model.architecture", architecture, problem)),
            (None, Some(version)) => Err(Error::setting("model.version", version, problem)),
            (None, None) => Ok(()),
        }
    }
}

impl SupervisedTask {
    /// What the task is called.
    pub fn name(&self) -> String {
        match self.data {
            DataSettings::Text { symbol: Symbol::Character, .. } => "ptb-char".into(),
            DataSettings::Text { symbol: Symbol::Word, .. } => "ptb-word".into(),
        }
    }

    /// What runs are compared by, see [`Scores::figure`](crate::scores::Scores::figure).
    pub fn measure(&self) -> &'static str {
        match self.data {
            DataSettings::Text { symbol: Symbol::Character, .. } => "bits per character",
            DataSettings::Text { symbol: Symbol::Word, .. } => "perplexity",
        }
    }

    /// Checks every setting; the data are looked at when they are [read](Self::read).
    ///
    /// # Errors
    /// [`Error::Setting`] for the first that can't be.
    pub fn check(&self) -> Result<(), Error> {
        const WIDEST: f64 = 16.0;
        self.training.check()?;
        let gamma = self.model.gamma;
        if !(gamma > 0.0 && gamma <= WIDEST) {
            return Err(Error::setting("model.gamma", gamma, format!("must be above 0 and at most {WIDEST}")));
        }
        let DataSettings::Text { folder, streams, steps, .. } = &self.data;
        self.model.of_text()?;
        for (field, value) in [("data.streams", *streams), ("data.steps", *steps)] {
            if value == 0 {
                return Err(Error::setting(field, value, "must be at least 1"));
            }
        }
        match folder {
            Some(_) => Ok(()),
            None => Err(Error::setting("data.folder", "none", "say where the data are, by --data DIR")),
        }
    }

    /// The data, read and checked.
    ///
    /// # Errors
    /// The folder doesn't hold what it should.
    pub fn read(&self) -> Result<Data, Error> {
        self.check()?;
        let DataSettings::Text { folder, symbol, streams, steps } = &self.data;
        let folder = folder.as_deref().expect("checked");
        Ok(Data::Text(Text::read(folder, *symbol, *streams, *steps)?))
    }

    /// The network for these data, as it begins.
    ///
    /// # Errors
    /// [`Error::Core`]: the method can't be.
    pub fn network(&self, data: &Data, method: &Method, seed: u64, device: Device) -> Result<Network<Model>, Error> {
        let (classes, gamma) = (data.classes(), self.model.gamma);
        let model = |builder: &mut ParameterBuilder| match data {
            Data::Text(_) => Model::Text(LanguageModel::new(builder, classes, gamma)),
        };
        let rng = &mut stream(seed, "weights");
        Ok(Network::new(model, method.heads, classes as i64, rng, (Kind::Float, device))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn model(settings: serde_json::Value) -> Result<ModelSettings, serde_json::Error> {
        serde_json::from_value(settings)
    }

    #[test]
    fn networks_go_by_their_names_and_versions() {
        for (settings, expected) in [
            (json!({"architecture": "mobilenet"}), Architecture::MobileNet),
            (json!({"architecture": "mobilenet", "version": 1}), Architecture::MobileNet),
            (json!({"architecture": "mobilenet", "version": 2}), Architecture::MobileNetV2),
            (json!({"architecture": "googlenet"}), Architecture::GoogLeNet),
            (json!({"architecture": "vgg19"}), Architecture::Vgg19),
            (json!({"architecture": "alexnet"}), Architecture::AlexNet),
            (json!({"architecture": "densenet121"}), Architecture::DenseNet121),
            (json!({"architecture": "resnet50"}), Architecture::ResNet50),
        ] {
            let read = model(settings.clone()).unwrap();
            assert_eq!(read.of_images().unwrap(), expected);
            assert_eq!(model(serde_json::to_value(&read).unwrap()).unwrap(), read);
            let told = read.of_text().unwrap_err().to_string();
            assert!(told.contains("model.architecture") && told.contains(settings["architecture"].as_str().unwrap()));
        }
    }

    #[test]
    fn networks_that_there_are_not_are_refused() {
        for (settings, field) in [
            (json!({}), "model.architecture"),
            (json!({"architecture": "mobilenet", "version": 3}), "model.version = 3"),
            (json!({"architecture": "vgg19", "version": 1}), "model.version = 1"),
        ] {
            let told = model(settings).unwrap().of_images().unwrap_err().to_string();
            assert!(told.contains(field), "{told}");
        }
        let told = model(json!({"architecture": "lenet"})).unwrap_err().to_string();
        assert!(told.contains("lenet") && told.contains("`densenet121`") && !told.contains("V2"), "{told}");
        assert!(model(json!({"version": 2})).unwrap().of_text().is_err());
        assert!(model(json!({"gamma": 3.0})).unwrap().of_text().is_ok());
    }
}
