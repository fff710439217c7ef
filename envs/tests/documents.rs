//! The tables of environments and settings in the documents agree with the specifications.

#![cfg(feature = "gym")]

use std::error::Error;
use std::fs;
use std::path::Path;

use alrao_envs::{ActionSpace, EnvSpec, Registry};
use toml::Value;

fn document(name: &str) -> Result<String, Box<dyn Error>> {
    Ok(fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name))?)
}

/// Returns an environment's row in the table of environments.
fn row(spec: &EnvSpec) -> String {
    let EnvSpec { name, description, obs_dim, actions, time_limit, fps, entry_point, .. } = spec;
    let actions = match actions {
        ActionSpace::Discrete(count) => count.to_string(),
        ActionSpace::Continuous { low, high, dim } => format!("{dim} × [{low}, {high}]"),
    };
    let settings: Vec<_> = entry_point.defaults().keys().map(|name| format!("`{name}`")).collect();
    let time_limit = time_limit.map_or(String::new(), |steps| steps.to_string());
    let cells = [
        &format!("`{name}`"),
        description,
        &obs_dim.to_string(),
        &actions,
        &settings.join(", "),
        &time_limit,
        &fps.to_string(),
    ];
    cells.iter().map(|cell| if cell.is_empty() { "| ".into() } else { format!("| {cell} ") }).collect::<String>() + "|"
}

#[test]
fn the_table_of_environments_agrees_with_their_specifications() -> Result<(), Box<dyn Error>> {
    let expected: Vec<_> = Registry::builtin().specs().map(row).collect();
    let text = document("environments.md")?;
    let table: Vec<_> = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1).collect();
    assert_eq!(table[..expected.len()].join("\n"), expected.join("\n"));
    Ok(())
}

#[test]
fn every_setting_of_an_environment_is_documented_with_its_default() -> Result<(), Box<dyn Error>> {
    let (registry, text) = (Registry::builtin(), document("configuration.md")?);
    let discrete = registry.specs().filter(|spec| matches!(spec.actions, ActionSpace::Discrete(_)));
    let names: Vec<_> = discrete.map(|spec| format!("`{}`", spec.name)).collect();
    let mut expected = vec![format!("| `environment.name` | | {} |", names.join(", "))];
    for (setting, value) in registry.specs().flat_map(|spec| spec.entry_point.defaults()) {
        let default = match value {
            Value::Float(number) => number.to_string(),
            value => value.to_string(),
        };
        expected.push(format!("| `environment.{setting}` | {default} |"));
    }
    for start in expected {
        assert!(text.lines().any(|line| line.starts_with(&start)), "no line starts with {start}");
    }
    Ok(())
}

#[cfg(feature = "gymnasium")]
#[test]
fn every_setting_of_gymnasiums_environments_is_documented_with_its_default() -> Result<(), Box<dyn Error>> {
    let text = document("gymnasium.md")?;
    for (setting, value) in Registry::builtin().spec("gymnasium:CartPole-v1")?.entry_point.defaults() {
        let start = format!("| `environment.{setting}` | {} |", value.to_string().trim_end_matches(".0"));
        assert!(text.lines().any(|line| line.starts_with(&start)), "no line starts with {start}");
    }
    Ok(())
}
