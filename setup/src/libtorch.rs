//! libtorch: the one that `LIBTORCH` names, or the CPU libraries of PyTorch's wheel.
//!
//! The wheel on PyPI is the CUDA build. Its CPU library needs only two small CUDA libraries to be loaded, so the other
//! 2.5 GB of CUDA libraries are not downloaded.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::cache::Cache;
use crate::cuda;
use crate::failure::usage_error;
use crate::output::note;
use crate::pip::{self, Wheel};
use crate::project::Project;
use crate::pytorch::{VERSION, lay_out};

/// The release series that a libtorch given by the user must belong to.
const SERIES: &str = "2.11.";
/// The link in `.deps` to which `.cargo/config.toml` sets `LIBTORCH`.
const LINK: &str = "libtorch";

const WHEELS: [Wheel; 3] = [
    Wheel {
        name: "torch",
        version: VERSION,
        sha256: "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
        paths: &["torch/include/", "torch/lib/libc10.so", "torch/lib/libtorch_cpu.so", "torch/lib/libgomp.so.1"],
    },
    Wheel {
        name: "nvidia-cuda-runtime",
        version: "13.0.96",
        sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
        paths: &["nvidia/cu13/lib/libcudart.so.13"],
    },
    Wheel {
        name: "nvidia-cuda-cupti",
        version: "13.0.85",
        sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
        paths: &["nvidia/cu13/lib/libcupti.so.13"],
    },
];

/// Makes libtorch available to builds of the project; returns whether anything changed.
pub fn provide(project: &Project, cuda: bool) -> Result<bool> {
    if let Some(given) = project.given("LIBTORCH") {
        check_given(Path::new(&given), cuda)?;
        return Ok(false);
    }
    let link = project.link(LINK);
    let fits = version(&link).is_some_and(|version| version.starts_with(SERIES));
    if fits && (!cuda || cuda::in_libtorch(&link)) {
        return Ok(false);
    }
    let cache = Cache::of_user()?;
    let entry = if cuda { cuda::entry(&cache)? } else { entry(&cache)? };
    check_entry(&entry)?;
    note!("set-up: libtorch {VERSION} is in {}", entry.display());
    project.set_link(LINK, &entry)?;
    Ok(true)
}

/// Returns the folder of the CPU-only libtorch in the cache; downloads it if needed.
fn entry(cache: &Cache) -> Result<PathBuf> {
    cache.entry(&format!("libtorch-{VERSION}-cpu"), |scratch, entry| {
        note!("set-up: downloading libtorch {VERSION} for the CPU from PyPI (530 MB)");
        let unpacked = pip::fetch(&WHEELS, scratch)?;
        fs::rename(unpacked.join("torch/include"), entry.join("include"))?;
        lay_out(&unpacked, entry, |from, to| fs::rename(from, to))
    })
}

/// Checks that a folder of the cache still holds a libtorch of this version.
fn check_entry(entry: &Path) -> Result<()> {
    let whole = version(entry).is_some_and(|version| version.starts_with(SERIES));
    if whole && entry.join("lib/libtorch_cpu.so").exists() {
        return Ok(());
    }
    Err(usage_error(format!(
        "{} in the cache is damaged: delete that folder, then run the set-up again to download libtorch {VERSION}",
        entry.display()
    )))
}

/// Returns an error if the build can't use the libtorch that `LIBTORCH` names.
fn check_given(given: &Path, cuda: bool) -> Result<()> {
    let path = given.display();
    let advice = format!("set it to a libtorch {VERSION}, or unset it to have that downloaded");
    if !given.is_absolute() {
        return Err(usage_error(format!("LIBTORCH must be an absolute path, and is `{path}`: {advice}")));
    }
    for part in ["lib/libtorch_cpu.so", "include/torch/csrc/api/include/torch/torch.h"] {
        if !given.join(part).exists() {
            return Err(usage_error(format!("LIBTORCH is {path}, and there is no {part} in it: {advice}")));
        }
    }
    match version(given) {
        Some(version) if version.starts_with(SERIES) => {}
        Some(version) => {
            return Err(usage_error(format!(
                "LIBTORCH is {path}, which holds libtorch {version}, not {VERSION}: {advice}"
            )));
        }
        None => {
            return Err(usage_error(format!(
                "LIBTORCH is {path}, and neither build-version nor version.py in it tells its version: {advice}"
            )));
        }
    }
    if cuda && !cuda::in_libtorch(given) {
        return Err(usage_error(format!(
            "LIBTORCH is {path}, which can't use CUDA: unset it to have PyTorch downloaded"
        )));
    }
    Ok(())
}

/// Returns the version of the libtorch in `folder`, which is a libtorch archive, a folder of this cache or Python's PyTorch.
fn version(folder: &Path) -> Option<String> {
    if let Ok(version) = fs::read_to_string(folder.join("build-version")) {
        return Some(version.trim().to_owned());
    }
    let python = fs::read_to_string(folder.join("version.py")).ok()?;
    let line = python.lines().find_map(|line| line.strip_prefix("__version__ = "))?;
    Some(line.trim_matches(['\'', '"']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with the files by which a libtorch is known.
    fn libtorch(version_file: &str, content: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in ["lib/libtorch_cpu.so", "include/torch/csrc/api/include/torch/torch.h"] {
            fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
            fs::write(folder.path().join(file), "").unwrap();
        }
        fs::write(folder.path().join(version_file), content).unwrap();
        folder
    }

    fn refusal(given: &Path, cuda: bool) -> String {
        check_given(given, cuda).unwrap_err().to_string()
    }

    #[test]
    fn the_users_libtorch_is_taken_in_every_shape_it_comes_in() {
        let archive = libtorch("build-version", "2.11.0+cpu\n");
        check_given(archive.path(), false).unwrap();
        let python = libtorch("version.py", "debug = False\n__version__ = '2.11.0+cu130'\n");
        check_given(python.path(), false).unwrap();
    }

    #[test]
    fn a_damaged_folder_of_the_cache_is_named() {
        let whole = libtorch("build-version", VERSION);
        check_entry(whole.path()).unwrap();
        fs::remove_file(whole.path().join("lib/libtorch_cpu.so")).unwrap();
        let message = check_entry(whole.path()).unwrap_err().to_string();
        assert!(message.contains("in the cache is damaged: delete that folder"), "{message}");
        let old = libtorch("build-version", "2.5.1");
        assert!(check_entry(old.path()).is_err());
    }

    #[test]
    fn another_version_is_refused_by_both_names_and_the_path() {
        let old = libtorch("version.py", "__version__ = '2.5.1+cu121'\n");
        let told = refusal(old.path(), false);
        assert!(told.contains("2.5.1+cu121") && told.contains("2.11.0"), "{told}");
        assert!(told.contains(old.path().to_str().unwrap()), "{told}");
    }

    #[test]
    fn a_libtorch_that_is_not_there_is_refused() {
        assert!(refusal(Path::new("libtorch"), false).contains("absolute"));
        assert!(refusal(Path::new("/no/such/folder"), false).contains("no lib/libtorch_cpu.so"));
        let nameless = libtorch("README", "");
        assert!(refusal(nameless.path(), false).contains("neither build-version nor version.py"));
    }

    #[test]
    fn cuda_is_not_expected_of_a_cpu_libtorch() {
        let folder = libtorch("build-version", VERSION);
        assert!(refusal(folder.path(), true).contains("can't use CUDA"));
        fs::write(folder.path().join("lib/libtorch_cuda.so"), "").unwrap();
        check_given(folder.path(), true).unwrap();
    }
}
