//! Bodies of Q-networks by name, for configurations: [`Bodies`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use alrao_core::Error as CoreError;
use alrao_core::layers::{Backward, Body, Cnn, ConvolutionSize, Mlp, Module};
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::Tensor;

use crate::Error;
use crate::inputs::Inputs;
use crate::q_network_settings::{AUTO, QNetworkSettings};

/// The setting that names a body.
const FIELD: &str = "agent.network.body";
const MLP: &str = "mlp";
const MINATAR_CNN: &str = "minatar-cnn";
const NATURE_CNN: &str = "nature-cnn";

/// The network of MinAtar (Young and Tian, 2019): its convolution, and the units of its dense layer.
const MINATAR: ([ConvolutionSize; 1], i64) = ([ConvolutionSize { filters: 16, kernel: 3, stride: 1 }], 128);
/// The network of Mnih et al. (2015) in Nature.
const NATURE: ([ConvolutionSize; 3], i64) = (
    [
        ConvolutionSize { filters: 32, kernel: 8, stride: 4 },
        ConvolutionSize { filters: 64, kernel: 4, stride: 2 },
        ConvolutionSize { filters: 64, kernel: 3, stride: 1 },
    ],
    512,
);

/// The bodies that `agent.network.body` can name. `auto` is the body that fits the observations' shape: `mlp` for vectors;
/// for images `nature-cnn`, or `minatar-cnn` where they are too small for it.
///
/// ```
/// use alrao_agents::bodies::Bodies;
/// use alrao_agents::inputs::Inputs;
/// use alrao_agents::q_network::QNetworkSettings;
/// use alrao_core::layers::Mlp;
///
/// let mut bodies = Bodies::default();
/// bodies.add("narrow", |builder, inputs, _settings| Mlp::new(builder, inputs, &[8], 1.0))?;
/// let settings = QNetworkSettings { body: "narrow".into(), ..QNetworkSettings::default() };
/// assert!(bodies.body(&settings, Inputs::vector(4)).is_ok());
/// # Ok::<(), alrao_agents::Error>(())
/// ```
#[derive(Clone)]
pub struct Bodies {
    by_name: BTreeMap<String, Named>,
}

#[derive(Clone)]
struct Named {
    takes: Takes,
    new: Arc<Constructor>,
}

/// What a body takes.
#[derive(Clone, Copy)]
enum Takes {
    /// Any inputs, as numbers.
    Numbers,
    /// Images of at least so many pixels a side.
    Images { smallest: i64 },
}

type Constructor = dyn Fn(&mut ParameterBuilder, Inputs, &QNetworkSettings) -> Box<dyn Body> + Send + Sync;

/// A body of images, whose inputs are numbers, `[B, len]`.
struct OfImages<B> {
    inputs: Inputs,
    body: B,
}

impl<B: Body> Body for OfImages<B> {
    fn features(&self) -> i64 {
        self.body.features()
    }

    fn check(&self, x: &Tensor) -> Result<(), CoreError> {
        CoreError::check_shape("inputs", &[-1, self.inputs.len() as i64], x)?;
        self.body.check(&self.inputs.images(x))
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        self.body.forward(weights, &self.inputs.images(x))
    }

    fn forward_with_backward(&self, weights: &Weights, x: &Tensor) -> Option<(Tensor, Backward)> {
        self.body.forward_with_backward(weights, &self.inputs.images(x))
    }

    fn same_in_train_and_eval(&self) -> bool {
        self.body.same_in_train_and_eval()
    }

    fn modules(&self, weights: &Weights) -> Option<Vec<Module>> {
        let of_body = self.body.modules(weights)?;
        Some(self.inputs.image_modules().into_iter().chain(of_body).collect())
    }
}

