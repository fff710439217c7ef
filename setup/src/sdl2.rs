//! cmake, with which gym-rs builds its bundled SDL2, and the SDL2 libraries that gym-rs links.
//!
//! The machine's own are used if there are any, else those of PyPI's wheels in the cache.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cache::Cache;
use crate::output::note;
use crate::pip::{self, Wheel};
use crate::project::Project;

/// The links in `.deps`: `.cargo/config.toml` sets `CMAKE` to the first, build scripts pass the second to the linker.
const CMAKE: &str = "cmake";
const SDL2: &str = "sdl2";

const CMAKE_WHEEL: Wheel = Wheel {
    name: "cmake",
    version: "4.4.4",
    sha256: "f773a0544c66370408f451acd487c2c643b0dfebb48c5d64f3638bc1bb820238",
    paths: &["cmake/data/bin/cmake", "cmake/data/share/"],
};
const NINJA_WHEEL: Wheel = Wheel {
    name: "ninja",
    version: "1.13.2",
    sha256: "65a24341b5ac09fcadcc37082660be40a94174e51a937fabf6e2cae26225fa2c",
    paths: &["ninja-1.13.2.data/scripts/ninja"],
};
const SDL2_WHEEL: Wheel = Wheel {
    name: "pysdl2-dll",
    version: "2.32.10",
    sha256: "12b136c38114ae0f8a85453a879795ba5d61663d98673ba19c36c3008ff00353",
    paths: &["sdl2dll/dll/libSDL2-2.0.so", "sdl2dll/dll/libSDL2_gfx-1.0.so"],
};

/// A script that runs cmake with the ninja of the same folder, because a machine without cmake may not have make.
const CMAKE_WITH_NINJA: &str = r#"#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export CMAKE_GENERATOR="${CMAKE_GENERATOR:-Ninja}"
PATH="$PATH:$here" exec "$here/../cmake/bin/cmake" "$@"
"#;

/// Makes cmake and SDL2 available to builds of the project; returns whether anything changed.
pub fn provide(project: &Project) -> Result<bool> {
    let cmake_serves = project.given("CMAKE").is_some() || project.link(CMAKE).exists();
    let sdl2_serves = project.link(SDL2).join("lib").exists() || system_sdl2();
    if cmake_serves && sdl2_serves {
        return Ok(false);
    }
    if !cmake_serves {
        let cmake = match system_cmake() {
            Some(cmake) => cmake,
            None => cmake_entry(&Cache::of_user()?)?.join("bin/cmake"),
        };
        note!("set-up: cmake is {}", cmake.display());
        project.set_link(CMAKE, &cmake)?;
    }
    if !sdl2_serves {
        let sdl2 = sdl2_entry(&Cache::of_user()?)?;
        note!("set-up: SDL2 is in {}", sdl2.display());
        project.set_link(SDL2, &sdl2)?;
    }
    Ok(true)
}

/// Returns whether there is a C++ compiler, which SDL2 and torch-sys need.
pub fn compiler_runs() -> bool {
    Command::new("c++").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Returns whether there is a make, which the allocator needs.
pub fn has_make() -> bool {
    on_path("make").is_some()
}

/// Returns the machine's cmake, if it has a make for it.
fn system_cmake() -> Option<PathBuf> {
    let cmake = on_path("cmake").filter(|_| has_make())?;
    let runs = Command::new(&cmake).arg("--version").output().is_ok_and(|output| output.status.success());
    runs.then_some(cmake)
}

/// Returns whether the linker finds SDL2 and SDL2_gfx among the machine's libraries.
fn system_sdl2() -> bool {
    ["libSDL2.so", "libSDL2_gfx.so"].iter().all(|library| {
        // The bare name comes back if there is no such library.
        let answer = Command::new("c++").arg(format!("-print-file-name={library}")).output();
        answer.is_ok_and(|answer| Path::new(String::from_utf8_lossy(&answer.stdout).trim()).is_absolute())
    })
}

/// Returns the folder of cmake and ninja in the cache; downloads them if needed.
fn cmake_entry(cache: &Cache) -> Result<PathBuf> {
    cache.entry(&format!("cmake-{}", CMAKE_WHEEL.version), |scratch, entry| {
        note!("set-up: downloading cmake from PyPI");
        let unpacked = pip::fetch(&[CMAKE_WHEEL, NINJA_WHEEL], scratch)?;
        let bin = entry.join("bin");
        fs::create_dir(&bin)?;
        fs::rename(unpacked.join("cmake/data"), entry.join("cmake"))?;
        fs::rename(unpacked.join(NINJA_WHEEL.paths[0]), bin.join("ninja"))?;
        fs::write(bin.join("cmake"), CMAKE_WITH_NINJA)?;
        for program in ["bin/cmake", "bin/ninja", "cmake/bin/cmake"] {
            fs::set_permissions(entry.join(program), Permissions::from_mode(0o755))?;
        }
        Ok(())
    })
}

/// Returns a folder of SDL2 libraries that depend on no other library of the system; downloads them if needed.
///
/// # Errors
/// PyPI can't be reached, or the cache can't be written.
pub fn sdl2_libraries(cache: &Cache) -> Result<PathBuf> {
    Ok(sdl2_entry(cache)?.join("lib"))
}

/// Returns the folder of SDL2 in the cache, with the file names that loader and linker expect; downloads it if needed.
fn sdl2_entry(cache: &Cache) -> Result<PathBuf> {
    cache.entry(&format!("sdl2-{}", SDL2_WHEEL.version), |scratch, entry| {
        note!("set-up: downloading SDL2 from PyPI");
        let unpacked = pip::fetch(&[SDL2_WHEEL], scratch)?;
        let lib = entry.join("lib");
        fs::create_dir(&lib)?;
        for (wheels, loaders, linkers) in [
            ("libSDL2-2.0.so", "libSDL2-2.0.so.0", "libSDL2.so"),
            ("libSDL2_gfx-1.0.so", "libSDL2_gfx-1.0.so.0", "libSDL2_gfx.so"),
        ] {
            fs::rename(unpacked.join("sdl2dll/dll").join(wheels), lib.join(loaders))?;
            symlink(loaders, lib.join(linkers))?;
        }
        Ok(())
    })
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_absolute() && file.is_file())
}
