//! The run directory: its files, written so that a run can be resumed after a kill at any instant.
//!
//! | file | what |
//! |---|---|
//! | `config.toml` | the resolved configuration |
//! | `run.json` | description of the run, for readers |
//! | `dataset.json` | the dataset of a supervised run |
//! | `lock` | empty; locked while a process trains here |
//! | `metrics.jsonl`, `tensorboard/` | logs |
//! | `checkpoints/best/` | `network.safetensors`: the network with the best validation |
//! | `checkpoints/last/` | everything needed to resume, with the best network so far |
//! | `checkpoints/previous/` | the checkpoint before it, used if the last one is damaged |
//! | `recordings/step-N.gif` | the first episode of the validation at step N, with `schedule.record` |
//! | `units.json` | final state of every unit |
//! | `summary.json` | the final metrics |
//! | `plots/` | figures |
//!
//! A new directory is created atomically, with its configuration and `run.json`; so is each checkpoint, whose files and
//! directories are synced to the disk first and verified at every load.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use alrao_core::path::Shown;
use alrao_core::state_dict::StateDict;
use alrao_core::units::Units;
use alrao_plots::{RunInfo, read_json};
use alrao_setup::shell;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::checkpoint::{self, Damaged};
use crate::config::Config;
use crate::dataset::{self, Dataset};
use crate::output::note;
use crate::program;
use crate::run_files::{CHECKPOINTS, METRICS, RESTORE, SUMMARY, is_there, unread};
use crate::run_info::run_info;
use crate::summary::Summary;
use crate::usage_error::UsageError;

/// The file that a process locks while it trains in a directory. Nobody edits it: an editor would replace it with an
/// unlocked file.
const LOCK: &str = "lock";

const UNITS: &str = "units.json";

/// What the line of a validation has whose network was saved.
const BEST_LOGGED: &[u8] = b"\"best\":true";

const LAST: &str = "last";

/// The checkpoint before the last.
const PREVIOUS: &str = "previous";

const BEST: &str = "best";

/// The best checkpoint while it is replaced.
const BEST_OLD: &str = "best.old";

/// The file of the best checkpoint.
const NETWORK: &str = "network.safetensors";

/// The best network in the other checkpoints.
const BEST_NETWORK: &str = "best.safetensors";

/// A run directory, locked by this process.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    _locked: File,
}

impl RunDirectory {
    /// Creates the directory with its configuration and description, and its dataset if that was read.
    ///
    /// # Errors
    /// [`UsageError`] if the path exists or can't be created.
    pub fn create(path: &Path, config: &Config, dataset: Option<&Dataset>) -> Result<Self> {
        let (config, info) = (config.of_run_text()?, serde_json::to_string_pretty(&run_info(config)?)? + "\n");
        let dataset = dataset.map(Dataset::text).transpose()?;
        let dataset = dataset.iter().map(|text| (dataset::FILE, text.as_str()));
        let files = [(Config::FILE, config.as_str()), (RunInfo::FILE, &info)];
        create_with(path, &files.into_iter().chain(dataset).collect::<Vec<_>>())?;
        Ok(RunDirectory { path: path.into(), _locked: lock(&path.join(LOCK))? })
    }

