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
    /// The length of an observation; 0 to learn it and the action space from the environment when it is registered.
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

type Make = dyn Fn(Table, &str, Option<u32>) -> Result<Box<dyn Environment>, EnvironmentError> + Send + Sync;

/// What a function that makes environments may return: an environment, or an error instead of one.
pub trait IntoEnvironment {
    /// The type of the environment.
    type Env: Environment + 'static;

    /// Returns the environment.
    ///
    /// # Errors
    /// The environment's own error, as for settings out of range.
    fn into_environment(self) -> Result<Self::Env, EnvironmentError>;
}

impl<E: Environment + 'static> IntoEnvironment for E {
    type Env = E;

    fn into_environment(self) -> Result<E, EnvironmentError> {
        Ok(self)
    }
}

impl<E: Environment + 'static> IntoEnvironment for Result<E, EnvironmentError> {
    type Env = E;

    fn into_environment(self) -> Self {
        self
    }
}

/// The settings of an environment without settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoSettings {}

impl EntryPoint {
    /// Creates an entry point that calls `make` with settings of type `S`.
    ///
    /// # Panics
    /// If `S::default()` can't be represented as a TOML table. Fields that are `None` there can't be set.
    pub fn new<S, E>(make: impl Fn(S) -> E + Send + Sync + 'static) -> Self
    where
        S: Default + Serialize + DeserializeOwned,
        E: IntoEnvironment,
    {
        let to_table = |settings: &S| Table::try_from(settings).expect("settings are a TOML table");
        Self {
            defaults: to_table(&S::default()),
            resolve: Arc::new(move |settings| Ok(to_table(&settings.try_into()?))),
            make: Arc::new(move |settings, name, time_limit| {
                let env = make(settings.try_into().expect("resolved before")).into_environment()?;
                Ok(match time_limit {
                    Some(steps) => Box::new(PassiveEnvChecker::new(TimeLimit::new(env, steps)).named(name)),
                    None => Box::new(PassiveEnvChecker::new(env).named(name)),
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
    /// Creates the specification of an environment that `make` creates from settings of type `S`: without description, time
    /// limit and scripted policy, with the spaces that the environment has. Set other fields by
    /// `EnvSpec { time_limit: Some(100), ..EnvSpec::new("name", make) }`.
    ///
    /// # Panics
    /// As [`EntryPoint::new`].
    pub fn new<S, E>(name: &str, make: impl Fn(S) -> E + Send + Sync + 'static) -> Self
    where
        S: Default + Serialize + DeserializeOwned,
        E: IntoEnvironment,
    {
        EnvSpec {
            name: name.into(),
            description: String::new(),
            obs_dim: 0,
            actions: ActionSpace::Discrete(0),
            time_limit: None,
            fps: 30,
            heuristic: None,
            entry_point: EntryPoint::new(make),
        }
    }

    /// Fills in the spaces from an instance if there are none.
    pub(crate) fn learn_spaces(&mut self) -> Result<(), EnvironmentError> {
        if self.obs_dim > 0 {
            return Ok(());
        }
        let env = self
            .make(&Table::new())
            .map_err(|error| EnvironmentError::InEnvironment { name: self.name.clone(), source: error.into() })?;
        self.obs_dim = env.obs_dim();
        self.actions = match env.action_dim() {
            0 => ActionSpace::Discrete(env.num_actions()),
            dim => ActionSpace::Continuous { low: -1.0, high: 1.0, dim },
        };
        Ok(())
    }

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
        (self.entry_point.make)(self.resolve(given)?, &self.name, self.time_limit)
    }
}

impl fmt::Debug for EntryPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryPoint").field("defaults", &self.defaults).finish_non_exhaustive()
    }
}
