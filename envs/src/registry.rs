//! Environments by name, as configurations ask for them: [`make`].

use serde::{Deserialize, Serialize};
use strsim::jaro_winkler;

use crate::{
    Acrobot, CartPole, Checked, DrivenPendulum, Environment, EnvironmentError, GymEnvironment, LanderSettings,
    LunarLander, MountainCar, RewardScale, TimeLimit,
};

/// Which environment, and how it is set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentSettings {
    /// One of [`names`].
    pub name: String,
    /// How many evenly spaced torques from -2 to 2 a pendulum has as actions, at least 2; 5 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torques: Option<usize>,
    /// A lander's gravity in m/s^2, between -12 and 0; -10 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gravity: Option<f64>,
    /// Whether wind blows at a lander; not if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_wind: Option<bool>,
    /// How strongly the wind pushes at most, from 0 to 20; 15 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wind_power: Option<f64>,
    /// How strongly the wind turns at most, from 0 to 2; 1.5 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turbulence_power: Option<f64>,
    /// What every reward is multiplied by, above 0; nothing if not given. Any environment has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_scale: Option<f64>,
}

/// Makes an environment, with its usual time limit, held to its contract by [`Checked`].
///
/// | name | environment | time limit, steps |
/// |---|---|---|
/// | `acrobot` | [`Acrobot`] | 500 |
/// | `cartpole` | [`CartPole`] | 500 |
/// | `lunar-lander` | [`LunarLander`] | 1000 |
/// | `lunar-lander-continuous` | [`LunarLander`] with throttles | 1000 |
/// | `mountain-car` | [`MountainCar`] | 200 |
/// | `pendulum` | [`DrivenPendulum::discrete`] | 200 |
/// | `pendulum-continuous` | [`DrivenPendulum::continuous`] | 200 |
///
/// # Errors
/// [`EnvironmentError::UnknownName`], [`EnvironmentError::NoSuchSetting`], [`EnvironmentError::TooFewTorques`],
/// [`EnvironmentError::SettingOutOfRange`].
pub fn make(settings: &EnvironmentSettings) -> Result<Box<dyn Environment>, EnvironmentError> {
    let name = settings.name.as_str();
    if !names().contains(&name) {
        return Err(EnvironmentError::UnknownName { name: name.into(), nearest: nearest(name), known: names() });
    }
    if let Some(setting) = settings.foreign() {
        return Err(EnvironmentError::NoSuchSetting { name: name.into(), setting });
    }
    let environment = match name {
        "acrobot" => limited(GymEnvironment::new(Acrobot::new()), 500),
        "cartpole" => limited(GymEnvironment::new(CartPole::new()), 500),
        "lunar-lander" => limited(settings.lander(false)?, 1000),
        "lunar-lander-continuous" => limited(settings.lander(true)?, 1000),
        "mountain-car" => limited(GymEnvironment::new(MountainCar::new()), 200),
        "pendulum" => limited(DrivenPendulum::discrete(settings.torques.unwrap_or(5))?, 200),
        "pendulum-continuous" => limited(DrivenPendulum::continuous(), 200),
        _ => unreachable!("every name is listed above"),
    };
    match settings.reward_scale {
        None => Ok(environment),
        Some(factor) if factor > 0.0 && factor.is_finite() => Ok(Box::new(RewardScale::new(environment, factor))),
        Some(value) => {
            let (setting, range) = ("reward_scale", "above 0 and finite");
            Err(EnvironmentError::SettingOutOfRange { setting, value, range })
        }
    }
}

impl EnvironmentSettings {
    /// The first setting given that the named environment doesn't have.
    fn foreign(&self) -> Option<&'static str> {
        let lander = self.name.starts_with("lunar-lander");
        let given = [
            ("torques", self.torques.is_some(), self.name == "pendulum"),
            ("gravity", self.gravity.is_some(), lander),
            ("enable_wind", self.enable_wind.is_some(), lander),
            ("wind_power", self.wind_power.is_some(), lander),
            ("turbulence_power", self.turbulence_power.is_some(), lander),
        ];
        given.into_iter().find(|&(_, given, fits)| given && !fits).map(|(setting, ..)| setting)
    }

    fn lander(&self, continuous: bool) -> Result<LunarLander, EnvironmentError> {
        let usual = LanderSettings::default();
        LunarLander::new(LanderSettings {
            continuous,
            gravity: self.gravity.unwrap_or(usual.gravity),
            enable_wind: self.enable_wind.unwrap_or(usual.enable_wind),
            wind_power: self.wind_power.unwrap_or(usual.wind_power),
            turbulence_power: self.turbulence_power.unwrap_or(usual.turbulence_power),
        })
    }
}

fn limited(env: impl Environment + 'static, steps: u32) -> Box<dyn Environment> {
    Box::new(Checked::new(TimeLimit::new(env, steps)))
}

/// The names [`make`] knows, in alphabetical order.
pub fn names() -> &'static [&'static str] {
    &[
        "acrobot",
        "cartpole",
        "lunar-lander",
        "lunar-lander-continuous",
        "mountain-car",
        "pendulum",
        "pendulum-continuous",
    ]
}

/// The known names that resemble this one, the most similar first.
fn nearest(name: &str) -> Vec<&'static str> {
    const SIMILAR: f64 = 0.8; // of at most 1
    let similarity = |known: &str| jaro_winkler(&name.to_lowercase(), known);
    let mut near: Vec<_> = names().iter().copied().filter(|known| similarity(known) >= SIMILAR).collect();
    near.sort_by(|a, b| similarity(b).total_cmp(&similarity(a)));
    near
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> EnvironmentSettings {
        EnvironmentSettings { name: name.into(), ..Default::default() }
    }

    fn refusal(settings: &EnvironmentSettings) -> String {
        make(settings).err().expect("not to be made").to_string()
    }

    #[test]
    fn every_name_makes_an_environment_that_can_be_played() {
        for name in names() {
            let mut env = make(&named(name)).unwrap();
            env.reset(0).unwrap();
            match env.action_count() {
                0 => env.step_continuous(&vec![0.5; env.action_len()]).unwrap(),
                count => env.step(count - 1).unwrap(),
            };
            assert_eq!(env.observation().len(), env.observation_len(), "{name}");
        }
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
            let mut env = make(&EnvironmentSettings { reward_scale, ..named("pendulum") }).unwrap();
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
        let read = |json| serde_json::from_str::<EnvironmentSettings>(json);
        assert_eq!(read(r#"{"name": "pendulum"}"#).unwrap(), named("pendulum"));
        let error = read(r#"{"name": "pendulum", "torque": 3}"#).unwrap_err().to_string();
        assert!(error.contains("unknown field `torque`"), "{error}");
        let one = EnvironmentSettings { torques: Some(1), ..named("pendulum") };
        assert_eq!(refusal(&one), "torques = 1: a pendulum needs at least 2, one to each side");
    }
}
