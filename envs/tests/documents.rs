//! What documents say of environments and their settings is what the rows say.

#![cfg(feature = "gym")]

use std::error::Error;
use std::fs;
use std::path::Path;

use alrao_envs::{ActionSpace, EnvSpec, Registry};
use toml::Value;

fn document(name: &str) -> Result<String, Box<dyn Error>> {
    Ok(fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name))?)
}

/// The line of an environment in the table of environments.
fn line(row: &EnvSpec) -> String {
    let EnvSpec { name, about, observation_len, actions, time_limit, fps, entry_point, .. } = row;
    let actions = match actions {
        ActionSpace::Discrete(count) => count.to_string(),
        ActionSpace::Continuous { low, high, len } => format!("{len} × [{low}, {high}]"),
    };
    let settings: Vec<_> = entry_point.defaults().keys().map(|name| format!("`{name}`")).collect();
    let time_limit = time_limit.map_or(String::new(), |steps| steps.to_string());
    let cells = [
        &format!("`{name}`"),
        about,
        &observation_len.to_string(),
        &actions,
        &settings.join(", "),
        &time_limit,
        &fps.to_string(),
    ];
    cells.iter().map(|cell| if cell.is_empty() { "| ".into() } else { format!("| {cell} ") }).collect::<String>() + "|"
}

#[test]
fn the_table_of_environments_is_their_rows() -> Result<(), Box<dyn Error>> {
    let expected: Vec<_> = Registry::builtin().rows().map(line).collect();
    let text = document("environments.md")?;
    let table: Vec<_> = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1).collect();
    assert_eq!(table[..expected.len()].join("\n"), expected.join("\n"));
    Ok(())
}

#[test]
fn the_table_of_configurations_has_every_setting_with_its_default() -> Result<(), Box<dyn Error>> {
    let (registry, text) = (Registry::builtin(), document("configuration.md")?);
    let numbered = registry.rows().filter(|row| matches!(row.actions, ActionSpace::Discrete(_)));
    let names: Vec<_> = numbered.map(|row| format!("`{}`", row.name)).collect();
    let mut expected = vec![format!("| `environment.name` | | {} |", names.join(", "))];
    for (setting, value) in registry.rows().flat_map(|row| row.entry_point.defaults()) {
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
