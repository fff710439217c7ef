//! All there is to know of an environment, in one row: [`EnvSpec`].

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use strsim::jaro_winkler;
use toml::Table;

use crate::{Action, ActionSpace, Checked, Environment, EnvironmentError, TimeLimit};

/// An environment's row in a [`Registry`](crate::Registry).
#[derive(Clone, Debug)]
pub struct EnvSpec {
    /// What configurations call it.
    pub name: String,
    /// What it is, in a few words of Markdown; of the built-in ones, Gymnasium's name.
    pub about: String,
    /// How many numbers an observation has.
    pub observation_len: usize,
    /// The actions it has as long as nothing is set.
    pub actions: ActionSpace,
    /// After how many steps an episode is truncated, if it is.
    pub time_limit: Option<u32>,
    /// Steps in a second, to watch them.
    pub fps: u32,
    /// A policy by rule of thumb, which sees an observation, `[observation_len]`.
    pub heuristic: Option<fn(&[f32]) -> Action<'static>>,
    /// How it is made, from which settings.
    pub entry_point: EntryPoint,
}

/// How an environment is made from settings of its own.
#[derive(Clone)]
pub struct EntryPoint {
    defaults: Table,
    resolve: Arc<dyn Fn(Table) -> Result<Table, toml::de::Error> + Send + Sync>,
    make: Arc<Make>,
}

type Make = dyn Fn(Table, Option<u32>) -> Result<Box<dyn Environment>, EnvironmentError> + Send + Sync;

/// The settings of an environment that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoSettings {}

impl EntryPoint {
    /// Makes environments by `make`, from settings whose names, types and defaults are those of `S`.
    ///
    /// # Panics
    /// If `S::default()` is nothing that TOML can hold as a table. A field that is `None` there can't be set.
    pub fn new<S, E>(make: impl Fn(S) -> Result<E, EnvironmentError> + Send + Sync + 'static) -> Self
    where
        S: Default + Serialize + DeserializeOwned,
        E: Environment + 'static,
    {
        let written = |settings: &S| Table::try_from(settings).expect("settings are a table of TOML's");
        Self {
            defaults: written(&S::default()),
            resolve: Arc::new(move |settings| Ok(written(&settings.try_into()?))),
            make: Arc::new(move |settings, time_limit| {
                let env = make(settings.try_into().expect("resolved before"))?;
                Ok(match time_limit {
                    Some(steps) => Box::new(Checked::new(TimeLimit::new(env, steps))),
                    None => Box::new(Checked::new(env)),
                })
            }),
        }
    }

    /// The settings there are, with their defaults.
    pub fn defaults(&self) -> &Table {
        &self.defaults
    }
}

impl EnvSpec {
    /// These settings with the defaults of those that are not given.
    pub(crate) fn resolve(&self, given: &Table) -> Result<Table, EnvironmentError> {
        let EntryPoint { defaults, resolve, .. } = &self.entry_point;
        let mut settings = defaults.clone();
        for (setting, value) in given {
            if !defaults.contains_key(setting) {
                let mut known: Vec<&str> = defaults.keys().map(String::as_str).chain(["reward_scale"]).collect();
                known.sort_by(|a, b| jaro_winkler(b, setting).total_cmp(&jaro_winkler(a, setting)));
                return Err(EnvironmentError::NoSuchSetting {
                    name: self.name.clone(),
                    setting: setting.clone(),
                    known: known.into_iter().map(Into::into).collect(),
                });
            }
            settings.insert(setting.clone(), value.clone());
            settings = resolve(settings).map_err(|error| EnvironmentError::SettingType {
                setting: setting.clone(),
                value: value.to_string(),
                problem: error.message().into(),
            })?;
        }
        Ok(settings)
    }

    /// An environment with these settings, held to its contract, with its time limit.
    pub(crate) fn make(&self, given: &Table) -> Result<Box<dyn Environment>, EnvironmentError> {
        (self.entry_point.make)(self.resolve(given)?, self.time_limit)
    }
}

impl fmt::Debug for EntryPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryPoint").field("defaults", &self.defaults).finish_non_exhaustive()
    }
}
