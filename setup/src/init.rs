//! An existing crate prepared for alrao: [`init`].

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

use crate::failure::usage_error;
use crate::output::note;
use crate::project::{CARGO_CONFIG, Project};
use crate::source::Source;

/// What every build script of the crate and its dependencies is told. Paths are relative to the crate.
const PATHS: [(&str, &str); 3] = [("ALRAO_DEPS", ".deps"), ("LIBTORCH", ".deps/libtorch"), ("CMAKE", ".deps/cmake")];
/// Environment variables for the builds of the allocator and of SDL2, as in alrao's own `.cargo/config.toml`: the allocator
/// keeps freed memory instead of returning it to the system, and cmake 4 accepts the old build files of gym-rs's SDL2.
const SETTINGS: [(&str, &str); 2] = [
    ("JEMALLOC_SYS_WITH_MALLOC_CONF", "dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0"),
    ("CMAKE_POLICY_VERSION_MINIMUM", "3.5"),
];

const BUILD_SCRIPT: &str = "fn main() {\n    alrao_build::link();\n}\n";
const IGNORED: [&str; 3] = ["/target", "/.deps", "/runs"];

/// Prepares the crate in `dir`, says on standard error what it changed, and sets it up with `provide`.
///
/// # Errors
/// The folder holds no crate, a file of it can't be read or written, it has a build script that doesn't link alrao, or
/// `provide` fails. Nothing is changed if a file can't be prepared.
pub fn init(dir: &Path, source: &Source, provide: impl FnOnce(&Project) -> Result<()>) -> Result<()> {
    let dir = dir.canonicalize().with_context(|| dir.display().to_string())?;
    if !dir.join("Cargo.toml").is_file() {
        return Err(usage_error(format!(
            "{} is no crate (no Cargo.toml): write a new one with `alrao-setup new DIR`",
            dir.display()
        )));
    }
    let changes = prepare(&dir, source)?;
    for change in &changes {
        note!("{change}");
    }
    if changes.is_empty() {
        note!("{} is prepared already", dir.display());
    }
    provide(&Project { root: dir })
}

/// Changes what a crate needs to be built with alrao; returns a line for each change.
pub fn prepare(dir: &Path, source: &Source) -> Result<Vec<String>> {
    let files = [
        ("Cargo.toml", manifest(&read(dir, "Cargo.toml")?, source)?),
        (CARGO_CONFIG, cargo_config(&read(dir, CARGO_CONFIG)?)?),
        ("build.rs", build_script(&read(dir, "build.rs")?)?),
        (".gitignore", gitignore(&read(dir, ".gitignore")?)),
    ];
    let mut changes = Vec::new();
    for (path, Changed { text, added }) in files {
        if added.is_empty() {
            continue;
        }
        let file = dir.join(path);
        let folder = file.parent().expect("in the folder");
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(folder)?;
            let mut fresh = tempfile::NamedTempFile::new_in(folder)?;
            std::io::Write::write_all(&mut fresh, text.as_bytes())?;
            fs::set_permissions(fresh.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
            fresh.persist(&file)?;
            Ok(())
        };
        write().with_context(|| format!("can't write {}", file.display()))?;
        changes.extend(added.into_iter().map(|added| format!("{path}: {added}")));
    }
    Ok(changes)
}

/// A file's new text, and what was added to it.
struct Changed {
    text: String,
    added: Vec<String>,
}

/// Adds the dependencies, and optimizes dependencies in debug builds, which could hardly train otherwise.
fn manifest(text: &str, source: &Source) -> Result<Changed> {
    let mut manifest: DocumentMut = text.parse().context("Cargo.toml")?;
    let mut added = Vec::new();
    for (section, name, folder) in [("dependencies", "alrao", ""), ("build-dependencies", "alrao-build", "build")] {
        let section_item = manifest.entry(section).or_insert(Item::Table(Table::new()));
        let table = section_item.as_table_like_mut().ok_or_else(|| anyhow!("Cargo.toml: `{section}` is no table"))?;
        if !table.contains_key(name) {
            let dependency = source.dependency(folder);
            added.push(format!("{name} ={} in [{section}]", dependency.clone().decorated(" ", "")));
            table.insert(name, dependency.into());
        }
    }
    if !manifest.contains_key("profile") {
        let mut optimized = Table::new();
        optimized.insert("opt-level", 2.into());
        optimized.insert("debug", false.into());
        let tables = ["*", "package", "dev", "profile"];
        let nested = tables.iter().fold(Item::Table(optimized), |inner, name| {
            let mut outer = Table::new();
            outer.set_implicit(true);
            outer.insert(name, inner);
            Item::Table(outer)
        });
        let (_, profile) = nested.into_table().expect("a table").into_iter().next().expect("profile");
        manifest.insert("profile", profile);
        added.push("[profile.dev.package.\"*\"], so that debug builds train at speed".into());
    }
    Ok(Changed { text: manifest.to_string(), added })
}

