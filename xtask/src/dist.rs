//! `cargo xtask dist`: an archive of the program with its libraries beside it, which runs where nothing was set up.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use alrao_setup::{Cache, sdl2_libraries};
use anyhow::{Context, Result, bail};

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

/// Libraries that every Debian has, down to the smallest: the C and C++ libraries.
const THERE: [&str; 9] =
    ["ld-linux", "libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libutil.so", "libstdc++", "libgcc_s"];

/// Builds the program and writes `target/dist/alrao-VERSION-x86_64-linux.tar.gz`.
///
/// # Errors
/// The build fails, or a library that the program loads isn't among those that are put beside it.
pub fn run(checkout: &Checkout) -> Result<()> {
    setup::run(checkout, false)?;
    run_command("the build", cargo(checkout).args(["build", "--release", "--workspace", "--bins"]))?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or(checkout.root.join("target"), PathBuf::from);
    let name = format!("alrao-{}-x86_64-linux", env!("CARGO_PKG_VERSION"));
    let dist = target.join("dist");
    let folder = dist.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(folder.join("lib")).with_context(|| folder.display().to_string())?;
    run_command("strip", Command::new("strip").arg(target.join("release/alrao")).arg("-o").arg(folder.join("alrao")))?;
    for license in ["LICENSE-APACHE", "LICENSE-MIT", "README.md"] {
        fs::copy(checkout.root.join(license), folder.join(license)).with_context(|| license.to_owned())?;
    }
    let libtorch = env::var_os("LIBTORCH").map_or(checkout.root.join(".deps/libtorch"), PathBuf::from);
    if let Ok(version) = fs::read(libtorch.join("build-version")) {
        fs::write(folder.join("build-version"), version)?; // which the program reads to know its libtorch
    }
    let libtorch = libtorch.join("lib");
    let sdl2 = sdl2_libraries(&Cache::of_user()?)?;
    add_libraries(&folder.join("alrao"), &folder.join("lib"), &[&libtorch, &sdl2])?;
    let archive = dist.join(format!("{name}.tar.gz"));
    run_command("tar", Command::new("tar").arg("-C").arg(&dist).arg("-czf").arg(&archive).arg(&name))?;
    println!("{}", archive.display());
    Ok(())
}

/// Copies the libraries that `file` loads, and those that they load, from `folders` to `lib`.
fn add_libraries(file: &Path, lib: &Path, folders: &[&Path]) -> Result<()> {
    for name in needed(file)? {
        if THERE.iter().any(|start| name.starts_with(start)) || lib.join(&name).exists() {
            continue;
        }
        let Some(from) = folders.iter().map(|folder| folder.join(&name)).find(|path| path.exists()) else {
            bail!("{} loads {name}, which is in none of {folders:?}", file.display());
        };
        fs::copy(&from, lib.join(&name)).with_context(|| from.display().to_string())?;
        add_libraries(&lib.join(&name), lib, folders)?;
    }
    Ok(())
}

/// Returns the names of the libraries that a program or library asks for.
fn needed(file: &Path) -> Result<Vec<String>> {
    let output =
        Command::new("readelf").args(["--dynamic", "--wide"]).arg(file).output().context("can't run readelf")?;
    Ok(libraries(&String::from_utf8_lossy(&output.stdout)))
}

fn libraries(listing: &str) -> Vec<String> {
    let of_line = |line: &str| Some(line.split_once("Shared library: [")?.1.split(']').next()?.to_owned());
    listing.lines().filter(|line| line.contains("(NEEDED)")).filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needed_libraries_are_read_from_a_listing() {
        let listing = " 0x000000000000001d (RUNPATH)            Library runpath: [$ORIGIN/lib]\n \
                        0x0000000000000001 (NEEDED)             Shared library: [libSDL2-2.0.so.0]\n \
                        0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]\n";
        assert_eq!(libraries(listing), ["libSDL2-2.0.so.0", "libc.so.6"]);
    }
}
