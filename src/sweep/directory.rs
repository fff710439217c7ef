//! The sweep directory: its runs and their states.
//!
//! | file | what |
//! |---|---|
//! | `sweep.jsonl` | one run a line, with its complete configuration, and the CRC-32C of these lines; locked while in use |
//! | `NAME/` | run directories |
//! | `NAME/process.log` | output of the run's processes |
//! | `NAME/failure.txt` | reason of a failure |
//! | `slurm.sh`, `slurm.log` | job script and Slurm's output, see [`slurm`](super::slurm) |
//!
//! Nothing else is stored: the state of a sweep is read from its run directories.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use alrao_core::path::Shown;
use alrao_plots::{PlotError, RunInfo};
use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::config::{Config, Versions, other_names};
use crate::message::message;
use crate::program;
use crate::run_directory::{RunDirectory, create_with, lock, read_summary, write_atomic, write_config};
use crate::run_info::run_info;
use crate::summary::Summary;
use crate::sweep::plan::Run;
use crate::usage_error::UsageError;

const RUNS: &str = "sweep.jsonl";
const FAILURE: &str = "failure.txt";

/// What to do about a damaged list of runs.
const RESTORE: &str = "restore it from a copy, or start the sweep again in another directory";

/// The beginning of the last line of a list of runs.
const CHECKSUM: &str = "{\"crc32c\":";

/// A sweep directory.
#[derive(Debug)]
pub struct SweepDirectory {
    path: PathBuf,
    /// The runs, in the order of the sweep file.
    pub runs: Vec<Run>,
}

/// The state of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// The run has no directory.
    Missing,
    /// The run has started and can be resumed.
    Unfinished,
    /// The run failed, for this reason.
    Failed(String),
    /// The run finished, or diverged.
    Done(Box<Summary>),
}

impl SweepDirectory {
    /// Creates the directory with its list of runs.
    ///
    /// # Errors
    /// [`UsageError`] if the path exists or can't be created.
    pub fn create(path: &Path, runs: Vec<Run>) -> Result<Self> {
        let lines = lines(&runs)?;
        if let Ok(text) = fs::read_to_string(path.join(RUNS)) {
            let problem = match text == lines {
                true => {
                    format!(
                        "contains this sweep already; resume it with `{} sweep --resume {}`",
                        program::name(),
                        path.shown()
                    )
                }
                false => "contains another sweep; choose another directory with --out".into(),
            };
            return Err(UsageError(format!("{}: {problem}", path.shown())).into());
        }
        create_with(path, &[(RUNS, &lines)])?;
        Ok(SweepDirectory { path: path.into(), runs })
    }

    /// Reads a directory's list of runs.
    ///
    /// # Errors
    /// [`UsageError`] if it isn't a sweep directory.
    pub fn read(path: &Path) -> Result<Self> {
        let file = path.join(RUNS);
        if !file.is_file() {
            let problem = format!("not a sweep directory (no {RUNS})");
            return Err(UsageError(format!("{}: {problem}", path.shown())).into());
        }
        let bytes = fs::read(&file).with_context(|| file.shown())?;
        let text = String::from_utf8_lossy(&bytes);
        let (list, checksum) = text.split_at(text.rfind(CHECKSUM).unwrap_or(text.len()));
        let damaged = |problem: &str| UsageError(format!("{}: {problem}; {RESTORE}", file.shown()));
        let run = |(number, line): (usize, &str)| {
            serde_json::from_str(line).map_err(|error| {
                of_older_version(path, &text).unwrap_or_else(|| {
                    let versions = serde_json::from_str::<Value>(line).ok().and_then(|run| {
                        serde_json::from_value::<Versions>(run.pointer("/config/versions")?.clone()).ok()
                    });
                    match versions {
                        Some(by) => {
                            let problem = format!("line {}: {error}\n{}", number + 1, other_names(&by));
                            UsageError(format!("{}: {problem}", file.shown()))
                        }
                        None => damaged(&format!("line {}: is damaged", number + 1)),
                    }
                })
            })
        };
        let runs = list.lines().enumerate().map(run).collect::<Result<Vec<Run>, _>>()?;
        if runs.is_empty() || checksum != checksum_line(list) {
            return Err(damaged("differs from what alrao wrote, by its checksum").into());
        }
        let of_another_version = |run: &&Run| run.config.versions != runs[0].config.versions;
        if let Some(other) = runs.iter().find(of_another_version) {
            let (one, two) = (runs[0].config.made_by(), other.config.made_by());
            let problem = format!(
                "{} is from {one}, but {} from {two}; all runs of a sweep must be from one version",
                runs[0].name, other.name
            );
            return Err(UsageError(format!("{}: {problem}", file.shown())).into());
        }
        Ok(SweepDirectory { path: path.into(), runs })
    }

