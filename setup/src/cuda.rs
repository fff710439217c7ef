//! libtorch for NVIDIA GPUs: PyTorch with its CUDA libraries, of which the linker sees only the CPU libraries.
//!
//! A program that is linked to the CPU libraries starts on every machine. If there is a folder `<libtorch>/cuda`, it loads
//! `libtorch_cuda.so` from there when it starts, so one binary serves CPUs and GPUs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::cache::Cache;
use crate::failure::usage_error;
use crate::output::note;
use crate::pip;
use crate::pytorch::{self, VERSION};

/// PyTorch and the libraries that its CUDA half loads, each pinned to one file.
const PINS: &str = include_str!("cuda.txt");

/// Returns an error on a machine without NVIDIA's driver.
pub fn check_driver() -> Result<()> {
    if Path::new("/proc/driver/nvidia/version").exists() || loader_knows("libcuda.so.1") {
        return Ok(());
    }
    Err(usage_error(
        "no NVIDIA driver on this machine (neither /proc/driver/nvidia/version nor libcuda.so.1): install it, or run \
         the set-up without --cuda",
    ))
}

/// Returns whether the libtorch in `folder` has CUDA libraries.
pub fn in_libtorch(folder: &Path) -> bool {
    folder.join("cuda/libtorch_cuda.so").exists() || folder.join("lib/libtorch_cuda.so").exists()
}

/// Returns the folder of PyTorch with CUDA in the cache, laid out as a libtorch; downloads it if needed.
pub fn entry(cache: &Cache) -> Result<PathBuf> {
    cache.entry(&format!("libtorch-{VERSION}-cuda"), |scratch, entry| {
        note!("set-up: downloading PyTorch {VERSION} with its CUDA libraries from PyPI (about 3 GB)");
        pip::install(PINS, &entry.join("site"), scratch)?;
        view(entry)
    })
}

/// Lays out the PyTorch in `entry/site` as a libtorch in `entry`.
fn view(entry: &Path) -> Result<()> {
    symlink("site/torch/include", entry.join("include"))?;
    symlink("site/torch/lib", entry.join("cuda"))?;
    pytorch::lay_out(Path::new("../site"), entry, |from, to| symlink(from, to))?;
    for part in fs::read_dir(entry.join("lib"))? {
        fs::metadata(part?.path())?; // a wheel laid out in another way would leave dangling links
    }
    Ok(())
}

fn loader_knows(library: &str) -> bool {
    let known = Command::new("/sbin/ldconfig").arg("-p").output();
    known.is_ok_and(|known| String::from_utf8_lossy(&known.stdout).contains(library))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linker_sees_no_cuda_and_the_program_finds_it() {
        let entry = tempfile::tempdir().unwrap();
        let site = entry.path().join("site");
        for file in pytorch::CPU_LIBRARIES.iter().chain(&["torch/lib/libtorch_cuda.so", "torch/include/torch.h"]) {
            fs::create_dir_all(site.join(file).parent().unwrap()).unwrap();
            fs::write(site.join(file), file).unwrap();
        }
        view(entry.path()).unwrap();

        let read = |path: &str| fs::read_to_string(entry.path().join(path)).unwrap();
        assert_eq!(read("lib/libtorch.so"), "torch/lib/libtorch_cpu.so");
        assert_eq!(read("lib/libcupti.so.13"), "nvidia/cu13/lib/libcupti.so.13");
        assert_eq!(read("include/torch.h"), "torch/include/torch.h");
        assert_eq!(read("build-version").trim(), VERSION);
        assert!(!entry.path().join("lib/libtorch_cuda.so").exists());
        assert!(in_libtorch(entry.path()));
    }

    #[test]
    fn a_pytorch_laid_out_in_another_way_does_not_pass() {
        let entry = tempfile::tempdir().unwrap();
        fs::create_dir_all(entry.path().join("site/torch/lib")).unwrap();
        view(entry.path()).unwrap_err();
    }
}
