//! The registry of environments by name: [`Registry`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strsim::jaro_winkler;
use toml::{Table, Value};

use crate::{EnvSpec, Environment, EnvironmentError, RewardScale};

/// The name and settings of an environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentSettings {
    /// A name in [`Registry::names`].
    pub name: String,
    /// Settings specific to the environment, see [`EntryPoint::defaults`](crate::EntryPoint::defaults).
    #[serde(flatten)]
    pub settings: Table,
    /// The factor of rewards, above 0; every environment has this setting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_scale: Option<f64>,
}

/// A registry of environments: an [`EnvSpec`] for each name.
///
/// ```
/// use alrao_envs::{EnvSpec, EnvironmentSettings, Registry};
/// # use alrao_envs::{Environment, EnvironmentError, Step};
/// # #[derive(Default)]
/// # struct Corridor { length: f32, place: [f32; 1] }
/// # impl Environment for Corridor {
/// #     fn obs_dim(&self) -> usize { 1 }
/// #     fn num_actions(&self) -> usize { 2 }
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
/// let mut registry = Registry::default();
/// let make = |CorridorSettings { length }| Corridor { length, place: [0.0] };
/// registry.register(EnvSpec { time_limit: Some(50), ..EnvSpec::new("corridor", make) })?;
/// let mut corridor = registry.make(&EnvironmentSettings::new("corridor").with("length", 1.0))?;
/// corridor.reset(0)?;
/// assert!(corridor.step(1)?.terminated);
/// # Ok::<(), EnvironmentError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Registry {
    specs: BTreeMap<String, EnvSpec>,
    #[cfg(feature = "gymnasium")]
    gymnasium: crate::gymnasium::Gymnasium,
}

impl Registry {
    /// Creates a registry with this crate's environments.
    #[cfg(feature = "gym")]
    pub fn builtin() -> Self {
        let specs = crate::builtin::specs().into_iter().map(|spec| (spec.name.clone(), spec)).collect();
        Self { specs, ..Self::default() }
    }

    /// Registers an environment. If its specification has no spaces, the environment is made once, with default settings,
    /// to learn them.
    ///
    /// # Errors
    /// [`EnvironmentError::DuplicateName`]; [`EnvironmentError::InEnvironment`] if the environment can't be made.
    pub fn register(&mut self, mut spec: EnvSpec) -> Result<(), EnvironmentError> {
        if self.specs.contains_key(&spec.name) {
            return Err(EnvironmentError::DuplicateName { name: spec.name });
        }
        spec.learn_spaces()?;
        self.specs.insert(spec.name.clone(), spec);
        Ok(())
    }

    /// Returns the specifications of all environments, in alphabetical order.
    pub fn specs(&self) -> impl Iterator<Item = &EnvSpec> {
        self.specs.values()
    }

    /// Returns the names of all environments, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.specs.keys().map(String::as_str)
    }

    /// Returns the specification of an environment: a registered one, or one of Gymnasium, as `gymnasium:CartPole-v1`.
    ///
    /// # Errors
    /// [`EnvironmentError::UnknownEnvironment`].
    pub fn spec(&self, name: &str) -> Result<Cow<'_, EnvSpec>, EnvironmentError> {
        #[cfg(feature = "gymnasium")]
        if let Some(spec) = self.gymnasium.spec(name) {
            return Ok(Cow::Owned(spec));
        }
        self.specs.get(name).map(Cow::Borrowed).ok_or_else(|| self.unknown(name))
    }

    /// Fills in the defaults of settings that are not given.
    ///
    /// # Errors
    /// [`EnvironmentError::UnknownEnvironment`], [`EnvironmentError::UnknownSetting`], [`EnvironmentError::SettingType`].
    pub fn resolve(&self, settings: &EnvironmentSettings) -> Result<EnvironmentSettings, EnvironmentError> {
        let resolved = self.spec(&settings.name)?.resolve(&settings.settings)?;
        Ok(EnvironmentSettings { settings: resolved, ..settings.clone() })
    }

    /// Makes an environment with its time limit, wrapped in a [`PassiveEnvChecker`](crate::PassiveEnvChecker).
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); [`EnvironmentError::SettingOutOfRange`]; or the environment's own error.
    pub fn make(&self, settings: &EnvironmentSettings) -> Result<Box<dyn Environment>, EnvironmentError> {
        let environment = self.spec(&settings.name)?.make(&settings.settings)?;
        match settings.reward_scale {
            None => Ok(environment),
            Some(factor) if factor > 0.0 && factor.is_finite() => Ok(Box::new(RewardScale::new(environment, factor))),
            Some(value) => {
                let (setting, range) = ("reward_scale", "above 0 and finite");
                Err(EnvironmentError::SettingOutOfRange { setting, value, range })
            }
        }
    }

    /// Returns the error of an unknown name, with similar names, the most similar first.
    fn unknown(&self, name: &str) -> EnvironmentError {
        const SIMILAR: f64 = 0.8; // of at most 1
        let similarity = |known: &str| jaro_winkler(&name.to_lowercase(), known);
        let mut nearest: Vec<String> =
            self.names().filter(|known| similarity(known) >= SIMILAR).map(Into::into).collect();
        nearest.sort_by(|a, b| similarity(b).total_cmp(&similarity(a)));
        EnvironmentError::UnknownEnvironment {
            name: name.into(),
            nearest,
            known: self.names().map(Into::into).collect(),
        }
    }
}

impl EnvironmentSettings {
    /// Selects an environment with default settings.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Sets one of the environment's settings.
    pub fn with(mut self, setting: &str, value: impl Into<Value>) -> Self {
        self.settings.insert(setting.into(), value.into());
        self
    }
}

