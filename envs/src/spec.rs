//! The specification of an environment: [`EnvSpec`].

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use strsim::jaro_winkler;
use toml::Table;

use crate::{Action, ActionSpace, Environment, EnvironmentError, PassiveEnvChecker, TimeLimit};

/// The specification of an environment in a [`Registry`](crate::Registry).
#[derive(Clone, Debug)]
pub struct EnvSpec {
    /// The name used in configurations.
    pub name: String,
    /// A short description in Markdown; for built-in environments, Gymnasium's id.
    pub description: String,
    /// The length of an observation.
    pub obs_dim: usize,
    /// The action space with default settings.
    pub actions: ActionSpace,
    /// The step at which episodes are truncated, if there is a limit.
    pub time_limit: Option<u32>,
    /// Steps per second when rendered.
    pub fps: u32,
    /// A scripted policy, which maps an observation, `[obs_dim]`, to an action.
    pub heuristic: Option<fn(&[f32]) -> Action<'static>>,
    /// The function that makes the environment from its settings.
    pub entry_point: EntryPoint,
}

/// A function that makes an environment from its settings.
#[derive(Clone)]
pub struct EntryPoint {
    defaults: Table,
    resolve: Arc<dyn Fn(Table) -> Result<Table, toml::de::Error> + Send + Sync>,
    make: Arc<Make>,
}

type Make = dyn Fn(Table, Option<u32>) -> Result<Box<dyn Environment>, EnvironmentError> + Send + Sync;

/// The settings of an environment without settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoSettings {}

impl EntryPoint {
    /// Creates an entry point that calls `make` with settings of type `S`.
    ///
    /// # Panics
    /// If `S::default()` can't be represented as a TOML table. Fields that are `None` there can't be set.
    pub fn new<S, E>(make: impl Fn(S) -> Result<E, EnvironmentError> + Send + Sync + 'static) -> Self
    where
        S: Default + Serialize + DeserializeOwned,
        E: Environment + 'static,
    {
        let to_table = |settings: &S| Table::try_from(settings).expect("settings are a TOML table");
        Self {
            defaults: to_table(&S::default()),
            resolve: Arc::new(move |settings| Ok(to_table(&settings.try_into()?))),
            make: Arc::new(move |settings, time_limit| {
                let env = make(settings.try_into().expect("resolved before"))?;
                Ok(match time_limit {
                    Some(steps) => Box::new(PassiveEnvChecker::new(TimeLimit::new(env, steps))),
                    None => Box::new(PassiveEnvChecker::new(env)),
                })
            }),
        }
    }

    /// Returns the settings with their defaults.
    pub fn defaults(&self) -> &Table {
        &self.defaults
    }
}

impl EnvSpec {
    /// Fills in the defaults of settings that are not given.
    pub(crate) fn resolve(&self, given: &Table) -> Result<Table, EnvironmentError> {
        let EntryPoint { defaults, resolve, .. } = &self.entry_point;
        let mut settings = defaults.clone();
        for (setting, value) in given {
            if !defaults.contains_key(setting) {
                let mut known: Vec<&str> = defaults.keys().map(String::as_str).chain(["reward_scale"]).collect();
                known.sort_by(|a, b| jaro_winkler(b, setting).total_cmp(&jaro_winkler(a, setting)));
                return Err(EnvironmentError::UnknownSetting {
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

    /// Makes an environment with these settings, its time limit and a [`PassiveEnvChecker`].
    pub(crate) fn make(&self, given: &Table) -> Result<Box<dyn Environment>, EnvironmentError> {
        (self.entry_point.make)(self.resolve(given)?, self.time_limit)
    }
}

impl fmt::Debug for EntryPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryPoint").field("defaults", &self.defaults).finish_non_exhaustive()
    }
}
