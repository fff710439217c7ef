//! A crate, or a checkout of alrao, that is built with alrao's libraries. Its folder `.deps` has a link to each library.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The name of the folder of links.
const DEPS: &str = ".deps";
/// The file in which cargo finds the environment variables of build scripts.
pub const CARGO_CONFIG: &str = ".cargo/config.toml";

/// A crate or a checkout whose `.cargo/config.toml` points to its `.deps`.
pub struct Project {
    /// The folder that holds `.cargo` and `.deps`.
    pub root: PathBuf,
}

impl Project {
    /// Returns the project that `folder` belongs to: the nearest prepared folder among `folder` and its parents.
    pub fn around(folder: &Path) -> Option<Self> {
        let prepared =
            |dir: &&Path| fs::read_to_string(dir.join(CARGO_CONFIG)).is_ok_and(|text| text.contains("ALRAO_DEPS"));
        Some(Project { root: folder.ancestors().find(prepared)?.to_path_buf() })
    }

    /// Returns the path of the link `name` in `.deps`.
    pub fn link(&self, name: &str) -> PathBuf {
        self.root.join(DEPS).join(name)
    }

    /// Returns the value of `variable` if the user set it. Cargo sets it to a link of this project, or of the project
    /// from which this program was started.
    pub fn given(&self, variable: &str) -> Option<OsString> {
        chosen_by_user(env::var_os(variable))
    }

    /// Creates or replaces the link `.deps/<name>` to `target`, and makes cargo run the build scripts again.
    pub fn set_link(&self, name: &str, target: &Path) -> Result<()> {
        let link = self.link(name);
        let deps = self.root.join(DEPS);
        (|| {
            fs::create_dir_all(&deps)?;
            let fresh = tempfile::tempdir_in(&deps)?;
            symlink(target, fresh.path().join(name))?;
            fs::rename(fresh.path().join(name), &link)?;
            self.list_links()
        })()
        .with_context(|| format!("can't link {} to {}", link.display(), target.display()))
    }

    /// Creates `.deps/links` if no link was needed.
    pub fn ensure_listed(&self) -> Result<()> {
        if !self.link("links").exists() {
            let deps = self.root.join(DEPS);
            fs::create_dir_all(&deps)
                .and_then(|()| self.list_links())
                .with_context(|| format!("can't write to {}", deps.display()))?;
        }
        Ok(())
    }

    /// Writes `.deps/links`, a list of the links. Cargo runs the build scripts again when this file changes.
    fn list_links(&self) -> std::io::Result<()> {
        let deps = self.root.join(DEPS);
        let mut lines = Vec::new();
        for entry in fs::read_dir(&deps)? {
            let entry = entry?;
            if let Ok(target) = fs::read_link(entry.path()) {
                lines.push(format!("{} -> {}\n", entry.file_name().display(), target.display()));
            }
        }
        lines.sort();
        fs::write(deps.join("links"), lines.concat())
    }
}

fn chosen_by_user(value: Option<OsString>) -> Option<OsString> {
    value.filter(|value| Path::new(value).parent().and_then(Path::file_name) != Some(DEPS.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_sets_is_not_taken_for_the_users_choice() {
        assert_eq!(chosen_by_user(Some("/checkout/.deps/libtorch".into())), None);
        assert_eq!(chosen_by_user(Some("/opt/libtorch".into())), Some("/opt/libtorch".into()));
        assert_eq!(chosen_by_user(Some("".into())), Some("".into()));
        assert_eq!(chosen_by_user(None), None);
    }

    #[test]
    fn the_nearest_prepared_folder_is_the_project() {
        let root = tempfile::tempdir().unwrap();
        let inside = root.path().join("crate/src");
        fs::create_dir_all(inside.join(".cargo")).unwrap();
        fs::write(inside.join(CARGO_CONFIG), "[build]\n").unwrap();
        assert!(Project::around(&inside).is_none_or(|project| !inside.starts_with(project.root)));
        fs::create_dir_all(root.path().join("crate/.cargo")).unwrap();
        fs::write(root.path().join("crate").join(CARGO_CONFIG), "[env]\nALRAO_DEPS = 1\n").unwrap();
        assert_eq!(Project::around(&inside).unwrap().root, root.path().join("crate"));
    }

    #[test]
    fn a_link_is_replaced_and_listed() {
        let root = tempfile::tempdir().unwrap();
        let project = Project { root: root.path().to_path_buf() };
        for target in ["/first", "/second"] {
            project.set_link("cmake", Path::new(target)).unwrap();
            assert_eq!(fs::read_link(project.link("cmake")).unwrap(), Path::new(target));
        }
        assert_eq!(fs::read_to_string(project.link("links")).unwrap(), "cmake -> /second\n");
        assert_eq!(fs::read_dir(root.path().join(DEPS)).unwrap().count(), 2);
    }

    #[test]
    fn the_list_is_there_without_any_link() {
        let root = tempfile::tempdir().unwrap();
        let project = Project { root: root.path().to_path_buf() };
        project.ensure_listed().unwrap();
        assert_eq!(fs::read_to_string(project.link("links")).unwrap(), "");
    }
}
