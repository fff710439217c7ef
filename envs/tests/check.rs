//! The environments that come with the crate keep the promises that users' own are held to.

#![cfg(feature = "gym")]

use std::error::Error;

use alrao_envs::{ActionSpace, EnvSpec, EnvironmentSettings, Registry, check};

#[test]
fn every_environment_passes() -> Result<(), Box<dyn Error>> {
    let registry = Registry::builtin();
    for EnvSpec { name, observation_len, actions, .. } in registry.rows() {
        let report = check(|| registry.make(&EnvironmentSettings::new(name)), 3)?;
        assert_eq!(report.warnings, [], "{name}");
        let (action_count, action_len) = match *actions {
            ActionSpace::Discrete(count) => (count, 0),
            ActionSpace::Continuous { len, .. } => (0, len),
        };
        let said = (*observation_len, action_count, action_len);
        assert_eq!((report.observation_len, report.action_count, report.action_len), said, "{name}");
    }
    Ok(())
}
