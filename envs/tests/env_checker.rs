//! All built-in environments pass [`check_env`](alrao_envs::check_env).

#![cfg(feature = "gym")]

use std::error::Error;

use alrao_envs::{ActionSpace, EnvSpaces, EnvSpec, EnvironmentSettings, Registry, check_env};

#[test]
fn built_in_environments_pass_the_check() -> Result<(), Box<dyn Error>> {
    let registry = Registry::builtin();
    for EnvSpec { name, obs_dim, actions, .. } in registry.specs() {
        let report = check_env(|| registry.make(&EnvironmentSettings::new(name)), 3)?;
        assert_eq!(report.warnings, [], "{name}");
        let (num_actions, action_dim) = match *actions {
            ActionSpace::Discrete(count) => (count, 0),
            ActionSpace::Continuous { dim, .. } => (0, dim),
        };
        let (obs_dim, observations) = (*obs_dim, report.spaces.observations);
        assert_eq!(observations.len(), obs_dim, "{name}");
        let declared = EnvSpaces { obs_dim, observations, num_actions, action_dim };
        assert_eq!(report.spaces, declared, "{name}");
    }
    Ok(())
}
