//! What every file of the repository keeps to, beyond what rustfmt and clippy see.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace")
}

/// The files of the checkout, without git's own and what `.gitignore` names in the root.
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

/// Whether `line` names a path that exists on one machine only: a home, or a folder of someone's own in the root.
fn names_a_machine(line: &str) -> bool {
    ["home", "root", "work", "Users"].iter().any(|folder| {
        line.match_indices(&format!("/{folder}/")).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "._-~*/})".contains(c))
        })
    })
}

#[test]
fn every_source_file_says_what_it_is() {
    let mut silent = files();
    silent.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    assert!(!silent.is_empty());
    silent.retain(|file| !fs::read_to_string(file).unwrap().starts_with("//!"));
    assert!(silent.is_empty(), "these open without `//!`: {silent:#?}");
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let mut found = Vec::new();
    for file in files() {
        let Ok(text) = fs::read_to_string(&file) else { continue }; // a picture, say
        let lines = text.lines().enumerate().filter(|(_, line)| names_a_machine(line));
        found.extend(lines.map(|(number, line)| format!("{}:{}: {line}", file.display(), number + 1)));
    }
    assert!(found.is_empty(), "these lines name a path of one machine: {found:#?}");
}

#[test]
fn paths_of_one_machine_are_told_from_others() {
    for folder in ["home", "root", "work", "Users"] {
        assert!(names_a_machine(&format!("see /{folder}/me/file")));
        assert!(names_a_machine(&format!("\"/{folder}/me\"")));
        assert!(!names_a_machine(&format!("https://example.org/{folder}/me")));
    }
}
