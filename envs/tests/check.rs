//! The environments that come with the crate keep the promises that users' own are held to.

#![cfg(feature = "gym")]

use std::error::Error;

use alrao_envs::{EnvironmentSettings, check, make, names};

#[test]
fn every_environment_passes() -> Result<(), Box<dyn Error>> {
    for name in names() {
        let settings: EnvironmentSettings = serde_json::from_value(serde_json::json!({ "name": name }))?;
        let report = check(|| make(&settings), 3)?;
        assert_eq!(report.warnings, [], "{name}");
        assert_eq!(report.action_len > 0, name.ends_with("-continuous"), "{name}");
    }
    Ok(())
}