impl Default for Bodies {
    /// Returns the bodies of this crate: `mlp`, `minatar-cnn` and `nature-cnn`.
    fn default() -> Self {
        let mut bodies = Bodies { by_name: BTreeMap::new() };
        let added = [
            bodies.add(MLP, |builder, inputs, settings| {
                let mlp = Mlp::new(builder, inputs, &settings.hidden_sizes, settings.width_factor);
                mlp.with_layer_norm(settings.layer_norm)
            }),
            bodies.add_cnn(MINATAR_CNN, &MINATAR.0, MINATAR.1),
            bodies.add_cnn(NATURE_CNN, &NATURE.0, NATURE.1),
        ];
        added.into_iter().collect::<Result<(), _>>().expect("three names");
        bodies
    }
}

impl Bodies {
    /// Adds a body: `new` creates it from a builder, the number of inputs and the settings. Its inputs are `[B, inputs]`:
    /// normalized observations, or the values of images.
    ///
    /// # Errors
    /// [`Error::Setting`] if a body already has this name.
    pub fn add<B: Body + 'static>(
        &mut self,
        name: &str,
        new: impl Fn(&mut ParameterBuilder, i64, &QNetworkSettings) -> B + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let new = move |builder: &mut ParameterBuilder, inputs: Inputs, settings: &QNetworkSettings| {
            Box::new(new(builder, inputs.len() as i64, settings)) as Box<dyn Body>
        };
        self.insert(name, Takes::Numbers, Arc::new(new))
    }

    /// Adds a body of images of at least `smallest` pixels a side: `new` creates it from a builder, the images' channels,
    /// height and width, and the settings. Its inputs are `[B, channels, height, width]`, with all channels of stacked
    /// images, and values from 0 to 1 if the observations are bytes.
    ///
    /// # Errors
    /// [`Error::Setting`] if a body already has this name.
    pub fn add_for_images<B: Body + 'static>(
        &mut self,
        name: &str,
        smallest: i64,
        new: impl Fn(&mut ParameterBuilder, [i64; 3], &QNetworkSettings) -> B + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let new = move |builder: &mut ParameterBuilder, inputs: Inputs, settings: &QNetworkSettings| {
            let image = inputs.image().expect("checked before");
            Box::new(OfImages { inputs, body: new(builder, image, settings) }) as Box<dyn Body>
        };
        self.insert(name, Takes::Images { smallest }, Arc::new(new))
    }

    fn add_cnn(&mut self, name: &str, sizes: &'static [ConvolutionSize], units: i64) -> Result<(), Error> {
        let new = move |builder: &mut ParameterBuilder, image, settings: &QNetworkSettings| {
            Cnn::new(builder, image, sizes, units, settings.width_factor).with_layer_norm(settings.layer_norm)
        };
        self.add_for_images(name, ConvolutionSize::smallest_image(sizes), new)
    }

    fn insert(&mut self, name: &str, takes: Takes, new: Arc<Constructor>) -> Result<(), Error> {
        match self.by_name.entry(name.to_owned()) {
            Entry::Vacant(entry) if name != AUTO => {
                entry.insert(Named { takes, new });
                Ok(())
            }
            _ => Err(Error::setting(FIELD, name, "a body already has this name; choose another")),
        }
    }

    /// Returns the bodies' names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Returns the name of the settings' body, which for `auto` depends on the inputs.
    ///
    /// # Errors
    /// [`Error::Setting`] if no body has this name, or it doesn't take these inputs.
    pub fn resolve(&self, settings: &QNetworkSettings, inputs: Inputs) -> Result<&str, Error> {
        let name = match (&*settings.body, inputs.image()) {
            (AUTO, None) => MLP,
            (AUTO, Some(_)) if self.by_name[NATURE_CNN].takes.fits(inputs) => NATURE_CNN,
            (AUTO, Some(_)) => MINATAR_CNN,
            (name, _) => name,
        };
        let quoted = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let Some((name, Named { takes, .. })) = self.by_name.get_key_value(name) else {
            let known = quoted([AUTO].into_iter().chain(self.names()).collect());
            return Err(Error::setting(FIELD, name, format!("no body has this name; use one of {known}")));
        };
        if takes.fits(inputs) {
            return Ok(name);
        }
        let Takes::Images { smallest } = takes else { unreachable!("numbers fit") };
        let fitting = self.by_name.iter().filter(|(_, named)| named.takes.fits(inputs));
        let fitting = quoted(fitting.map(|(name, _)| name.as_str()).collect());
        let problem = format!(
            "it takes images of at least {smallest} by {smallest} pixels, but observations are {}; use one of {fitting}",
            inputs.space
        );
        Err(Error::setting(FIELD, name, problem))
    }

    /// Returns the constructor of the settings' body for these inputs, for
    /// [`QNetwork::with_body`](crate::q_network::QNetwork::with_body).
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn body<'a>(
        &self,
        settings: &'a QNetworkSettings,
        inputs: Inputs,
    ) -> Result<impl FnOnce(&mut ParameterBuilder, i64) -> Box<dyn Body> + use<'a>, Error> {
        let new = self.by_name[self.resolve(settings, inputs)?].new.clone();
        Ok(move |builder: &mut ParameterBuilder, _len| new(builder, inputs, settings))
    }
}

