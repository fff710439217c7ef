//! The source of Box2D for the lunar lander, from PyPI's `box2d-py`: the same as Gymnasium's.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::cache::Cache;
use crate::output::note;
use crate::pip::{self, Source};
use crate::project::Project;

/// The link in `.deps` that the build script of `alrao-envs` follows.
const LINK: &str = "box2d";

const SOURCE: Source = Source {
    name: "box2d-py",
    version: "2.3.8",
    sha256: "bdacfbbc56079bb317548efe49d3d5a86646885cc27f4a2ee97e4b2960921ab7",
    paths: &["Box2D/Box2D.h", "Box2D/Box2D-License.txt", "Box2D/Collision/", "Box2D/Common/", "Box2D/Dynamics/"],
};

/// The header with the line that turns Box2D's assertions into Python exceptions.
const SETTINGS: &str = "Box2D/Common/b2Settings.h";
const WITH_PYTHON: &str = "#define USE_EXCEPTIONS";

/// Makes Box2D available to builds of the project; returns whether anything changed.
pub fn provide(project: &Project) -> Result<bool> {
    if project.link(LINK).join("Box2D/Box2D.h").exists() {
        return Ok(false);
    }
    let entry = entry(&Cache::of_user()?)?;
    note!("set-up: Box2D is in {}", entry.display());
    project.set_link(LINK, &entry)?;
    Ok(true)
}

/// Returns the folder of Box2D in the cache; downloads it if needed.
fn entry(cache: &Cache) -> Result<PathBuf> {
    cache.entry(&format!("{LINK}-py-{}", SOURCE.version), |scratch, entry| {
        note!("set-up: downloading Box2D's sources from PyPI");
        let unpacked = pip::fetch_source(&SOURCE, scratch)?;
        fs::rename(unpacked.join("Box2D"), entry.join("Box2D"))?;
        without_python(&entry.join(SETTINGS))
    })
}

fn without_python(settings: &Path) -> Result<()> {
    let text = fs::read_to_string(settings)?;
    if !text.contains(WITH_PYTHON) {
        bail!("{} has no line `{WITH_PYTHON}`: the download is not the expected Box2D", settings.display());
    }
    Ok(fs::write(settings, text.replacen(WITH_PYTHON, "", 1))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertions_become_cs_and_other_sources_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let settings = folder.path().join("b2Settings.h");
        fs::write(&settings, format!("#define A\n{WITH_PYTHON}\n#ifdef USE_EXCEPTIONS\n")).unwrap();
        without_python(&settings).unwrap();
        assert_eq!(fs::read_to_string(&settings).unwrap(), "#define A\n\n#ifdef USE_EXCEPTIONS\n");
        let told = without_python(&settings).unwrap_err().to_string();
        assert!(told.contains("b2Settings.h has no line"), "{told}");
    }
}
