//! A new crate with an environment of its own: [`new_crate`].

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::failure::usage_error;
use crate::init::prepare;
use crate::output::{note, say};
use crate::project::Project;
use crate::shell;
use crate::source::Source;

/// The files that a new crate has besides those that [`prepare`] writes, by path.
const FILES: [(&str, &str); 4] = [
    ("Cargo.toml", include_str!("../template/Cargo.toml.in")),
    ("README.md", include_str!("../template/README.md.in")),
    ("src/catch.rs", include_str!("../template/catch.rs.in")),
    ("src/main.rs", include_str!("../template/main.rs.in")),
];

/// Writes a crate to `dir`, named for the folder, and sets it up with `provide`.
///
/// # Errors
/// The folder has files in it, its name is no crate's, it can't be written, or `provide` fails; in the last case the crate
/// is complete, and `alrao-setup` in it tries again.
pub fn new_crate(dir: &Path, source: &Source, provide: impl FnOnce(&Project) -> Result<()>) -> Result<()> {
    let dir = std::path::absolute(dir).with_context(|| dir.display().to_string())?;
    let name = crate_name(&dir)?;
    if fs::read_dir(&dir).map_or(dir.exists(), |mut entries| entries.next().is_some()) {
        return Err(usage_error(format!(
            "{} isn't empty: name a new folder, or prepare a crate that exists with `alrao-setup init`",
            dir.display()
        )));
    }
    let parent = dir.parent().expect("it has a name");
    fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    let fresh = tempfile::Builder::new().prefix(".alrao-new-").tempdir_in(parent)?;
    for (path, text) in FILES {
        let file = fresh.path().join(path);
        fs::create_dir_all(file.parent().expect("in the folder"))?;
        fs::write(file, text.replace("{name}", name))?;
    }
    prepare(fresh.path(), source)?;
    // Replaces an empty folder, which a rename may do.
    let moved = fresh.keep();
    fs::set_permissions(&moved, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    fs::rename(&moved, &dir).with_context(|| format!("can't write {}", dir.display()))?;
    note!("{} is a crate with an environment, `catch`", dir.display());
    provide(&Project { root: dir.clone() })?;
    say!("train an agent:\n  cd {}\n  cargo run --release -- train catch", shell::word(&dir))
}

/// Names that mean something else to cargo or rustc.
const TAKEN: [&str; 14] =
    ["alloc", "as", "async", "build", "core", "crate", "deps", "dyn", "enum", "fn", "self", "serde", "std", "test"];

/// Returns the folder's name if a crate can have it.
fn crate_name(dir: &Path) -> Result<&str> {
    let name = dir.file_name().unwrap_or_default();
    let shown = name.display();
    let name = name.to_str().unwrap_or_default();
    let letters =
        name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-_".contains(letter));
    if !letters
        || !name.starts_with(|letter: char| letter.is_ascii_lowercase())
        || name.starts_with("alrao")
        || TAKEN.contains(&name)
    {
        return Err(usage_error(format!(
            "`{shown}` can't be a crate's name: use lowercase letters, digits, `-` and `_`, start with a letter, and use neither \
             a name that starts with `alrao` nor one of {}",
            TAKEN.join(", ")
        )));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source::Path("/src/alrao".into())
    }

    #[test]
    fn a_new_crate_is_written_and_set_up() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("my-agent");
        let mut provided = None;
        let provide = |project: &Project| {
            provided = Some(project.root.clone());
            Ok(())
        };
        new_crate(&dir, &source(), provide).unwrap();
        assert_eq!(provided.as_ref(), Some(&dir));
        let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        assert!(
            manifest.contains("name = \"my-agent\"") && manifest.contains("alrao = { path = \"/src/alrao\" }"),
            "{manifest}"
        );
        assert!(manifest.contains("alrao-build = { path = \"/src/alrao/build\" }"), "{manifest}");
        for file in ["build.rs", ".cargo/config.toml", ".gitignore", "src/main.rs", "src/catch.rs", "README.md"] {
            let text = fs::read_to_string(dir.join(file)).unwrap();
            assert!(!text.contains("{name}"), "{text}");
        }
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1, "no scratch folder is left");
    }

    #[test]
    fn a_folder_with_files_is_refused_and_an_empty_one_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("mine");
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("thesis.tex"), "").unwrap();
        let told = new_crate(&dir, &source(), |_| Ok(())).unwrap_err().to_string();
        assert!(told.contains("mine isn't empty"), "{told}");
        fs::remove_file(dir.join("thesis.tex")).unwrap();
        new_crate(&dir, &source(), |_| Ok(())).unwrap();
    }

    #[test]
    fn names_that_no_crate_can_have_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["7up", "My Agent", "alrao", "test", "fn", "serde", "größe"] {
            let told = new_crate(&parent.path().join(name), &source(), |_| Ok(())).unwrap_err().to_string();
            assert!(told.contains("can't be a crate's name"), "{told}");
        }
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
