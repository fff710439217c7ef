//! Devices, and libtorch's CUDA half.
//!
//! Programs are linked with libtorch's CPU libraries only, so that they run everywhere. At startup, [`load_cuda`] opens
//! `libtorch_cuda.so` next to them, if it exists; then CUDA devices are available.

use std::cell::Cell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::path::Shown;
use tch::{Cuda, Device};

use crate::Error;

/// Version of libtorch that this crate requires.
pub const LIBTORCH: &str = "2.11.0";

/// Environment variable with the directory of `libtorch_cuda.so`, searched first.
pub const CUDA_DIR: &str = "ALRAO_CUDA";

/// A requested device: `auto`, `cpu`, `cuda` or `cuda:N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first CUDA device if there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device with this index.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "auto" => Ok(DeviceChoice::Auto),
            "cpu" => Ok(DeviceChoice::Cpu),
            "cuda" => Ok(DeviceChoice::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|n| n.parse().ok())
                .map(DeviceChoice::Cuda)
                .ok_or_else(|| Error::Device(format!("there is no device `{text}`; use auto, cpu, cuda or cuda:N"))),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            DeviceChoice::Auto => f.write_str("auto"),
            DeviceChoice::Cpu => f.write_str("cpu"),
            DeviceChoice::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
}

impl DeviceChoice {
    /// Returns the request for this device.
    pub fn of(device: Device) -> Self {
        match device {
            Device::Cuda(n) => DeviceChoice::Cuda(n),
            _ => DeviceChoice::Cpu,
        }
    }

    /// Returns the device, after loading CUDA if needed.
    ///
    /// # Errors
    /// [`Error::Device`] if CUDA is requested but not available, with the reason.
    pub fn resolve(self) -> Result<Device, Error> {
        match self {
            DeviceChoice::Cpu => Ok(Device::Cpu),
            DeviceChoice::Auto => Ok(load_cuda().map_or(Device::Cpu, |_| Device::Cuda(0))),
            DeviceChoice::Cuda(n) => match load_cuda() {
                Ok(count) if n < count => Ok(Device::Cuda(n)),
                Ok(count) => Err(Error::Device(format!("there is no device cuda:{n}, only {count} from cuda:0 on"))),
                Err(reason) => Err(Error::Device(format!("CUDA can't be used: {reason}"))),
            },
        }
    }
}

thread_local! {
    static FORCE_LIBTORCH: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether values on a device can be read without synchronizing it: it is the CPU, outside [`via_libtorch`].
pub fn readable_without_sync(device: Device) -> bool {
    device == Device::Cpu && !FORCE_LIBTORCH.get()
}

/// Runs `compute` on the CPU as on a GPU, by libtorch calls and without reading values. For tests.
pub fn via_libtorch<R>(compute: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            FORCE_LIBTORCH.set(self.0);
        }
    }
    let _restore = Restore(FORCE_LIBTORCH.replace(true));
    compute()
}

/// Loads libtorch's CUDA half and returns the number of CUDA devices, or the reason why there is none.
pub fn load_cuda() -> Result<usize, String> {
    // libtorch caches at the first CUDA query whether its CUDA half exists, so this must be the first query
    let opened = open_cuda_library();
    match (Cuda::device_count(), opened) {
        (0, Err(reason)) => Err(reason),
        (0, Ok(())) => Err("libtorch_cuda.so was loaded but finds no usable NVIDIA device or driver".into()),
        (count, _) => Ok(count as usize),
    }
}

/// Returns the path of the loaded `libtorch_cpu.so`, with links resolved.
pub fn libtorch_path() -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let path =
        maps.lines().find_map(|line| line.find('/').map(|at| &line[at..]).filter(|p| p.ends_with("/libtorch_cpu.so")));
    path.map(PathBuf::from)
}

/// Returns the version of the libtorch in this `lib` directory, from `build-version` or PyTorch's `version.py` above
/// it.
pub fn libtorch_version(lib: &Path) -> Option<String> {
    let above = lib.parent()?;
    let release =
        [above, above.parent()?].iter().find_map(|dir| std::fs::read_to_string(dir.join("build-version")).ok());
    let python = || {
        let text = std::fs::read_to_string(above.join("version.py")).ok()?;
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        line.split('\'').nth(1).map(String::from)
    };
    release.map(|version| version.trim().to_string()).or_else(python)
}

fn open_cuda_library() -> Result<(), String> {
    let beside = libtorch_path().and_then(|path| Some(path.parent()?.to_path_buf()));
    let named = std::env::var_os(CUDA_DIR).map(PathBuf::from);
    let folders: Vec<PathBuf> = named.into_iter().chain(beside).collect();
    let Some(library) = folders.iter().map(|dir| dir.join("libtorch_cuda.so")).find(|path| path.exists()) else {
        let looked: Vec<String> = folders.iter().map(|dir| dir.shown()).collect();
        return Err(format!(
            "there is no libtorch_cuda.so in {}; run `cargo xtask setup --cuda`, or set its directory in {CUDA_DIR}",
            looked.join(" or ")
        ));
    };
    // The library registers kernels with the loaded libtorch, so it must stay loaded, with global symbols.
    // SAFETY: linking with libtorch's CUDA half would run the same initializers.
    #[allow(unsafe_code)]
    let opened = unsafe {
        use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
        Library::open(Some(&library), RTLD_NOW | RTLD_GLOBAL)
    };
    let library = opened.map_err(|error| format!("{error}"))?;
    std::mem::forget(library);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_requests_are_parsed() {
        for (text, choice) in
            [("auto", DeviceChoice::Auto), ("cpu", DeviceChoice::Cpu), ("cuda:1", DeviceChoice::Cuda(1))]
        {
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), choice);
        }
        assert!("gpu".parse::<DeviceChoice>().unwrap_err().to_string().contains("cuda:N"));
    }

    #[test]
    fn the_loaded_libtorch_has_the_required_version() {
        let lib = libtorch_path().unwrap();
        assert_eq!(libtorch_version(lib.parent().unwrap()).unwrap().split('+').next(), Some(LIBTORCH));
    }
}
