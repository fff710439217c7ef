//! Bodies of Q-networks by name, for configurations: [`Bodies`].

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use alrao_core::layers::{Body, Mlp};
use alrao_core::parameters::ParameterBuilder;

use crate::Error;
use crate::q_network_settings::QNetworkSettings;

/// The name of the default body.
const MLP: &str = "mlp";

/// The bodies that `agent.network.body` can name.
///
/// ```
/// use alrao_agents::bodies::Bodies;
/// use alrao_agents::q_network::QNetworkSettings;
/// use alrao_core::layers::Mlp;
///
/// let mut bodies = Bodies::default();
/// bodies.add("narrow", |builder, inputs, _settings| Mlp::new(builder, inputs, &[8], 1.0))?;
/// let settings = QNetworkSettings { body: "narrow".into(), ..QNetworkSettings::default() };
/// assert!(bodies.body(&settings).is_ok());
/// # Ok::<(), alrao_agents::Error>(())
/// ```
#[derive(Clone)]
pub struct Bodies {
    constructors: BTreeMap<String, Arc<Constructor>>,
}

type Constructor = dyn Fn(&mut ParameterBuilder, i64, &QNetworkSettings) -> Box<dyn Body> + Send + Sync;

impl Default for Bodies {
    /// Returns the bodies of this crate: `mlp`.
    fn default() -> Self {
        let mlp = |builder: &mut ParameterBuilder, inputs, settings: &QNetworkSettings| -> Box<dyn Body> {
            let mlp = Mlp::new(builder, inputs, &settings.hidden_sizes, settings.width_factor);
            Box::new(mlp.with_layer_norm(settings.layer_norm))
        };
        Bodies { constructors: BTreeMap::from([(MLP.to_owned(), Arc::new(mlp) as Arc<Constructor>)]) }
    }
}

impl Bodies {
    /// Adds a body: `new` creates it from a builder, the number of input features and the settings. Its inputs are
    /// normalized observations, `[B, inputs]`.
    ///
    /// # Errors
    /// [`Error::Setting`] if a body already has this name.
    pub fn add<B: Body + 'static>(
        &mut self,
        name: &str,
        new: impl Fn(&mut ParameterBuilder, i64, &QNetworkSettings) -> B + Send + Sync + 'static,
    ) -> Result<(), Error> {
        match self.constructors.entry(name.to_owned()) {
            Entry::Occupied(_) => {
                Err(Error::setting("agent.network.body", name, "a body already has this name; choose another"))
            }
            Entry::Vacant(entry) => {
                entry.insert(Arc::new(move |builder, inputs, settings| Box::new(new(builder, inputs, settings))));
                Ok(())
            }
        }
    }

    /// Returns the bodies' names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.constructors.keys().map(String::as_str)
    }

    /// Returns the constructor of the settings' body, for
    /// [`QNetwork::with_body`](crate::q_network::QNetwork::with_body).
    ///
    /// # Errors
    /// [`Error::Setting`] if no body has this name.
    pub fn body<'a>(
        &self,
        settings: &'a QNetworkSettings,
    ) -> Result<impl FnOnce(&mut ParameterBuilder, i64) -> Box<dyn Body> + use<'a>, Error> {
        let Some(new) = self.constructors.get(&settings.body).map(Arc::clone) else {
            let names: Vec<_> = self.names().map(|name| format!("`{name}`")).collect();
            let problem = format!("no body has this name; use one of {}", names.join(", "));
            return Err(Error::setting("agent.network.body", &settings.body, problem));
        };
        Ok(move |builder: &mut ParameterBuilder, inputs| new(builder, inputs, settings))
    }
}

impl fmt::Debug for Bodies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_body_is_an_error_that_lists_all_names() {
        let settings = QNetworkSettings { body: "transformer".into(), ..QNetworkSettings::default() };
        let error = Bodies::default().body(&settings).err().unwrap().to_string();
        assert_eq!(error, "agent.network.body = transformer: no body has this name; use one of `mlp`");
    }

    #[test]
    fn a_duplicate_name_is_an_error() {
        let error = Bodies::default().add(MLP, |builder, inputs, _| Mlp::new(builder, inputs, &[2], 1.0)).unwrap_err();
        assert_eq!(error.to_string(), "agent.network.body = mlp: a body already has this name; choose another");
    }
}
