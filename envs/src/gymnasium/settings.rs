//! The settings of Gymnasium's environments: [`GymnasiumSettings`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use toml::{Table, Value};

use crate::EnvironmentError;

/// The settings of an environment of Gymnasium.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GymnasiumSettings {
    /// Arguments of `gymnasium.make`.
    pub kwargs: Table,
    /// Python modules to import first, which register environments, as `module`, or `module:function` to call a function.
    pub import: Vec<String>,
    /// Wrappers around the environment, the innermost first.
    pub wrappers: Vec<WrapperSettings>,
    /// The Python program, which has Gymnasium.
    pub python: String,
    /// The number of Python processes, which share all copies of the environment; 0 for one per core.
    pub workers: usize,
    /// The time that a copy may take for a reset or a step, in seconds, above 0.
    pub timeout: f64,
    /// The number of evenly spaced values of each dimension of a `Box` of actions; at least 2.
    pub bins: usize,
}

/// A wrapper of Gymnasium, as `"gymnasium.wrappers.ClipReward"` or `{ name = "...", kwargs = { max_reward = 1 } }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "GivenWrapper", into = "GivenWrapper")]
pub struct WrapperSettings {
    /// The name of the class with its module.
    pub name: String,
    /// Its arguments, besides the environment.
    pub kwargs: Table,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a wrapper's name, or a table with its `name` and `kwargs`")]
enum GivenWrapper {
    Name(String),
    WithKwargs(NameAndKwargs),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NameAndKwargs {
    name: String,
    #[serde(default)]
    kwargs: Table,
}

impl From<GivenWrapper> for WrapperSettings {
    fn from(given: GivenWrapper) -> Self {
        match given {
            GivenWrapper::Name(name) => Self { name, kwargs: Table::new() },
            GivenWrapper::WithKwargs(NameAndKwargs { name, kwargs }) => Self { name, kwargs },
        }
    }
}

impl From<WrapperSettings> for GivenWrapper {
    fn from(WrapperSettings { name, kwargs }: WrapperSettings) -> Self {
        if kwargs.is_empty() { Self::Name(name) } else { Self::WithKwargs(NameAndKwargs { name, kwargs }) }
    }
}

impl Default for GymnasiumSettings {
    fn default() -> Self {
        Self {
            kwargs: Table::new(),
            import: Vec::new(),
            wrappers: Vec::new(),
            python: "python3".into(),
            workers: 0,
            timeout: 60.0,
            bins: 5,
        }
    }
}

impl GymnasiumSettings {
    /// Checks the ranges.
    pub(super) fn check(&self) -> Result<(), EnvironmentError> {
        let wrong = |setting, value, range| Err(EnvironmentError::SettingOutOfRange { setting, value, range });
        if !(self.timeout > 0.0 && self.timeout <= 1e6) {
            return wrong("timeout", self.timeout, "above 0 and at most 1e6 seconds");
        }
        if self.bins < 2 {
            return wrong("bins", self.bins as f64, "at least 2");
        }
        if self.workers > 1024 {
            return wrong("workers", self.workers as f64, "at most 1024");
        }
        Ok(())
    }

    /// Returns the number of worker processes.
    pub(super) fn worker_count(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }

    /// Returns what the worker's script must know, as JSON.
    pub(super) fn for_script(&self, id: &str) -> Result<Map<String, Json>, EnvironmentError> {
        let wrappers = self.wrappers.iter().map(|WrapperSettings { name, kwargs }| {
            let fields = [("name", name.as_str().into()), ("kwargs", arguments("wrappers", kwargs)?)];
            Ok(fields.into_iter().map(|(field, value)| (field.into(), value)).collect::<Map<_, _>>().into())
        });
        let fields = [
            ("id", id.into()),
            ("kwargs", arguments("kwargs", &self.kwargs)?),
            ("import", self.import.clone().into()),
            ("wrappers", wrappers.collect::<Result<Vec<Json>, EnvironmentError>>()?.into()),
            ("bins", self.bins.into()),
            ("parent", std::process::id().into()),
        ];
        Ok(fields.into_iter().map(|(field, value)| (field.into(), value)).collect())
    }
}

fn arguments(setting: &str, kwargs: &Table) -> Result<Json, EnvironmentError> {
    to_json(&Value::Table(kwargs.clone())).map_err(|value| {
        let (setting, value) = (setting.into(), value.to_string());
        EnvironmentError::SettingType { setting, value, problem: "dates, infinity and NaN can't be passed on".into() }
    })
}

/// Returns a value as JSON; fails for a value that JSON lacks.
fn to_json(value: &Value) -> Result<Json, Value> {
    Ok(match value {
        Value::String(text) => text.as_str().into(),
        Value::Integer(number) => (*number).into(),
        Value::Float(number) => match serde_json::Number::from_f64(*number) {
            Some(number) => number.into(),
            None => return Err(value.clone()),
        },
        Value::Boolean(flag) => (*flag).into(),
        Value::Array(values) => values.iter().map(to_json).collect::<Result<Vec<_>, _>>()?.into(),
        Value::Table(table) => {
            let entries = table.iter().map(|(key, value)| Ok((key.clone(), to_json(value)?)));
            entries.collect::<Result<Map<_, _>, Value>>()?.into()
        }
        Value::Datetime(_) => return Err(value.clone()),
    })
}
