//! What a program can train: its environments, bodies of Q-networks, and configurations by name.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use alrao_agents::bodies::Bodies;
use alrao_agents::callback::Callback;
use alrao_envs::{ActionSpace, Registry};

use crate::usage_error::UsageError;

/// The configurations of this crate, by name.
const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/configs.rs"));

/// Environment steps of an environment that has no configuration.
const DEFAULT_STEPS: u64 = 50_000;

/// Makes a callback for each training.
pub(crate) type MakeCallback = Arc<dyn Fn() -> Box<dyn Callback> + Send + Sync>;

/// The environments, bodies, callbacks and configurations of a program.
#[derive(Clone)]
pub struct Catalog {
    /// The environments.
    pub environments: Registry,
    /// The bodies of Q-networks.
    pub bodies: Bodies,
    pub(crate) callbacks: Vec<MakeCallback>,
    configurations: BTreeMap<String, Cow<'static, str>>,
}

impl Catalog {
    /// Returns what this crate has.
    pub fn builtin() -> Self {
        let configurations = BUILT_IN.iter().map(|(name, text)| (name.to_string(), Cow::Borrowed(*text))).collect();
        Catalog { environments: Registry::builtin(), bodies: Bodies::default(), callbacks: Vec::new(), configurations }
    }

    /// Adds a callback, which `make` creates for each training of an agent.
    pub fn add_callback<C: Callback + 'static>(&mut self, make: impl Fn() -> C + Send + Sync + 'static) {
        self.callbacks.push(Arc::new(move || Box::new(make())));
    }

    /// Adds a configuration, a TOML text.
    ///
    /// # Errors
    /// There is a configuration of this name.
    pub fn add_configuration(&mut self, name: &str, text: impl Into<Cow<'static, str>>) -> Result<(), UsageError> {
        match self.configurations.insert(name.to_owned(), text.into()) {
            None => Ok(()),
            Some(_) => Err(UsageError(format!("there are two configurations named `{name}`: rename one"))),
        }
    }

    /// Returns the text of a configuration; an environment without one is trained with all defaults.
    pub fn configuration(&self, name: &str) -> Option<Cow<'_, str>> {
        let of_environment = || {
            let spec = self.environments.spec(name).ok()?;
            Some(format!("[environment]\nname = {:?}\n\n[schedule]\nsteps = {DEFAULT_STEPS}\n", spec.name).into())
        };
        self.configurations.get(name).map(|text| text.as_ref().into()).or_else(of_environment)
    }

    /// Returns the configurations' names, in alphabetical order.
    pub fn configurations(&self) -> impl Iterator<Item = &str> {
        self.configurations.keys().map(String::as_str)
    }

    /// Returns what can be trained, in alphabetical order: the name and a line about it, the comment that a configuration
    /// begins with, or else the environment's description.
    pub fn trainable(&self) -> Vec<(&str, &str)> {
        let environments = self.environments.specs().filter(|spec| matches!(spec.actions, ActionSpace::Discrete(_)));
        let mut all: BTreeMap<_, _> =
            environments.map(|spec| (spec.name.as_str(), spec.description.as_str())).collect();
        for (name, text) in &self.configurations {
            let comment = text.lines().next().and_then(|line| line.strip_prefix("# "));
            let about = all.entry(name).or_default();
            *about = comment.unwrap_or(about);
        }
        all.into_iter().collect()
    }

    /// Returns the names of configurations and environments, in alphabetical order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.configurations().chain(self.environments.names()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Catalog { environments, bodies, callbacks, configurations } = self;
        let mut debug = f.debug_struct("Catalog");
        debug.field("environments", environments).field("bodies", bodies).field("callbacks", &callbacks.len());
        debug.field("configurations", configurations).finish()
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Self::builtin()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_without_a_configuration_is_trained_with_defaults() {
        let catalog = Catalog::builtin();
        assert!(catalog.configuration("pendulum").unwrap().contains("torques = 5"));
        assert!(catalog.configuration("pendulum-continuous").unwrap().contains("steps = 50000"));
        assert!(catalog.configuration("pendulum-9").is_none());
    }

    #[test]
    fn everything_that_can_be_trained_has_a_line() {
        let mut catalog = Catalog::builtin();
        catalog.add_configuration("terse", "[environment]\nname = \"pendulum\"").unwrap();
        let trainable = catalog.trainable();
        let about = |name| trainable.iter().find(|(known, _)| *known == name).map(|(_, about)| *about);
        assert!(about("lunar-lander").unwrap().starts_with("LunarLander-v3"));
        assert_eq!((about("terse"), about("pendulum-continuous")), (Some(""), None));
        assert!(trainable.iter().all(|(name, about)| !about.is_empty() || *name == "terse"), "{trainable:?}");
    }

    #[test]
    fn two_configurations_of_one_name_are_an_error() {
        let error = Catalog::builtin().add_configuration("pendulum", "").unwrap_err();
        assert_eq!(error.to_string(), "there are two configurations named `pendulum`: rename one");
    }
}
