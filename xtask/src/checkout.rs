//! The checkout that this program was built from.

use std::path::{Path, PathBuf};

/// A checkout of the project.
pub struct Checkout {
    /// Folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
}

impl Checkout {
    /// Returns the checkout that this program was built from.
    pub fn here() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace");
        Checkout { root: root.to_path_buf() }
    }
}