    /// Sets the dataset directory of all runs, also in the list and in the directories of the runs, whose processes check the
    /// data. The returned file locks the new list, which replaces that of [`lock`](Self::lock).
    ///
    /// # Errors
    /// [`UsageError`] if a run needs no dataset; else a file can't be written.
    pub fn move_data(&mut self, folder: &Path) -> Result<File> {
        self.runs.iter_mut().try_for_each(|run| run.config.task.set_data(folder))?;
        let list = self.path.join(RUNS);
        write_atomic(&list, lines(&self.runs)?).with_context(|| list.shown())?;
        let lock = self.lock()?;
        for directory in self.runs.iter().map(|run| self.of(run)) {
            if let Ok(mut config) = Config::of_run(&directory) {
                config.task.set_data(folder)?;
                write_config(&directory, &config)?;
            }
        }
        Ok(lock)
    }

    /// Locks the sweep against other processes while the returned file is open.
    ///
    /// # Errors
    /// [`UsageError`] if another process has locked it.
    pub fn lock(&self) -> Result<File> {
        lock(&self.path.join(RUNS))
    }

    /// Returns the directory's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of a run's directory, whether or not it exists.
    pub fn of(&self, run: &Run) -> PathBuf {
        self.path.join(&run.name)
    }

    /// Describes a run, from its directory or, if that can't be read, from its configuration.
    ///
    /// # Errors
    /// The configuration's method is invalid.
    pub fn info(&self, run: &Run) -> Result<RunInfo> {
        let directory = self.of(run);
        RunInfo::read(&directory).or_else(|_| run_info(&run.config))
    }

    /// Returns the largest number of threads of a run.
    pub fn most_threads(&self) -> u32 {
        self.runs.iter().map(|run| run.config.threads).max().unwrap_or(1)
    }

    /// Reads the state of a run; one whose files can't be read, or that has another configuration or other versions than
    /// the sweep, has failed for that reason.
    ///
    /// # Errors
    /// The record of a failure can't be read.
    pub fn state(&self, run: &Run) -> Result<State> {
        let directory = self.of(run);
        if !directory.exists() {
            return Ok(State::Missing);
        }
        let found = match Config::of_run(&directory) {
            Ok(found) => found,
            Err(error) => return Ok(State::Failed(message(&error))),
        };
        if !found.is_same_run(&run.config) {
            let (by, of_sweep) = (found.made_by(), run.config.made_by());
            let problem = match by == of_sweep {
                true => format!("its config.toml differs from {RUNS}"),
                false => format!("this run was made by {by}, but its sweep was started with {of_sweep}"),
            };
            let problem = format!("{problem}; delete the directory to train the run again");
            return Ok(State::Failed(format!("{}: {problem}", directory.shown())));
        }
        match read_summary(&directory) {
            Ok(None) => {}
            Ok(Some(summary)) => return Ok(State::Done(Box::new(summary))),
            Err(error) => return Ok(State::Failed(message(&error))),
        }
        Ok(read_if_there(&directory.join(FAILURE))?.map_or(State::Unfinished, State::Failed))
    }

    /// Creates a run's directory unless it has a configuration, clears a failure, and opens the log of its process.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn prepare(&self, run: &Run) -> Result<File> {
        let directory = self.of(run);
        if !directory.join(Config::FILE).exists() {
            RunDirectory::create(&directory, &run.config, None)?;
        }
        let failure = directory.join(FAILURE);
        if failure.exists() {
            fs::remove_file(&failure).with_context(|| failure.shown())?;
        }
        let log = directory.join("process.log");
        File::options().append(true).create(true).open(&log).with_context(|| log.shown())
    }

    /// Records a failure: how the process ended, and the last lines of its output.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn note_failure(&self, run: &Run, end: &str) -> Result<()> {
        const LAST_LINES: usize = 5;
        let directory = self.of(run);
        let log = fs::read(directory.join("process.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
        let reason = [&[end], last].concat().join("\n");
        let mut file = tempfile::NamedTempFile::new_in(&directory)?;
        writeln!(file, "{reason}")?;
        file.persist(directory.join(FAILURE))?;
        Ok(())
    }
}

/// Returns the text of a list of runs, whose last line is its checksum.
fn lines(runs: &[Run]) -> Result<String> {
    let list: String = runs.iter().map(|run| Ok(serde_json::to_string(run)? + "\n")).collect::<Result<_>>()?;
    let checksum = checksum_line(&list);
    Ok(list + &checksum)
}

fn checksum_line(list: &str) -> String {
    format!("{CHECKSUM}\"{:08x}\"}}\n", crc32c::crc32c(list.as_bytes()))
}

/// Returns the error of a list of runs from an older version, if a run's directory identifies that version.
fn of_older_version(sweep: &Path, list: &str) -> Option<UsageError> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let names = list.lines().filter_map(|line| serde_json::from_str(line).ok());
    let mut errors = names.filter_map(|Named { name }| RunInfo::read(&sweep.join(name)).err());
    errors.find(|error| matches!(error, PlotError::OlderVersion { .. })).map(UsageError::of)
}

