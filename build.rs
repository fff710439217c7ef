//! Build script of every crate that makes a binary: where libtorch and SDL2 are, for the linker and at run time.
//!
//! `cargo xtask setup` leaves links to both in `.deps`. The paths written into a binary are resolved, so that it keeps
//! working when the checkout is moved. Where SDL2 comes with the system there is nothing to add for it.

use std::env;
use std::path::{Path, PathBuf};

/// The one crate of these that doesn't compute with libtorch.
const WITHOUT_LIBTORCH: &str = "alrao-envs";

/// Tells cargo and the linker.
pub fn main() {
    let deps = deps();
    // Set-up writes this file whenever a link changes; until there is one, cargo runs this script in every build.
    println!("cargo::rerun-if-changed={}", deps.join("links").display());
    println!("cargo::rerun-if-env-changed=LIBTORCH");

    if env::var("CARGO_PKG_NAME").as_deref() != Ok(WITHOUT_LIBTORCH) {
        let libtorch = env::var_os("LIBTORCH").map_or(deps.join("libtorch"), PathBuf::from);
        if libtorch.join("lib/libtorch_cpu.so").exists() {
            add_run_path(&libtorch.join("lib"));
        } else {
            println!("cargo::error=there is no libtorch in {}: run `cargo xtask setup`", libtorch.display());
        }
    }
    let sdl2 = deps.join("sdl2/lib");
    if sdl2.exists() {
        println!("cargo::rustc-link-search=native={}", sdl2.display());
        add_run_path(&sdl2);
    }
}

/// The folder of the links.
pub fn deps() -> PathBuf {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    manifest.ancestors().find(|dir| dir.join(".cargo/config.toml").exists()).unwrap_or(&manifest).join(".deps")
}

fn add_run_path(lib: &Path) {
    if let Ok(lib) = lib.canonicalize() {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
}
