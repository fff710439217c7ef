//! The parts of PyTorch's wheel that make up a libtorch, and their layout for the build.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;

/// The PyTorch release that is downloaded.
pub const VERSION: &str = "2.11.0";

/// The libraries that a program without CUDA loads, as paths in the folder of unpacked wheels.
pub const CPU_LIBRARIES: [&str; 5] = [
    "torch/lib/libc10.so",
    "torch/lib/libtorch_cpu.so",
    "torch/lib/libgomp.so.1",
    "nvidia/cu13/lib/libcudart.so.13",
    "nvidia/cu13/lib/libcupti.so.13",
];

/// Fills `entry/lib` with the CPU libraries from `site`, and writes the other files of a libtorch.
pub fn lay_out(site: &Path, entry: &Path, place: impl Fn(&Path, &Path) -> std::io::Result<()>) -> Result<()> {
    let lib = entry.join("lib");
    fs::create_dir(&lib)?;
    for library in CPU_LIBRARIES {
        let from = site.join(library);
        place(&from, &lib.join(from.file_name().expect("a file")))?;
    }
    // The linker is asked for these names.
    symlink("libtorch_cpu.so", lib.join("libtorch.so"))?;
    symlink("libgomp.so.1", lib.join("libgomp.so"))?;
    fs::write(entry.join("build-version"), format!("{VERSION}\n"))?;
    Ok(())
}