fn read_if_there(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.shown()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::catalog::Catalog;

    /// Creates a sweep directory of these tasks, variants (as `KEY=VALUE`s) and seeds 0 to `seeds` - 1, without runs.
    pub(crate) fn sweep(tasks: &[&str], variants: &[&[&str]], seeds: u64) -> (tempfile::TempDir, SweepDirectory) {
        let root = tempfile::tempdir().unwrap();
        let mut runs = Vec::new();
        for task in tasks {
            for variant in variants {
                let sets: Vec<String> = variant.iter().map(|set| set.to_string()).collect();
                let config =
                    Config::read(task, &sets, &Catalog::builtin()).unwrap().resolve(&Catalog::builtin()).unwrap();
                let variant = variant.join("-").replace("optimizer.", "").replace("kind=", "");
                runs.extend((0..seeds).map(|seed| Run {
                    name: format!("{task}-{variant}-seed{seed}"),
                    task: task.to_string(),
                    variant: variant.clone(),
                    config: Config { seed, ..config.clone() },
                }));
            }
        }
        let directory = SweepDirectory::create(&root.path().join("sweep"), runs).unwrap();
        (root, directory)
    }

    #[test]
    fn the_state_of_a_run_is_read_from_its_directory() {
        let (_root, sweep) = sweep(&["pendulum"], &[&["optimizer.kind=adam"]], 1);
        let sweep = SweepDirectory::read(sweep.path()).unwrap();
        let run = &sweep.runs[0];
        assert_eq!(sweep.state(run).unwrap(), State::Missing);
        writeln!(sweep.prepare(run).unwrap(), "1\n2\n3\n4\n5\nerror: the disk is full").unwrap();
        assert_eq!(sweep.state(run).unwrap(), State::Unfinished);
        sweep.note_failure(run, "exit status: 1").unwrap();
        let reason = "exit status: 1\n2\n3\n4\n5\nerror: the disk is full\n".to_string();
        assert_eq!(sweep.state(run).unwrap(), State::Failed(reason));
        sweep.prepare(run).unwrap();
        assert_eq!(sweep.state(run).unwrap(), State::Unfinished);
        write_config(&sweep.of(run), &Config { seed: 7, ..run.config.clone() }).unwrap();
        let State::Failed(reason) = sweep.state(run).unwrap() else { panic!("its configuration differs") };
        let words = ["pendulum-adam-seed0", "config.toml differs", "delete the directory"];
        assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
    }

    #[test]
    fn the_directory_of_another_sweep_is_an_error() {
        let (_root, sweep) = sweep(&["pendulum"], &[&["optimizer.kind=adam"]], 2);
        let error = |runs: &[Run]| SweepDirectory::create(sweep.path(), runs.to_vec()).unwrap_err().to_string();
        assert!(error(&sweep.runs).contains("this sweep already; resume it with `"));
        assert!(error(&sweep.runs[..1]).contains("contains another sweep; choose another directory with --out"));
    }

    #[test]
    fn runs_of_different_versions_are_an_error() {
        let (_root, sweep) = sweep(&["pendulum"], &[&["optimizer.kind=adam"]], 2);
        let of = |alrao: &str| Some(crate::config::Versions { alrao: alrao.into(), libtorch: "2.11.0".into() });
        let by =
            |run: &Run, version| Run { config: Config { versions: of(version), ..run.config.clone() }, ..run.clone() };
        let [old, new] = [by(&sweep.runs[0], "0.1.0"), by(&sweep.runs[0], "0.2.0")];
        sweep.prepare(&old).unwrap();
        let State::Failed(reason) = sweep.state(&new).unwrap() else { panic!("of another version") };
        let words = [
            "adam-seed0: this run was made by alrao 0.1.0 on libtorch 2.11.0, but its sweep was started with alrao 0.2.0",
            "delete the",
        ];
        assert!(words.iter().all(|word| reason.contains(word)), "{reason}");

        let mixed = sweep.path().with_file_name("mixed");
        SweepDirectory::create(&mixed, vec![old, by(&sweep.runs[1], "0.2.0")]).unwrap();
        let error = SweepDirectory::read(&mixed).unwrap_err();
        let words = ["seed0 is from alrao 0.1.0", "seed1 from alrao 0.2.0", "one version"];
        assert!(error.is::<UsageError>() && words.iter().all(|word| error.to_string().contains(word)), "{error}");
    }

    #[test]
    fn the_error_of_a_renamed_field_names_the_version_that_wrote_the_sweep() {
        let (_root, sweep) = sweep(&["pendulum"], &[&["optimizer.kind=adam"]], 1);
        let versions = Some(Versions { alrao: "0.0.7".into(), libtorch: "2.11.0".into() });
        let config = Config { versions, ..sweep.runs[0].config.clone() };
        let path = sweep.path().with_file_name("old");
        SweepDirectory::create(&path, vec![Run { config, ..sweep.runs[0].clone() }]).unwrap();
        let file = path.join(RUNS);
        fs::write(&file, fs::read_to_string(&file).unwrap().replace("lr_schedule", "anneal")).unwrap();
        let error = SweepDirectory::read(&path).unwrap_err();
        let words = ["sweep.jsonl: line 1", "`anneal`", "written by alrao 0.0.7"];
        assert!(error.is::<UsageError>() && words.iter().all(|word| error.to_string().contains(word)), "{error}");
    }
}