    /// Opens and locks a directory, to resume its run.
    ///
    /// # Errors
    /// [`UsageError`] if another process trains in it.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(RunDirectory { path: path.into(), _locked: lock(&path.join(LOCK))? })
    }

    /// Opens a directory to resume its run, after waiting for its lock.
    ///
    /// # Errors
    /// It can't be locked.
    pub fn wait_for(path: &Path) -> Result<Self> {
        let locked = open_to_lock(&path.join(LOCK)).and_then(|file| file.lock().map(|()| file));
        let locked = locked.with_context(|| format!("{}: can't be locked", path.shown()))?;
        Ok(RunDirectory { path: path.into(), _locked: locked })
    }

    /// Writes the dataset and the configuration again, for data that moved or changed.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn write_dataset(&self, dataset: &Dataset, config: &Config) -> Result<()> {
        write_atomic(&self.path.join(dataset::FILE), dataset.text()?)?;
        write_config(&self.path, config)
    }

    /// Returns the directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Saves a checkpoint: tensors by file name, the best network so far, and the remaining state. The one before it is kept
    /// as `previous`.
    ///
    /// # Errors
    /// The checkpoint can't be written; the last two are kept.
    pub fn save_last(
        &self,
        files: &[(&str, StateDict)],
        best: Option<&StateDict>,
        state: &impl Serialize,
    ) -> Result<()> {
        self.replace_checkpoint(LAST, PREVIOUS, |dir| {
            for (name, tensors) in files {
                tensors.write(&dir.join(format!("{name}.safetensors")))?;
            }
            if let Some(best) = best {
                best.write(&dir.join(BEST_NETWORK))?;
            }
            Ok(fs::write(dir.join("state.json"), serde_json::to_string(state)?)?)
        })
    }

    /// Restores the last checkpoint, or the one before it if a file of the last one is damaged, which is printed to standard
    /// error: calls `load` with a reader of tensors by file name and the remaining state, and returns its result and the best
    /// network at the checkpoint. Returns `None` if there is no checkpoint, which is printed if the run had begun.
    ///
    /// # Errors
    /// The checkpoints can't be reached or were lost, all are damaged, or the checkpoint is of another configuration.
    pub fn load_last<S: DeserializeOwned, R>(
        &self,
        load: impl FnOnce(&dyn Fn(&str) -> Result<StateDict>, S) -> Result<R>,
    ) -> Result<Option<(R, Option<StateDict>)>> {
        self.finish_replacement(LAST)?;
        let Some(dir) = self.whole_checkpoint()? else {
            self.check_start_over()?;
            return Ok(None);
        };
        let path = dir.join("state.json");
        let text = fs::read_to_string(&path).with_context(|| path.shown())?;
        let state = serde_json::from_str(&text).with_context(|| path.shown())?;
        let read = |name: &str| Ok(StateDict::read(&dir.join(format!("{name}.safetensors")))?);
        let loaded = load(&read, state).with_context(|| dir.shown())?;
        let best = checkpoint::written(&dir, BEST_NETWORK).map(|_| StateDict::read(&dir.join(BEST_NETWORK)));
        let best = best.transpose()?;
        if dir.ends_with(PREVIOUS) {
            // So that the next checkpoint replaces the damaged one, not this one.
            let last = dir.with_file_name(LAST);
            remove(&last)?;
            fs::rename(&dir, &last)?;
        }
        Ok(Some((loaded, best)))
    }

    /// Says that a run without a checkpoint starts over, unless it hasn't begun.
    ///
    /// # Errors
    /// The run has results; or its log tells of a best network, but the folder of checkpoints is empty, as the place of a
    /// disk that isn't mounted.
    fn check_start_over(&self) -> Result<()> {
        let (log, checkpoints) = (self.path.join(METRICS), self.path.join(CHECKPOINTS));
        if !is_there(&log)? || log.metadata().map_err(unread(&log))?.len() == 0 {
            return Ok(());
        }
        if is_there(&checkpoints)? {
            for results in [UNITS, "plots"] {
                if is_there(&self.path.join(results))? {
                    let problem = format!(
                        "has no checkpoint to resume from, but the run has results, in {results}; restore the last one from a \
                         copy, or remove the folder to start the run over"
                    );
                    bail!("{}: {problem}", checkpoints.shown());
                }
            }
        }
        let is_empty = is_there(&checkpoints)? && fs::read_dir(&checkpoints)?.next().is_none();
        if is_empty && logged_best(&self.path)? {
            let problem = "is empty, but the run had saved its best network; mount or restore it, or remove it to start \
                           the run over";
            bail!("{}: {problem}", checkpoints.shown());
        }
        note!("{}: there is no checkpoint, so the run starts over", self.path.shown());
        Ok(())
    }

    /// Returns the latest checkpoint without a damaged file, if there is a checkpoint.
    fn whole_checkpoint(&self) -> Result<Option<PathBuf>> {
        let mut damages = Vec::new();
        for name in [LAST, PREVIOUS] {
            let Some(dir) = checkpoint_at(&self.path, name)? else {
                damages.push(Damaged::missing(&self.path.join(CHECKPOINTS).join(name)));
                continue;
            };
            match checkpoint::verify(&dir) {
                Ok(_) => {
                    damages.iter().for_each(|damage: &Damaged| {
                        note!("{damage}; resuming from the checkpoint before it, which is whole");
                    });
                    return Ok(Some(dir));
                }
                Err(damage) if damage.forbidden => bail!("{damage}; make it accessible"),
                Err(damage) => damages.push(damage),
            }
        }
        // A checkpoint that isn't there is damage only beside another one.
        damages.retain(|damage| ![LAST, PREVIOUS].iter().any(|name| damage.path.ends_with(name)));
        if damages.is_empty() {
            return Ok(None);
        }
        let damages = damages.iter().map(Damaged::to_string).collect::<Vec<_>>().join(", and ");
        let checkpoints = self.path.join(CHECKPOINTS);
        bail!("{damages}; restore it from a copy, or remove {} to start the run over", checkpoints.shown())
    }

    /// Replaces the best checkpoint.
    ///
    /// # Errors
    /// The checkpoint can't be written; the previous one is kept.
    pub fn save_best(&self, tensors: &StateDict) -> Result<()> {
        self.replace_checkpoint(BEST, BEST_OLD, |dir| Ok(tensors.write(&dir.join(NETWORK))?))?;
        remove(&self.path.join(CHECKPOINTS).join(BEST_OLD))
    }

    /// Has the best checkpoint be the best network of the loaded checkpoint, or of a run that starts over: none. It may have
    /// been lost or damaged, which is printed, or be of a validation that the run now makes again.
    ///
    /// # Errors
    /// The best checkpoint can't be read or written.
    pub fn restore_best(&self, best: Option<&StateDict>) -> Result<()> {
        self.finish_replacement(BEST)?;
        let [dir, old, last] = [BEST, BEST_OLD, LAST].map(|name| self.path.join(CHECKPOINTS).join(name));
        let Some(tensors) = best else {
            remove(&old)?;
            return remove(&dir);
        };
        match checkpoint::verify(&dir) {
            Ok(_) if checkpoint::written(&dir, NETWORK) == checkpoint::written(&last, BEST_NETWORK) => {
                return remove(&old);
            }
            Ok(_) => {}
            Err(damage) if damage.forbidden => bail!("{damage}; make it accessible"),
            Err(damage) => note!("{damage}; restored from the last checkpoint"),
        }
        self.save_best(tensors)
    }

    /// Creates the folder of recordings and returns the path of the recording at an environment step.
    ///
    /// # Errors
    /// The folder can't be created.
    pub fn recording(&self, step: u64) -> Result<PathBuf> {
        let folder = self.path.join("recordings");
        fs::create_dir_all(&folder).with_context(|| format!("{}: can't be created", folder.shown()))?;
        Ok(folder.join(format!("step-{step}.gif")))
    }

    /// Writes the final metrics, which marks the run as finished.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write_summary(&self, summary: &Summary) -> Result<()> {
        let text = serde_json::to_string_pretty(summary)? + "\n";
        Ok(write_atomic(&self.path.join(SUMMARY), text)?)
    }

    /// Writes the final state of every unit.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write_units(&self, units: &Units) -> Result<()> {
        let text = serde_json::to_string(units)? + "\n";
        Ok(write_atomic(&self.path.join(UNITS), text)?)
    }

    /// Finishes the replacement of a checkpoint that a kill interrupted between its renames.
    fn finish_replacement(&self, name: &str) -> Result<()> {
        let current = self.path.join(CHECKPOINTS).join(name);
        match (checkpoint_at(&self.path, name)?, checkpoint_at(&self.path, &format!("{name}.new"))?) {
            (None, Some(new)) if checkpoint::verify(&new).is_ok() => {
                fs::rename(&new, &current).with_context(|| current.shown())
            }
            _ => Ok(()),
        }
    }

    /// Writes a checkpoint to a temporary directory, then replaces the one of that name, which becomes the one called `old`.
    /// A kill at any instant leaves a whole checkpoint of one of these names.
    fn replace_checkpoint(&self, name: &str, old: &str, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let checkpoints = self.path.join(CHECKPOINTS);
        let [new, unneeded, old, current] =
            [&format!("{name}.new"), &format!("{name}.unneeded"), old, name].map(|name| checkpoints.join(name));
        let replace = || -> Result<()> {
            remove(&new)?;
            remove(&unneeded)?;
            checkpoint::create(&new, write)?;
            if is_there(&current)? {
                // A removal takes long enough to be interrupted: it comes last.
                if is_there(&old)? {
                    fs::rename(&old, &unneeded)?;
                }
                fs::rename(&current, &old)?;
            }
            fs::rename(&new, &current)?;
            checkpoint::sync(&checkpoints)?;
            remove(&unneeded)
        };
        replace().with_context(|| format!("{}: can't be written", current.shown()))
    }
}