impl Takes {
    fn fits(self, inputs: Inputs) -> bool {
        match (self, inputs.image()) {
            (Takes::Numbers, _) => true,
            (Takes::Images { .. }, None) => false,
            (Takes::Images { smallest }, Some([_, height, width])) => height.min(width) >= smallest,
        }
    }
}

impl fmt::Debug for Bodies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use alrao_envs::{ObservationShape, ObservationSpace};

    use super::*;

    fn named(body: &str) -> QNetworkSettings {
        QNetworkSettings { body: body.into(), ..QNetworkSettings::default() }
    }

    fn images(side: usize) -> Inputs {
        Inputs::new(ObservationSpace::pixels(ObservationShape::ChannelsFirst([1, side, side])), 2)
    }

    fn error(body: &str, inputs: Inputs) -> String {
        Bodies::default().body(&named(body), inputs).err().unwrap().to_string()
    }

    #[test]
    fn the_shape_chooses_the_body() {
        let chosen = |inputs| Bodies::default().resolve(&named(AUTO), inputs).unwrap().to_owned();
        assert_eq!(chosen(Inputs::vector(3)), MLP);
        assert_eq!([10, 16, 35, 36, 84].map(|side| chosen(images(side))), {
            [MINATAR_CNN, MINATAR_CNN, MINATAR_CNN, NATURE_CNN, NATURE_CNN]
        });
        assert_eq!(Bodies::default().resolve(&named(MLP), images(84)).unwrap(), MLP);
    }

    #[test]
    fn an_unknown_body_is_an_error_that_lists_all_names() {
        let expected = "agent.network.body = transformer: no body has this name; use one of `auto`, `minatar-cnn`, \
                        `mlp`, `nature-cnn`";
        assert_eq!(error("transformer", Inputs::vector(3)), expected);
    }

    #[test]
    fn a_body_that_observations_do_not_fit_is_an_error_that_lists_those_that_do() {
        let expected = "agent.network.body = nature-cnn: it takes images of at least 36 by 36 pixels, but observations \
                        are [1, 20, 20] of u8; use one of `minatar-cnn`, `mlp`";
        assert_eq!(error(NATURE_CNN, images(20)), expected);
        assert!(error(AUTO, images(2)).contains("minatar-cnn: it takes images of at least 3 by 3 pixels"));
        assert!(error(MINATAR_CNN, Inputs::vector(4)).ends_with("observations are [4] of f32; use one of `mlp`"));
    }

    #[test]
    fn a_duplicate_name_is_an_error() {
        for name in [MLP, AUTO] {
            let added = Bodies::default().add(name, |builder, inputs, _| Mlp::new(builder, inputs, &[2], 1.0));
            let expected = format!("agent.network.body = {name}: a body already has this name; choose another");
            assert_eq!(added.unwrap_err().to_string(), expected);
        }
    }
}
