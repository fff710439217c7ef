//! This checkout: its root, and the links in `.deps` through which cargo finds what set-up provides.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A checkout of the project.
pub struct Checkout {
    /// The folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
}

impl Checkout {
    /// The checkout that this program was built from.
    pub fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
        Checkout { root: root.to_path_buf() }
    }

    /// The path of the link `name` in `.deps`.
    pub fn link(&self, name: &str) -> PathBuf {
        self.root.join(".deps").join(name)
    }

    /// The value of `variable`, if it was the user who set it: `.cargo/config.toml` sets it to the link `name`.
    pub fn given(&self, variable: &str, name: &str) -> Option<OsString> {
        chosen_by_user(env::var_os(variable), self.link(name).as_os_str())
    }

    /// Makes `.deps/<name>` lead to `target`, whatever it was before, and tells the build scripts.
    pub fn set_link(&self, name: &str, target: &Path) -> Result<()> {
        let link = self.link(name);
        let deps = self.root.join(".deps");
        (|| {
            fs::create_dir_all(&deps)?;
            let fresh = tempfile::tempdir_in(&deps)?;
            symlink(target, fresh.path().join(name))?;
            fs::rename(fresh.path().join(name), &link)?;
            self.list_links()
        })()
        .with_context(|| format!("can't link {} to {}", link.display(), target.display()))
    }

    /// Sees to it that `.deps/links` is there even if all that the build needs was there before.
    pub fn ensure_listed(&self) -> Result<()> {
        if !self.link("links").exists() {
            let deps = self.root.join(".deps");
            fs::create_dir_all(&deps)
                .and_then(|()| self.list_links())
                .with_context(|| format!("can't write to {}", deps.display()))?;
        }
        Ok(())
    }

    /// Writes `.deps/links`, the one file whose change makes the build scripts look again.
    fn list_links(&self) -> std::io::Result<()> {
        let deps = self.root.join(".deps");
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

fn chosen_by_user(value: Option<OsString>, ours: &OsStr) -> Option<OsString> {
    value.filter(|value| value != ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_sets_is_not_taken_for_the_users_choice() {
        let ours = OsStr::new("/checkout/.deps/libtorch");
        assert_eq!(chosen_by_user(Some(ours.into()), ours), None);
        assert_eq!(chosen_by_user(Some("/opt/libtorch".into()), ours), Some("/opt/libtorch".into()));
        assert_eq!(chosen_by_user(Some("".into()), ours), Some("".into()));
        assert_eq!(chosen_by_user(None, ours), None);
    }

    #[test]
    fn a_link_is_replaced_and_listed() {
        let root = tempfile::tempdir().unwrap();
        let checkout = Checkout { root: root.path().to_path_buf() };
        for target in ["/first", "/second"] {
            checkout.set_link("cmake", Path::new(target)).unwrap();
            assert_eq!(fs::read_link(checkout.link("cmake")).unwrap(), Path::new(target));
        }
        assert_eq!(fs::read_to_string(checkout.link("links")).unwrap(), "cmake -> /second\n");
        assert_eq!(fs::read_dir(root.path().join(".deps")).unwrap().count(), 2);
    }

    #[test]
    fn the_list_is_there_without_any_link() {
        let root = tempfile::tempdir().unwrap();
        let checkout = Checkout { root: root.path().to_path_buf() };
        checkout.ensure_listed().unwrap();
        assert_eq!(fs::read_to_string(checkout.link("links")).unwrap(), "");
    }
}
