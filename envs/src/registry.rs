//! Environments by name, as configurations ask for them: [`Registry`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strsim::jaro_winkler;
use toml::{Table, Value};

use crate::{EnvSpec, Environment, EnvironmentError, RewardScale, builtin};

/// Which environment, and how it is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentSettings {
    /// One of [`Registry::names`].
    pub name: String,
    /// Settings that this environment has, see [`EntryPoint::defaults`](crate::EntryPoint::defaults).
    #[serde(flatten)]
    pub settings: Table,
    /// What every reward is multiplied by, above 0; nothing if not given. Any environment has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_scale: Option<f64>,
}

/// The environments there are, a row each, by name.
///
/// ```
/// use alrao_envs::{ActionSpace, EntryPoint, EnvSpec, EnvironmentSettings, Registry};
/// # use alrao_envs::{Environment, EnvironmentError, Step};
/// # #[derive(Default)]
/// # struct Corridor { length: f32, place: [f32; 1] }
/// # impl Environment for Corridor {
/// #     fn observation_len(&self) -> usize { 1 }
/// #     fn action_count(&self) -> usize { 2 }
/// #     fn reset(&mut self, _seed: u64) -> Result<(), EnvironmentError> { self.place = [0.0]; Ok(()) }
/// #     fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
/// #         self.place[0] += action as f32;
/// #         Ok(Step { reward: -1.0, terminated: self.place[0] >= self.length, truncated: false })
/// #     }
/// #     fn observation(&self) -> &[f32] { &self.place }
/// # }
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct CorridorSettings {
///     length: f32,
/// }
///
/// impl Default for CorridorSettings {
///     fn default() -> Self {
///         Self { length: 3.0 }
///     }
/// }
///
/// let mut registry = Registry::builtin();
/// registry.add(EnvSpec {
///     name: "corridor".into(),
///     about: "walk to the goal".into(),
///     observation_len: 1,
///     actions: ActionSpace::Discrete(2),
///     time_limit: Some(50),
///     fps: 10,
///     heuristic: None,
///     entry_point: EntryPoint::new(|CorridorSettings { length }| Ok(Corridor { length, place: [0.0] })),
/// });
/// let mut corridor = registry.make(&EnvironmentSettings::new("corridor").with("length", 1.0))?;
/// corridor.reset(0)?;
/// assert!(corridor.step(1)?.terminated);
/// # Ok::<(), EnvironmentError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry {
    rows: BTreeMap<String, EnvSpec>,
}

impl Registry {
    /// The environments of this crate.
    pub fn builtin() -> Self {
        let mut registry = Self::default();
        builtin::specs().into_iter().for_each(|row| registry.add(row));
        registry
    }

    /// Adds an environment; it takes the place of one that has the same name.
    pub fn add(&mut self, row: EnvSpec) {
        self.rows.insert(row.name.clone(), row);
    }

    /// The environments' rows, in alphabetical order.
    pub fn rows(&self) -> impl Iterator<Item = &EnvSpec> {
        self.rows.values()
    }

    /// The environments' names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rows.keys().map(String::as_str)
    }

    /// An environment's row.
    ///
    /// # Errors
    /// [`EnvironmentError::UnknownName`].
    pub fn get(&self, name: &str) -> Result<&EnvSpec, EnvironmentError> {
        self.rows.get(name).ok_or_else(|| self.unknown(name))
    }

    /// The same settings with nothing left to default.
    ///
    /// # Errors
    /// [`EnvironmentError::UnknownName`], [`EnvironmentError::NoSuchSetting`], [`EnvironmentError::SettingType`].
    pub fn resolve(&self, settings: &EnvironmentSettings) -> Result<EnvironmentSettings, EnvironmentError> {
        let resolved = self.get(&settings.name)?.resolve(&settings.settings)?;
        Ok(EnvironmentSettings { settings: resolved, ..settings.clone() })
    }

    /// Makes an environment, with its usual time limit, held to its contract by [`Checked`](crate::Checked).
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), [`EnvironmentError::SettingOutOfRange`], and what the environment is refused for.
    pub fn make(&self, settings: &EnvironmentSettings) -> Result<Box<dyn Environment>, EnvironmentError> {
        let environment = self.get(&settings.name)?.make(&settings.settings)?;
        match settings.reward_scale {
            None => Ok(environment),
            Some(factor) if factor > 0.0 && factor.is_finite() => Ok(Box::new(RewardScale::new(environment, factor))),
            Some(value) => {
                let (setting, range) = ("reward_scale", "above 0 and finite");
                Err(EnvironmentError::SettingOutOfRange { setting, value, range })
            }
        }
    }

    /// That there is no environment of this name, with those that resemble it, the most similar first.
    fn unknown(&self, name: &str) -> EnvironmentError {
        const SIMILAR: f64 = 0.8; // of at most 1
        let similarity = |known: &str| jaro_winkler(&name.to_lowercase(), known);
        let mut nearest: Vec<String> =
            self.names().filter(|known| similarity(known) >= SIMILAR).map(Into::into).collect();
        nearest.sort_by(|a, b| similarity(b).total_cmp(&similarity(a)));
        EnvironmentError::UnknownName { name: name.into(), nearest, known: self.names().map(Into::into).collect() }
    }
}