/// Creates a directory atomically with these files, given by name and text.
///
/// # Errors
/// [`UsageError`] if the path exists or can't be created.
pub fn create_with(path: &Path, files: &[(&str, &str)]) -> Result<()> {
    if is_occupied(path) {
        let problem = "exists; resume it with --resume, or choose another directory with --out";
        return Err(UsageError(format!("{}: {problem}", path.shown())).into());
    }
    let cannot = |error: std::io::Error| UsageError(format!("{}: can't be created: {error}", path.shown()));
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(cannot)?;
    let unnamed = tempfile::Builder::new().prefix(".alrao-").tempdir_in(parent).map_err(cannot)?;
    set_readable(unnamed.path()).map_err(cannot)?;
    for (name, text) in files {
        fs::write(unnamed.path().join(name), text).map_err(cannot)?;
    }
    let synced = files.iter().try_for_each(|(name, _)| File::open(unnamed.path().join(name))?.sync_all());
    synced.map_err(cannot)?;
    fs::rename(unnamed.path(), path).map_err(|error| match error.kind() {
        ErrorKind::DirectoryNotEmpty => UsageError(format!("{}: another process created it meanwhile", path.shown())),
        _ => cannot(error),
    })?;
    let _ = unnamed.keep();
    Ok(())
}

