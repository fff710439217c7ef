//! The cache of a user: a folder for each download.
//!
//! A folder is filled as a scratch folder and renamed when it is complete, so an incomplete one is never used. A lock lets
//! one set-up at a time work in the cache; scratch folders that it finds are those of set-ups that were killed.

use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::output::note;

const SCRATCH: &str = ".scratch-";

/// The cache of this user.
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// Returns the cache in `$XDG_CACHE_HOME/alrao`, or in `~/.cache/alrao`.
    pub fn of_user() -> Result<Self> {
        let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        match absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache"))) {
            Some(dir) => Ok(Cache { dir: dir.join("alrao") }),
            None => bail!("no place for the cache: neither XDG_CACHE_HOME nor HOME is an absolute path"),
        }
    }

    /// Returns the cache's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the folder `name` of the cache, after calling `fill(scratch, entry)` if there is none yet.
    ///
    /// `fill` writes the content of the folder to `entry`, which is empty, and temporary files to `scratch`.
    pub fn entry(&self, name: &str, fill: impl FnOnce(&Path, &Path) -> Result<()>) -> Result<PathBuf> {
        let entry = self.dir.join(name);
        if entry.exists() {
            return Ok(entry);
        }
        let _lock = self.lock()?;
        if entry.exists() {
            return Ok(entry); // made by the set-up that held the lock
        }
        let scratch = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(&self.dir)?;
        let fresh = scratch.path().join(name);
        fs::create_dir(&fresh)?;
        fill(scratch.path(), &fresh)?;
        fs::rename(&fresh, &entry).with_context(|| format!("can't move {} into the cache", entry.display()))?;
        Ok(entry)
    }

    /// Waits until no other set-up of this user is running, and deletes what killed ones left.
    pub fn lock(&self) -> Result<File> {
        let here = || format!("can't use the cache {}", self.dir.display());
        fs::create_dir_all(&self.dir).with_context(here)?;
        let file = File::create(self.dir.join(".lock")).with_context(here)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                note!("set-up: waiting for another set-up to finish");
                file.lock().with_context(here)?;
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(here),
        }
        for left in fs::read_dir(&self.dir).with_context(here)?.flatten() {
            if left.file_name().to_string_lossy().starts_with(SCRATCH) {
                // A pip that outlives its set-up may still write there; then the next set-up clears the rest.
                let _ = fs::remove_dir_all(left.path());
            }
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    fn cache() -> (tempfile::TempDir, Cache) {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("alrao");
        (home, Cache { dir })
    }

    fn names(cache: &Cache) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(&cache.dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_entry_that_fails_half_way_leaves_nothing_and_can_be_made_again() {
        let (_home, cache) = cache();
        let broken = cache.entry("thing-1", |_, entry| {
            fs::write(entry.join("half"), "")?;
            bail!("interrupted")
        });
        assert_eq!(broken.unwrap_err().to_string(), "interrupted");
        assert_eq!(names(&cache), [".lock"]);

        let entry = cache.entry("thing-1", |_, entry| Ok(fs::write(entry.join("whole"), "")?)).unwrap();
        assert!(entry.join("whole").exists() && !entry.join("half").exists());
    }

    #[test]
    fn what_a_killed_set_up_left_never_passes_for_an_entry_and_is_cleared() {
        let (_home, cache) = cache();
        fs::create_dir_all(cache.dir.join(".scratch-dead/thing-1")).unwrap();
        let mut filled = false;
        cache
            .entry("thing-1", |_, _| {
                filled = true;
                Ok(())
            })
            .unwrap();
        assert!(filled);
        assert_eq!(names(&cache), [".lock", "thing-1"]);
    }

    #[test]
    fn two_set_ups_at_once_fill_an_entry_once() {
        let (_home, cache) = cache();
        let fills = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let made = cache.entry("thing-1", |scratch, entry| {
                        fills.fetch_add(1, Ordering::Relaxed);
                        let other = File::create(cache.dir.join(".lock"))?;
                        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
                        fs::write(scratch.join("wheel"), "")?;
                        Ok(fs::write(entry.join("whole"), "")?)
                    });
                    assert!(made.unwrap().join("whole").exists());
                });
            }
        });
        assert_eq!(fills.into_inner(), 1);
        assert_eq!(names(&cache), [".lock", "thing-1"]);
    }
}