impl EnvironmentSettings {
    /// The environment of this name as it is when nothing is set.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds a setting of the environment.
    pub fn with(mut self, setting: &str, value: impl Into<Value>) -> Self {
        self.settings.insert(setting.into(), value.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::tests::Counter;
    use crate::{ActionSpace, EntryPoint, NoSettings};

    fn named(name: &str) -> EnvironmentSettings {
        EnvironmentSettings::new(name)
    }

    fn refusal(settings: &EnvironmentSettings) -> String {
        Registry::builtin().make(settings).err().expect("not to be made").to_string()
    }

    fn counter() -> EnvSpec {
        EnvSpec {
            name: "counter".into(),
            about: "counts".into(),
            observation_len: 2,
            actions: ActionSpace::Discrete(3),
            time_limit: None,
            fps: 10,
            heuristic: None,
            entry_point: EntryPoint::new(|NoSettings {}| Ok(Counter::to(500.0))),
        }
    }

    #[test]
    fn an_environment_of_ones_own_is_a_row_like_the_others() {
        let mut registry = Registry::builtin();
        registry.add(counter());
        assert!(registry.names().is_sorted() && registry.names().any(|name| name == "counter"));
        let mut env = registry.make(&named("counter")).unwrap();
        env.reset(0).unwrap();
        for _ in 0..499 {
            assert!(!env.step(1).unwrap().ended());
        }
        assert!(env.step(1).unwrap().terminated);
        assert!(env.step(1).is_err(), "it is held to the contract");
        let told = registry.get("countr").unwrap_err().to_string();
        assert_eq!(told, "there is no environment `countr`: did you mean `counter`?");
        assert!(Registry::builtin().get("counter").is_err());
    }

    #[test]
    fn the_later_of_two_rows_with_one_name_holds() {
        let mut registry = Registry::builtin();
        registry.add(EnvSpec { name: "pendulum".into(), time_limit: Some(2), ..counter() });
        let mut env = registry.make(&named("pendulum")).unwrap();
        env.reset(0).unwrap();
        assert!(!env.step(2).unwrap().truncated);
        assert!(env.step(2).unwrap().truncated);
    }

    #[test]
    fn a_mistyped_name_is_told_the_right_one() {
        for mistyped in ["pendulm", "Pendulum-v1", "PENDULUM"] {
            let message = format!("there is no environment `{mistyped}`: did you mean `pendulum`");
            assert!(refusal(&named(mistyped)).starts_with(&message), "{}", refusal(&named(mistyped)));
        }
        let told = refusal(&named("quidditch"));
        assert!(told.starts_with("there is no environment `quidditch`: known are `acrobot`, "), "{told}");
    }

    #[test]
    fn rewards_come_multiplied() {
        let reward = |reward_scale| {
            let settings = EnvironmentSettings { reward_scale, ..named("pendulum") };
            let mut env = Registry::builtin().make(&settings).unwrap();
            env.reset(0).unwrap();
            env.step(0).unwrap().reward
        };
        assert_eq!(reward(Some(0.25)), 0.25 * reward(None));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let told = refusal(&EnvironmentSettings { reward_scale: Some(wrong), ..named("pendulum") });
            assert_eq!(told, format!("reward_scale = {wrong}: it must be above 0 and finite"));
        }
    }

    #[test]
    fn settings_are_read_strictly() {
        let read = |json| serde_json::from_str::<EnvironmentSettings>(json).unwrap();
        assert_eq!(read(r#"{"name": "pendulum"}"#), named("pendulum"));
        assert_eq!(read(r#"{"name": "pendulum", "torques": 3}"#), named("pendulum").with("torques", 3));
        let pendulum = |setting, value: Value| refusal(&named("pendulum").with(setting, value));
        assert_eq!(
            pendulum("torque", 3.into()),
            "`torque` is no setting of `pendulum`: it has `torques`, `reward_scale`"
        );
        assert_eq!(
            pendulum("torques", "many".into()),
            "torques = \"many\": invalid type: string \"many\", expected usize"
        );
        assert_eq!(pendulum("torques", (-3).into()), "torques = -3: invalid value: integer `-3`, expected usize");
        assert_eq!(pendulum("torques", 1.into()), "torques = 1: a pendulum needs at least 2, one to each side");
        assert!(refusal(&named("cartpole").with("torques", 3)).ends_with("of `cartpole`: it has `reward_scale`"));
    }

    #[test]
    fn resolved_settings_leave_nothing_to_default_and_have_one_type_each() {
        let resolve = |settings| Registry::builtin().resolve(&settings).unwrap();
        assert_eq!(resolve(named("pendulum")), named("pendulum").with("torques", 5));
        let lander = resolve(named("lunar-lander").with("gravity", -7));
        let usual = named("lunar-lander").with("enable_wind", false).with("wind_power", 15.0);
        assert_eq!(lander, usual.with("turbulence_power", 1.5).with("gravity", -7.0));
        assert_eq!(resolve(lander.clone()), lander);
    }
}
