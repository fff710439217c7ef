//! What build scripts need to know of the libraries outside cargo: where libtorch, SDL2 and Box2D are.
//!
//! `alrao-setup` downloads them into a cache of the user and leaves links to them in the folder `.deps` of a crate or a
//! checkout, whose `.cargo/config.toml` tells all build scripts of that folder through [`DEPS`]. Cargo passes a
//! dependency's linker arguments to no other crate, so every crate that makes a binary has a `build.rs` whose `main` is one line:
//!
//! ```no_run
//! alrao_build::link();
//! ```

use std::env;
use std::path::{Path, PathBuf};

/// The environment variable that holds the folder of the links.
pub const DEPS: &str = "ALRAO_DEPS";
/// The environment variable that holds libtorch's folder; torch-sys reads it too.
pub const LIBTORCH: &str = "LIBTORCH";

/// What to do where nothing was set up.
const SET_UP: &str = "run `alrao-setup init` in your crate's folder (`cargo xtask setup` in a checkout of alrao)";

/// Adds the folders of libtorch and SDL2 to the run path of this crate's binaries, as absolute paths without links, so
/// that binaries start from any directory and after being moved. A folder `lib` beside the binary is searched first, for
/// release archives that contain the libraries.
///
/// Prints a `cargo::error` if libtorch is missing, with the command that installs it.
pub fn link() {
    println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/lib");
    match libtorch() {
        Ok(libtorch) => add_run_path(&libtorch.join("lib")),
        Err(problem) => println!("cargo::error={problem}"),
    }
    link_sdl2();
}

/// Makes binaries of this crate find SDL2 when they are linked and when they start. Where SDL2 comes with the system, the
/// linker finds it by itself.
pub fn link_sdl2() {
    if let Some(deps) = deps() {
        let lib = deps.join("sdl2/lib");
        if lib.exists() {
            println!("cargo::rustc-link-search=native={}", lib.display());
            add_run_path(&lib);
        }
    }
}

/// Returns the folder that holds Box2D's sources in `Box2D`.
///
/// # Errors
/// There are none; the message says what to do.
pub fn box2d() -> Result<PathBuf, String> {
    let deps = deps().ok_or_else(|| format!("Box2D is missing, because {DEPS} is not set: {SET_UP}"))?;
    let box2d = deps.join("box2d");
    if box2d.join("Box2D/Box2D.h").exists() {
        Ok(box2d)
    } else {
        Err(format!("there is no Box2D in {}: {}", box2d.display(), set_up_again(&deps)))
    }
}

fn libtorch() -> Result<PathBuf, String> {
    supported(
        &env_of_cargo("CARGO_CFG_TARGET_OS"),
        &env_of_cargo("CARGO_CFG_TARGET_ARCH"),
        &env_of_cargo("CARGO_CFG_TARGET_ENV"),
    )?;
    let deps = deps();
    println!("cargo::rerun-if-env-changed={LIBTORCH}");
    let libtorch = match (env::var_os(LIBTORCH), &deps) {
        (Some(given), _) => PathBuf::from(given),
        (None, Some(deps)) => deps.join("libtorch"),
        (None, None) => {
            return Err(format!("libtorch is missing, because neither {LIBTORCH} nor {DEPS} is set: {SET_UP}"));
        }
    };
    if libtorch.join("lib/libtorch_cpu.so").exists() {
        Ok(libtorch)
    } else {
        let advice = deps.map_or(SET_UP.into(), |deps| set_up_again(&deps));
        Err(format!("there is no libtorch in {}: {advice}", libtorch.display()))
    }
}

/// Checks the system that is built for: libtorch's and SDL2's binaries come for one.
fn supported(os: &str, arch: &str, libc: &str) -> Result<(), String> {
    match (os, arch, libc) {
        ("linux", "x86_64", "gnu") => Ok(()),
        ("linux", "x86_64", _) => {
            Err(format!("alrao runs with glibc only, and this builds for {libc}: build for x86_64-unknown-linux-gnu"))
        }
        _ => Err(format!("alrao runs on x86-64 Linux with glibc only, and this builds for {arch} {os}")),
    }
}

/// Returns the folder of the links, and has the build script run again when set-up changes a link.
fn deps() -> Option<PathBuf> {
    println!("cargo::rerun-if-env-changed={DEPS}");
    let deps = PathBuf::from(env::var_os(DEPS)?);
    println!("cargo::rerun-if-changed={}", deps.join("links").display());
    Some(deps)
}

/// Returns what to run where a folder of links is named but was not filled.
fn set_up_again(deps: &Path) -> String {
    let project = deps.parent().unwrap_or(deps);
    let command = if project.join("xtask/Cargo.toml").exists() { "cargo xtask setup" } else { "alrao-setup" };
    format!("run `{command}` in {}", project.display())
}

fn env_of_cargo(name: &str) -> String {
    env::var_os(name).unwrap_or_default().to_string_lossy().into_owned()
}

fn add_run_path(lib: &Path) {
    if let Ok(lib) = lib.canonicalize() {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_systems_are_refused_in_one_sentence() {
        assert_eq!(supported("linux", "x86_64", "gnu"), Ok(()));
        assert!(supported("linux", "x86_64", "musl").unwrap_err().contains("glibc only, and this builds for musl"));
        assert!(supported("macos", "aarch64", "").unwrap_err().ends_with("and this builds for aarch64 macos"));
    }

    #[test]
    fn a_folder_that_was_not_filled_gets_the_command_of_its_kind() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert!(set_up_again(&checkout.join(".deps")).starts_with("run `cargo xtask setup` in "));
        assert_eq!(set_up_again(Path::new("/tmp/mine/.deps")), "run `alrao-setup` in /tmp/mine");
    }
}