/// Writes the configuration of a run again.
///
/// # Errors
/// The file can't be written.
pub fn write_config(run: &Path, config: &Config) -> Result<()> {
    let file = run.join(Config::FILE);
    write_atomic(&file, config.of_run_text()?).with_context(|| file.shown())
}

/// Writes a file atomically.
///
/// # Errors
/// The folder doesn't exist, or the file can't be written.
pub fn write_atomic(path: &Path, content: impl AsRef<[u8]>) -> std::io::Result<()> {
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(folder_of(path))?;
        file.write_all(content.as_ref())?;
        set_readable(file.path())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(without_path)
}

/// Returns the folder that a file is in.
pub fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Leaves the temporary file's path out of an error: it says nothing to users.
pub fn without_path(error: std::io::Error) -> std::io::Error {
    match error.to_string().split_once(" at path ") {
        Some((problem, _)) => std::io::Error::new(error.kind(), problem),
        None => error,
    }
}

/// Locks a directory's lock file until it is closed or the process ends.
///
/// # Errors
/// [`UsageError`] if another process has locked it.
pub fn lock(file: &Path) -> Result<File> {
    let directory = file.parent().unwrap_or(file).shown();
    let locked = open_to_lock(file).with_context(|| format!("{directory}: can't be locked"))?;
    match locked.try_lock() {
        Ok(()) => Ok(locked),
        Err(TryLockError::WouldBlock) => {
            Err(UsageError(format!("{directory}: in use by another process; wait until it ends, or stop it")).into())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{directory}: can't be locked")),
    }
}

/// Opens a file for writing, which network file systems need for an exclusive lock.
fn open_to_lock(file: &Path) -> std::io::Result<File> {
    OpenOptions::new().append(true).create(true).open(file)
}

/// Reads the best checkpoint of a run.
///
/// # Errors
/// [`UsageError`] if the run has none; else it is damaged, and the error names the file.
pub fn load_best(run: &Path) -> Result<StateDict> {
    let Some(dir) = best_checkpoint(run)? else { return Err(no_best(run)?.into()) };
    if let Err(damage) = checkpoint::verify(&dir) {
        match damage.forbidden {
            true => bail!("{damage}; make it accessible"),
            false => bail!("{damage}; {}", how_to_restore_best(run)?),
        }
    }
    Ok(StateDict::read(&dir.join(NETWORK))?)
}

/// Returns the error of a run without a best checkpoint.
fn no_best(run: &Path) -> Result<UsageError> {
    let is_lost = match read_summary(run)? {
        Some(summary) => summary.outcome.has_best(),
        None => has_copy_of_best(run)? || logged_best(run)?,
    };
    let problem = match is_lost {
        true => format!("has lost its best checkpoint; {}", how_to_restore_best(run)?),
        false if is_there(&run.join(SUMMARY))? => "has no best checkpoint: it had no finite validation".into(),
        false => "has no best checkpoint yet; wait for its first validation".into(),
    };
    Ok(UsageError(format!("{}: {problem}", run.shown())))
}

fn how_to_restore_best(run: &Path) -> Result<String> {
    let resume = format!("`{} train --resume {}`", program::name(), shell::word(run));
    Ok(match (has_copy_of_best(run)?, is_there(&run.join(SUMMARY))?) {
        (false, _) => RESTORE.into(),
        (true, false) => format!("{resume} restores it from the last checkpoint"),
        (true, true) => format!(
            "restore it from a copy, or remove {SUMMARY} and have {resume} make it again from the last checkpoint"
        ),
    })
}

/// Returns whether the log of a run tells that it saved its best network.
fn logged_best(run: &Path) -> Result<bool> {
    let log = run.join(METRICS);
    let lines = if is_there(&log)? { fs::read(&log).map_err(unread(&log))? } else { Vec::new() };
    Ok(lines.windows(BEST_LOGGED.len()).any(|bytes| bytes == BEST_LOGGED))
}

fn has_copy_of_best(run: &Path) -> Result<bool> {
    let last = checkpoint_at(run, LAST)?;
    Ok(last.is_some_and(|last| checkpoint::written(&last, BEST_NETWORK).is_some()))
}

/// Returns the bytes of all checkpoints of a run.
///
/// # Errors
/// A directory can't be read.
pub fn checkpoint_bytes(run: &Path) -> Result<u64> {
    let mut bytes = 0;
    for name in [BEST, LAST, PREVIOUS] {
        let Some(dir) = checkpoint_at(run, name)? else { continue };
        for file in fs::read_dir(&dir).with_context(|| dir.shown())? {
            bytes += file.and_then(|file| file.metadata()).with_context(|| dir.shown())?.len();
        }
    }
    Ok(bytes)
}

/// Reads a run's final metrics; none before it has finished.
///
/// # Errors
/// The file is damaged, or can't be read.
pub fn read_summary(run: &Path) -> Result<Option<Summary>> {
    let path = run.join(SUMMARY);
    if !is_there(&path)? {
        return Ok(None);
    }
    Ok(read_json(&path)?)
}

/// Returns the directory of the best checkpoint, if there is one; if its replacement was interrupted, of the one before, which
/// is printed. Nothing is renamed, because the run may still be training.
fn best_checkpoint(run: &Path) -> Result<Option<PathBuf>> {
    let best = checkpoint_at(run, BEST)?;
    if best.is_some() {
        return Ok(best);
    }
    let old = checkpoint_at(run, BEST_OLD)?;
    if let Some(old) = &old {
        note!("{}: used, because a kill left no {BEST}", old.shown());
    }
    Ok(old)
}

/// Returns the directory of the checkpoint of this name, if there is one.
///
/// # Errors
/// As [`is_there`].
fn checkpoint_at(run: &Path, name: &str) -> Result<Option<PathBuf>> {
    let dir = run.join(CHECKPOINTS).join(name);
    Ok((is_there(&run.join(CHECKPOINTS))? && is_there(&dir)?).then_some(dir))
}

fn remove(dir: &Path) -> Result<()> {
    let removed = match (is_there(dir)?, dir.is_dir()) {
        (false, _) => Ok(()),
        (true, true) => fs::remove_dir_all(dir),
        (true, false) => fs::remove_file(dir),
    };
    removed.with_context(|| format!("{}: can't be removed", dir.shown()))
}

/// Returns whether a new run at this path would overwrite anything.
fn is_occupied(path: &Path) -> bool {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}

/// Gives a temporary file or directory the usual permissions.
fn set_readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = if path.is_dir() { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Replaces characters that are unsuitable in directory names.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || "._=+-".contains(c) { c } else { '_' }).collect()
}