#[cfg(all(test, feature = "gym"))]
mod tests {
    use super::*;
    use crate::environment::tests::Counter;
    use crate::{ActionSpace, NoSettings};

    fn named(name: &str) -> EnvironmentSettings {
        EnvironmentSettings::new(name)
    }

    fn make_error(settings: &EnvironmentSettings) -> String {
        Registry::builtin().make(settings).err().expect("an error").to_string()
    }

    fn counter() -> EnvSpec {
        EnvSpec::new("counter", |NoSettings {}| Counter::to(500.0))
    }

    #[test]
    fn a_custom_environment_can_be_registered() {
        let mut registry = Registry::builtin();
        registry.register(counter()).unwrap();
        let spec = registry.spec("counter").unwrap();
        assert_eq!((spec.obs_dim, spec.actions), (2, ActionSpace::Discrete(3)));
        assert!(registry.names().is_sorted() && registry.names().any(|name| name == "counter"));
        let mut env = registry.make(&named("counter")).unwrap();
        env.reset(0).unwrap();
        for _ in 0..499 {
            assert!(!env.step(1).unwrap().ended());
        }
        assert!(env.step(1).unwrap().terminated);
        assert!(env.step(1).is_err(), "calls are checked");
        let message = registry.spec("countr").unwrap_err().to_string();
        assert_eq!(message, "there is no environment `countr`: did you mean `counter`?");
        assert!(Registry::builtin().spec("counter").is_err());
    }

    #[test]
    fn two_environments_of_one_name_are_an_error() {
        let mut registry = Registry::builtin();
        let error = registry.register(EnvSpec { name: "pendulum".into(), ..counter() }).unwrap_err();
        assert_eq!(error.to_string(), "there are two environments named `pendulum`: rename one");
    }

    #[test]
    fn an_environment_that_cannot_be_made_is_not_registered() {
        let faulty = |NoSettings {}| -> Result<Counter, EnvironmentError> {
            Err(EnvironmentError::Other("the simulator isn't running".into()))
        };
        let error = Registry::default().register(EnvSpec::new("faulty", faulty)).unwrap_err();
        assert_eq!(error.to_string(), "environment `faulty`: the simulator isn't running");
    }

    #[test]
    fn a_time_limit_truncates() {
        let mut registry = Registry::default();
        registry.register(EnvSpec { time_limit: Some(2), ..counter() }).unwrap();
        let mut env = registry.make(&named("counter")).unwrap();
        env.reset(0).unwrap();
        assert!(!env.step(2).unwrap().truncated);
        assert!(env.step(2).unwrap().truncated);
    }

    #[test]
    fn the_error_of_an_unknown_name_suggests_similar_names() {
        for mistyped in ["pendulm", "Pendulum-v1", "PENDULUM"] {
            let message = format!("there is no environment `{mistyped}`: did you mean `pendulum`");
            assert!(make_error(&named(mistyped)).starts_with(&message), "{}", make_error(&named(mistyped)));
        }
        let message = make_error(&named("quidditch"));
        assert!(message.starts_with("there is no environment `quidditch`: known are `acrobot`, "), "{message}");
    }

    #[test]
    fn reward_scale_multiplies_rewards() {
        let reward = |reward_scale| {
            let settings = EnvironmentSettings { reward_scale, ..named("pendulum") };
            let mut env = Registry::builtin().make(&settings).unwrap();
            env.reset(0).unwrap();
            env.step(0).unwrap().reward
        };
        assert_eq!(reward(Some(0.25)), 0.25 * reward(None));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let message = make_error(&EnvironmentSettings { reward_scale: Some(wrong), ..named("pendulum") });
            assert_eq!(message, format!("reward_scale = {wrong}: must be above 0 and finite"));
        }
    }

    #[test]
    fn unknown_or_invalid_settings_are_errors() {
        let read = |json| serde_json::from_str::<EnvironmentSettings>(json).unwrap();
        assert_eq!(read(r#"{"name": "pendulum"}"#), named("pendulum"));
        assert_eq!(read(r#"{"name": "pendulum", "torques": 3}"#), named("pendulum").with("torques", 3));
        let pendulum = |setting, value: Value| make_error(&named("pendulum").with(setting, value));
        assert_eq!(
            pendulum("torque", 3.into()),
            "`torque` is not a setting of `pendulum`: it has `torques`, `reward_scale`"
        );
        assert_eq!(
            pendulum("torques", "many".into()),
            "torques = \"many\": invalid type: string \"many\", expected usize"
        );
        assert_eq!(pendulum("torques", (-3).into()), "torques = -3: invalid value: integer `-3`, expected usize");
        assert_eq!(
            pendulum("torques", 1.into()),
            "torques = 1: a pendulum needs at least 2, one in each direction, and at most 1000000"
        );
        assert!(make_error(&named("cartpole").with("torques", 3)).ends_with("of `cartpole`: it has `reward_scale`"));
    }

    #[test]
    fn resolved_settings_are_complete_and_have_the_declared_types() {
        let resolve = |settings| Registry::builtin().resolve(&settings).unwrap();
        assert_eq!(resolve(named("pendulum")), named("pendulum").with("torques", 5));
        let lander = resolve(named("lunar-lander").with("gravity", -7));
        let usual = named("lunar-lander").with("enable_wind", false).with("wind_power", 15.0);
        assert_eq!(lander, usual.with("turbulence_power", 1.5).with("gravity", -7.0));
        assert_eq!(resolve(lander.clone()), lander);
    }
}