/// Tells build scripts where the libraries are, leaving what the crate has set already.
fn cargo_config(text: &str) -> Result<Changed> {
    let mut config: DocumentMut = text.parse().context(CARGO_CONFIG)?;
    let mut added = Vec::new();
    let env = config.entry("env").or_insert(Item::Table(Table::new()));
    let env = env.as_table_like_mut().ok_or_else(|| anyhow!("{CARGO_CONFIG}: `env` is no table"))?;
    let relative = |path: &str| {
        let mut table = InlineTable::new();
        table.insert("value", path.into());
        table.insert("relative", true.into());
        Value::InlineTable(table)
    };
    let paths = PATHS.map(|(name, path)| (name, relative(path)));
    for (name, value) in paths.into_iter().chain(SETTINGS.map(|(name, value)| (name, value.into()))) {
        if !env.contains_key(name) {
            env.insert(name, value.into());
            added.push(format!("{name} in [env]"));
        }
    }
    Ok(Changed { text: config.to_string(), added })
}

/// Writes a build script; one that exists must link alrao itself, as its text can't be changed safely.
fn build_script(text: &str) -> Result<Changed> {
    if text.contains("alrao_build::link") {
        return Ok(Changed { text: text.into(), added: Vec::new() });
    }
    if !text.is_empty() {
        return Err(usage_error(
            "build.rs exists and doesn't link alrao: add the line `alrao_build::link();` to its `main`, then run this again",
        ));
    }
    Ok(Changed { text: BUILD_SCRIPT.into(), added: vec!["a build script that links libtorch and SDL2".into()] })
}

fn gitignore(text: &str) -> Changed {
    let missing: Vec<_> = IGNORED.into_iter().filter(|line| !text.lines().any(|known| known == *line)).collect();
    let separator = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let lines: String = missing.iter().map(|line| format!("{line}\n")).collect();
    Changed { text: format!("{text}{separator}{lines}"), added: missing.into_iter().map(Into::into).collect() }
}

/// Returns a file's text, empty if there is no file.
fn read(dir: &Path, path: &str) -> Result<String> {
    match fs::read_to_string(dir.join(path)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        read => read.with_context(|| dir.join(path).display().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a_crate(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), text).unwrap();
        }
        dir
    }

    fn git() -> Source {
        Source::Git { url: "https://example.org/alrao".into(), rev: None }
    }

    #[test]
    fn what_a_crate_has_is_kept_and_a_second_time_changes_nothing() {
        let manifest = "# mine\n[package]\nname = \"mine\"\n\n[dependencies]\nserde = \"1\" # reading\n";
        let dir = a_crate(&[
            ("Cargo.toml", manifest),
            (CARGO_CONFIG, "[env]\nCMAKE = \"/my/cmake\"\n"),
            (".gitignore", "/data"),
        ]);
        let changes = prepare(dir.path(), &git()).unwrap();
        assert!(
            changes[0].starts_with("Cargo.toml: alrao = { git = \"https://example.org/alrao\" } in [dep"),
            "{changes:?}"
        );
        let text = |path: &str| fs::read_to_string(dir.path().join(path)).unwrap();
        assert!(text("Cargo.toml").starts_with(manifest), "{}", text("Cargo.toml"));
        assert!(text("Cargo.toml").contains("[profile.dev.package.\"*\"]\nopt-level = 2\n"), "{}", text("Cargo.toml"));
        assert!(
            text(CARGO_CONFIG).starts_with("[env]\nCMAKE = \"/my/cmake\"\nALRAO_DEPS = "),
            "{}",
            text(CARGO_CONFIG)
        );
        assert_eq!(text(".gitignore"), "/data\n/target\n/.deps\n/runs\n");
        assert!(prepare(dir.path(), &git()).unwrap().is_empty());
    }

    #[test]
    fn a_build_script_that_does_not_link_is_refused_before_anything_changes() {
        let manifest = "[package]\nname = \"mine\"\n";
        let dir = a_crate(&[("Cargo.toml", manifest), ("build.rs", "fn main() {}\n")]);
        let told = prepare(dir.path(), &git()).unwrap_err().to_string();
        assert!(told.contains("add the line `alrao_build::link();`"), "{told}");
        assert_eq!(fs::read_to_string(dir.path().join("Cargo.toml")).unwrap(), manifest);
        assert!(!dir.path().join(".cargo").exists());
    }

    #[test]
    fn a_folder_without_a_crate_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let told = init(dir.path(), &git(), |_| Ok(())).unwrap_err().to_string();
        assert!(told.contains("is no crate (no Cargo.toml)"), "{told}");
    }

    #[test]
    fn crates_are_told_what_this_checkout_is_told() {
        let ours = concat!(env!("CARGO_MANIFEST_DIR"), "/../.cargo/config.toml");
        let ours: DocumentMut = fs::read_to_string(ours).unwrap().parse().unwrap();
        let theirs: DocumentMut = cargo_config("").unwrap().text.parse().unwrap();
        for (name, _) in PATHS.iter().chain(&SETTINGS) {
            let value =
                |config: &DocumentMut| config["env"][name].to_string().split('#').next().unwrap().trim().to_owned();
            assert_eq!(value(&ours), value(&theirs), "{name}");
        }
    }
}