/// Returns the first unused directory under `runs` of that name, in [`plain`] characters, with a number appended if needed.
///
/// # Errors
/// Ten thousand names are taken.
pub fn free_name(name: &str) -> Result<PathBuf> {
    let name = &plain(name);
    let names = (1..10_000).map(|n| if n == 1 { name.into() } else { format!("{name}-{n}") });
    match names.map(|name| Path::new("runs").join(name)).find(|path| path.symlink_metadata().is_err()) {
        Some(path) => Ok(path),
        None => bail!("runs: every directory name from {name} on is taken; choose another one with --out"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn run() -> (tempfile::TempDir, RunDirectory) {
        let root = tempfile::tempdir().unwrap();
        let config = Config::read("pendulum", &[], &Catalog::builtin()).unwrap();
        let run = RunDirectory::create(&root.path().join("a/run"), &config, None).unwrap();
        (root, run)
    }

    fn write(run: &RunDirectory, text: &str) -> Result<()> {
        run.replace_checkpoint("last", PREVIOUS, |dir| Ok(fs::write(dir.join("x"), text)?))
    }

    fn read(run: &RunDirectory) -> String {
        fs::read_to_string(run.whole_checkpoint().unwrap().unwrap().join("x")).unwrap()
    }

    #[test]
    fn an_existing_or_locked_directory_is_an_error() {
        let (_root, run) = run();
        let config = Config::of_run(run.path()).unwrap();
        let error = RunDirectory::create(run.path(), &config, None).unwrap_err();
        assert!(error.is::<UsageError>() && error.to_string().contains("--resume"), "{error}");
        let file = run.path().join("config.toml");
        write_atomic(&file, fs::read_to_string(&file).unwrap()).unwrap(); // as an editor saves it
        let error = RunDirectory::open(run.path()).unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
    }

    #[test]
    fn a_failed_write_names_no_temporary_file() {
        let error = write_atomic(Path::new("/nowhere/x"), "").unwrap_err().to_string();
        assert_eq!(error, "No such file or directory (os error 2)");
    }

    #[test]
    fn a_failed_checkpoint_keeps_the_previous_one() {
        let (_root, run) = run();
        assert!(run.whole_checkpoint().unwrap().is_none());
        write(&run, "first").unwrap();
        run.replace_checkpoint("last", PREVIOUS, |_| bail!("the disk is full")).unwrap_err();
        assert_eq!(read(&run), "first");
    }

    /// Tests every state between the renames of a replacement.
    #[test]
    fn a_kill_during_a_replacement_leaves_a_complete_checkpoint() {
        for killed_after in 0..3 {
            let (_root, run) = run();
            write(&run, "old").unwrap();
            let at = |name: &str| run.path().join("checkpoints").join(name);
            checkpoint::create(&at("last.new"), |dir| Ok(fs::write(dir.join("x"), "new")?)).unwrap();
            if killed_after >= 1 {
                fs::rename(at("last"), at("previous")).unwrap();
            }
            if killed_after >= 2 {
                fs::rename(at("last.new"), at("last")).unwrap();
            }
            run.finish_replacement(LAST).unwrap();
            assert_eq!(read(&run), if killed_after == 0 { "old" } else { "new" });
            write(&run, "newer").unwrap();
            assert_eq!(read(&run), "newer");
            assert!(!at("last.new").exists());
        }
    }

    #[test]
    fn a_damaged_checkpoint_is_passed_over_for_the_one_before() {
        let (_root, run) = run();
        write(&run, "first").unwrap();
        write(&run, "second").unwrap();
        let at = |name: &str| run.path().join("checkpoints").join(name);
        fs::write(at("last/x"), "secone").unwrap();
        assert_eq!(read(&run), "first");
        fs::write(at("previous/checksums"), "").unwrap();
        let error = run.whole_checkpoint().unwrap_err().to_string();
        let words = ["last/x is damaged", "previous/checksums is damaged", "remove", "start the run over"];
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
}
