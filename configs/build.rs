//! The program's build script: writes lists of the configurations and sweeps in this folder, which the program contains
//! under the names of their files, and links the libraries of the program.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    alrao_build::link();
    println!("cargo::rerun-if-changed=configs");
    let [root, out] =
        ["CARGO_MANIFEST_DIR", "OUT_DIR"].map(|name| PathBuf::from(env::var_os(name).expect("cargo sets it")));
    for (folder, list) in [("configs", "configs.rs"), ("configs/sweeps", "sweeps.rs")] {
        fs::write(out.join(list), built_in(&root.join(folder))).expect("OUT_DIR can be written to");
    }
}

/// Returns Rust code for the names and texts of a folder's TOML files, in alphabetical order.
fn built_in(folder: &Path) -> String {
    let entries = folder.read_dir().unwrap_or_else(|error| panic!("can't read {}: {error}", folder.display()));
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort(); // read_dir's order is the disk's
    let item = |path: &PathBuf| format!("({:?}, include_str!({path:?})),\n", path.file_stem().expect("a file"));
    format!("&[\n{}]\n", files.iter().map(item).collect::<String>())
}
