//! `docs/configuration.md` lists exactly the fields of configurations, with their defaults.

use std::collections::{BTreeMap, BTreeSet};

use alrao::Catalog;
use alrao::config::Config;
use toml::{Table, Value};

const DOCUMENT: &str = include_str!("../docs/configuration.md");

/// A configuration of each kind, with its required settings.
const KINDS: [(&str, &[&str]); 8] = [
    ("pendulum", &[]),
    ("lunar-lander", &[]),
    ("minatar-breakout", &[]),
    ("pendulum", &["optimizer.kind=sgd", "optimizer.lr=0.1"]),
    ("pendulum", &["optimizer.kind=adam"]),
    ("ptb-char", &["data.folder=."]),
    ("cifar10-mobilenet", &["data.folder=."]),
    ("imagenet-alexnet", &["data.folder=."]),
];

/// Returns the rows of the document's tables: name, default, range.
fn documented() -> BTreeMap<String, [String; 2]> {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_string()).collect();
        let [_, name, default, range, _, _] = &cells[..] else { panic!("not four cells: {line}") };
        (name.trim_matches('`').to_string(), [default.clone(), range.clone()])
    };
    let all: Vec<_> = rows.map(row).collect();
    let by_name: BTreeMap<_, _> = all.iter().cloned().collect();
    assert_eq!(by_name.len(), all.len(), "a field has two rows");
    by_name
}

fn resolved(config: Config) -> anyhow::Result<Config> {
    config.resolve(&Catalog::builtin())
}

fn config(kind: &(&str, &[&str]), set: Option<&str>) -> anyhow::Result<Config> {
    let sets: Vec<String> = kind.1.iter().copied().chain(set).map(Into::into).collect();
    Config::read(kind.0, &sets, &Catalog::builtin())
}

/// Returns the fields and sections of a section, from the error about an unknown field.
fn members(kind: &(&str, &[&str]), section: &str) -> Vec<String> {
    let error = match config(kind, Some(&format!("{section}unknown=1"))).and_then(resolved) {
        Ok(_) => panic!("{section} accepts any field"),
        Err(error) => format!("{error:#}"),
    };
    let known = error.split_once("expected").or_else(|| error.split_once("it has")).map(|(_, known)| known);
    let known = known.unwrap_or_else(|| panic!("{section}: the error lists no fields: {error}"));
    known.split('`').skip(1).step_by(2).map(Into::into).collect()
}

/// Returns every field of a configuration of this kind, with its sections.
fn fields(kind: &(&str, &[&str])) -> BTreeSet<String> {
    const WITHIN_AGENT: [&str; 3] = ["network", "exploration", "prioritized_replay"];
    let mut found = BTreeSet::new();
    let mut sections = vec![String::new()];
    let table = as_table(kind);
    for known in ["data.kind", "environment.name"] {
        found.extend(lookup(&table, known).map(|_| known.to_string())); // not listed in errors about other fields
    }
    while let Some(section) = sections.pop() {
        for name in members(kind, &section) {
            let path = format!("{section}{name}");
            let is_section = section.is_empty() && table.get(&name).is_some_and(Value::is_table)
                || section == "agent." && WITHIN_AGENT.contains(&name.as_str());
            match is_section {
                true => sections.push(format!("{path}.")),
                false => drop(found.insert(path)),
            }
        }
    }
    found
}

fn as_table(kind: &(&str, &[&str])) -> Table {
    let config = config(kind, None).and_then(resolved).unwrap();
    toml::from_str(&toml::to_string(&config).unwrap()).unwrap()
}

fn lookup<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match rest {
        None => table.get(first),
        Some(rest) => lookup(table.get(first)?.as_table()?, rest),
    }
}

/// Returns whether users set this field: not `versions`, and not a whole section.
fn is_user_field(path: &str) -> bool {
    let sections = ["versions", "environment", "schedule", "agent", "data", "model", "training"];
    !sections.contains(&path) && !path.starts_with("versions.")
}

#[test]
fn exactly_the_existing_fields_are_documented() {
    let documented: BTreeSet<String> = documented().into_keys().collect();
    let existing: BTreeSet<String> = KINDS.iter().flat_map(fields).filter(|path| is_user_field(path)).collect();
    let missing: Vec<_> = existing.difference(&documented).collect();
    let gone: Vec<_> = documented.difference(&existing).collect();
    assert!(missing.is_empty() && gone.is_empty(), "undocumented: {missing:?}; documented, but missing: {gone:?}");
}

#[test]
fn documented_defaults_are_the_actual_defaults() {
    let mut compared = 0;
    for kind in &KINDS {
        let resolved = as_table(kind);
        let given = toml::from_str::<Table>(&toml::to_string(&config(kind, None).unwrap()).unwrap()).unwrap();
        for (path, [default, _]) in documented() {
            let Ok(default) = toml::from_str::<Table>(&format!("x = {}", default.trim_matches('`'))) else { continue };
            let was_given = lookup(&given, &path).is_some() && path.starts_with("optimizer");
            if let Some(taken) = lookup(&resolved, &path).filter(|_| !was_given) {
                let same = match (taken, &default["x"]) {
                    (Value::Float(taken), Value::Integer(default)) => *taken == *default as f64,
                    (taken, default) => taken == default,
                };
                assert!(same, "{path}: the default of {kind:?} is {taken}, but {} is documented", default["x"]);
                compared += 1;
            }
        }
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn every_number_has_a_documented_range() {
    let tables: Vec<Table> = KINDS.iter().map(as_table).collect();
    for (path, [_, range]) in documented() {
        let is_number = |value: &Value| value.is_integer() || value.is_float();
        let number = tables.iter().any(|table| lookup(table, &path).is_some_and(is_number));
        let counts_from_nothing =
            ["seed", "agent.learning_starts", "training.prune_heads_after", "training.test_every"];
        assert!(!number || !range.is_empty() || counts_from_nothing.contains(&path.as_str()), "{path} has no range");
    }
}
