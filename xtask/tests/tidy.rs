//! Rules for every file of the repository that rustfmt and clippy don't check.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// Returns the files of the checkout, without git's and those ignored by `.gitignore` in the root.
fn files() -> Vec<PathBuf> {
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    let skipped = |path: &Path| {
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap();
        name == ".git" || ignored.lines().any(|line| line.strip_prefix('/') == Some(name))
    };
    let mut files = Vec::new();
    let mut folders = vec![root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|entry| !skipped(&entry.path())) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files
}

/// Returns whether `line` contains a path that exists on one machine only, such as a home directory.
fn names_a_machine(line: &str) -> bool {
    ["home", "root", "work", "Users"].iter().any(|folder| {
        line.match_indices(&format!("/{folder}/")).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "._-~*/})".contains(c))
        })
    })
}

#[test]
fn every_source_file_has_module_documentation() {
    let mut undocumented = files();
    undocumented.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    assert!(!undocumented.is_empty());
    undocumented.retain(|file| !fs::read_to_string(file).unwrap().starts_with("//!"));
    assert!(undocumented.is_empty(), "these files don't start with `//!`: {undocumented:#?}");
}

#[test]
fn no_file_contains_a_path_of_one_machine() {
    let mut found = Vec::new();
    for file in files() {
        let Ok(text) = fs::read_to_string(&file) else { continue }; // binary
        let lines = text.lines().enumerate().filter(|(_, line)| names_a_machine(line));
        found.extend(lines.map(|(number, line)| format!("{}:{}: {line}", file.display(), number + 1)));
    }
    assert!(found.is_empty(), "these lines contain a path of one machine: {found:#?}");
}

#[test]
fn paths_of_one_machine_are_detected() {
    for folder in ["home", "root", "work", "Users"] {
        assert!(names_a_machine(&format!("see /{folder}/me/file")));
        assert!(names_a_machine(&format!("\"/{folder}/me\"")));
        assert!(!names_a_machine(&format!("https://example.org/{folder}/me")));
    }
}
