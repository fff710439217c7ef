//! Where a crate gets alrao from: a checkout, a Git repository or the registry.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use toml_edit::{InlineTable, Value};

use crate::failure::usage_error;

/// A source of alrao's crates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A checkout.
    Path(PathBuf),
    /// A Git repository, at a commit if there is one.
    Git {
        /// The repository's URL.
        url: String,
        /// The commit.
        rev: Option<String>,
    },
    /// This version in cargo's registry.
    Registry(String),
}

/// Arguments that choose a source.
#[derive(Args, Clone, Debug, Default)]
pub struct SourceArgs {
    /// Depend on this checkout of alrao [default: the source that this program was built from].
    #[arg(long, value_name = "DIR", conflicts_with = "git")]
    pub path: Option<PathBuf>,
    /// Depend on this Git repository.
    #[arg(long, value_name = "URL")]
    pub git: Option<String>,
    /// Commit of the repository.
    #[arg(long, value_name = "COMMIT", requires = "git")]
    pub rev: Option<String>,
}

impl SourceArgs {
    /// Returns the chosen source, or the one that this program was built from.
    ///
    /// # Errors
    /// The folder is no checkout of alrao, or the program's own source isn't there anymore.
    pub fn source(self) -> Result<Source> {
        match self {
            Self { path: Some(path), .. } => {
                let path = path.canonicalize().with_context(|| format!("--path {}", path.display()))?;
                if is_checkout(&path) {
                    Ok(Source::Path(path))
                } else {
                    Err(usage_error(format!(
                        "--path {}: not a checkout of alrao (no build/Cargo.toml)",
                        path.display()
                    )))
                }
            }
            Self { git: Some(url), rev, .. } => Ok(Source::Git { url, rev }),
            Self { .. } => own(),
        }
    }
}

impl Source {
    /// Returns the value of a dependency on the crate `name`, which lies in `folder` of the repository.
    pub(crate) fn dependency(&self, folder: &str) -> Value {
        let mut table = InlineTable::new();
        match self {
            Self::Path(root) => {
                table.insert("path", root.join(folder).to_string_lossy().trim_end_matches('/').into());
            }
            Self::Git { url, rev } => {
                table.insert("git", url.as_str().into());
                if let Some(rev) = rev {
                    table.insert("rev", rev.as_str().into());
                }
            }
            Self::Registry(version) => return version.as_str().into(),
        }
        Value::InlineTable(table)
    }
}

/// Returns the source that this program was built from: what `cargo install` wrote down, or the checkout.
fn own() -> Result<Source> {
    if let Some(source) = env::current_exe().ok().and_then(|program| installed(&program)) {
        return Ok(source);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("setup lies in the workspace");
    if is_checkout(root) {
        return Ok(Source::Path(root.to_path_buf()));
    }
    Err(usage_error(format!(
        "this program was built from {}, which no longer exists: name a source of alrao with --path or --git",
        root.display()
    )))
}

/// Reads in `.crates.toml`, beside the folder of installed programs, what `program` was installed from.
fn installed(program: &Path) -> Option<Source> {
    let list = fs::read_to_string(program.parent()?.parent()?.join(".crates.toml")).ok()?;
    let list: toml_edit::DocumentMut = list.parse().ok()?;
    let name = program.file_name()?.to_str()?;
    let (key, _) = list.get("v1")?.as_table()?.iter().find(|(key, _)| key.split(' ').next() == Some(name))?;
    parse(key)
}

/// Parses `NAME VERSION (KIND+URL)`.
fn parse(key: &str) -> Option<Source> {
    let (package, place) = key.strip_suffix(')')?.split_once(" (")?;
    let (kind, url) = place.split_once('+')?;
    match kind {
        "git" => {
            let (url, rev) = url.split_once('#').map_or((url, None), |(url, rev)| (url, Some(rev.to_owned())));
            Some(Source::Git { url: url.split('?').next()?.to_owned(), rev })
        }
        "path" => {
            let root = Path::new(url.strip_prefix("file://")?.split('#').next()?);
            [root, root.parent()?].into_iter().find(|root| is_checkout(root)).map(|root| Source::Path(root.into()))
        }
        _ => Some(Source::Registry(package.split(' ').nth(1)?.to_owned())),
    }
}

fn is_checkout(root: &Path) -> bool {
    root.join("build/Cargo.toml").is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_of_installed_programs_are_read() {
        let git = |url: &str, rev: Option<&str>| Some(Source::Git { url: url.into(), rev: rev.map(Into::into) });
        assert_eq!(
            parse("alrao-setup 0.1.0 (git+https://example.org/alrao?branch=main#0a1b)"),
            git("https://example.org/alrao", Some("0a1b"))
        );
        assert_eq!(parse("alrao-setup 0.1.0 (git+file:///srv/alrao.git)"), git("file:///srv/alrao.git", None));
        assert_eq!(parse("alrao 0.3.0 (registry+https://example.org/index)"), Some(Source::Registry("0.3.0".into())));
        let setup = env!("CARGO_MANIFEST_DIR");
        let root = Path::new(setup).parent().unwrap().to_path_buf();
        assert_eq!(parse(&format!("alrao-setup 0.1.0 (path+file://{setup})")), Some(Source::Path(root)));
        assert_eq!(parse("alrao-setup 0.1.0"), None);
    }

    #[test]
    fn an_installed_program_finds_its_own_line() {
        let root = tempfile::tempdir().unwrap();
        let lines = "[v1]\n\"other 1.0.0 (git+https://example.org/other)\" = [\"other\"]\n\
                     \"alrao-setup 0.1.0 (git+https://example.org/alrao#7f)\" = [\"alrao-setup\"]\n";
        fs::write(root.path().join(".crates.toml"), lines).unwrap();
        let source = installed(&root.path().join("bin/alrao-setup"));
        assert_eq!(source, Some(Source::Git { url: "https://example.org/alrao".into(), rev: Some("7f".into()) }));
        assert_eq!(installed(&root.path().join("bin/alrao")), None);
    }

    #[test]
    fn a_folder_that_is_no_checkout_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let args = SourceArgs { path: Some(folder.path().into()), ..SourceArgs::default() };
        assert!(args.source().unwrap_err().to_string().contains("not a checkout of alrao"));
    }
}
