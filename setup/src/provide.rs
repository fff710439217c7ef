//! Set-up of a project. Afterwards plain `cargo build`, `cargo test` and `cargo run` work there.

use std::env::consts::{ARCH, OS};
use std::path::Path;

use anyhow::Result;

use crate::failure::usage_error;
use crate::output::note;
use crate::project::Project;
use crate::{box2d, cuda, libtorch, sdl2};

/// Downloads the libraries that are missing in the cache of this user and links them into the project; with `cuda`, PyTorch
/// with its CUDA libraries.
///
/// # Errors
/// The machine has no compiler, make, Python or, with `cuda`, driver, which is checked before anything is downloaded; or a
/// download failed, which leaves no incomplete folder in the cache.
pub fn provide(project: &Project, cuda: bool) -> Result<()> {
    check_machine(cuda)?;
    let libtorch = libtorch::provide(project, cuda)?;
    let sdl2 = sdl2::provide(project)?;
    let box2d = box2d::provide(project)?;
    project.ensure_listed()?;
    if libtorch || sdl2 || box2d {
        note!("set-up: done");
    } else {
        note!("set-up: nothing to do");
    }
    Ok(())
}

/// Fills the cache of this user without linking it into a project.
///
/// # Errors
/// As [`provide`].
pub fn fill_cache(cuda: bool) -> Result<()> {
    let nowhere = tempfile::tempdir()?;
    provide(&Project { root: nowhere.path().to_path_buf() }, cuda)
}

fn check_machine(cuda: bool) -> Result<()> {
    if (OS, ARCH) != ("linux", "x86_64") {
        return Err(usage_error(format!("alrao runs on x86-64 Linux with glibc only, and this is {ARCH} {OS}")));
    }
    if !Path::new("/lib64/ld-linux-x86-64.so.2").exists() {
        return Err(usage_error("alrao runs on x86-64 Linux with glibc only, and this system has another C library"));
    }
    if cuda {
        cuda::check_driver()?;
    }
    if !sdl2::compiler_runs() {
        return Err(usage_error("no C++ compiler: install Debian's g++"));
    }
    if !sdl2::has_make() {
        return Err(usage_error("no make, which the allocator is built with: install Debian's make"));
    }
    Ok(())
}
