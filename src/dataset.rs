//! `dataset.json`: the classes or vocabulary, the preprocessing and the fingerprint of the dataset that a supervised run
//! learns from. A model's outputs mean nothing without them, so evaluations match classes by name, and a run is resumed on
//! other data only on request.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use alrao_core::path::Shown;
use alrao_plots::json_problem;
use alrao_setup::shell;
use alrao_tasks::Error;
use alrao_tasks::data::{Data, DatasetInfo};
use alrao_tasks::settings::SupervisedTask;
use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::output::note;
use crate::program;
use crate::run_files::{CHECKPOINTS, is_there, unread};
use crate::usage_error::UsageError;

/// The file in a run directory.
pub const FILE: &str = "dataset.json";

/// The dataset of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Its classes, preprocessing and fingerprint.
    pub dataset: DatasetInfo,
    /// Differences from earlier data, with which the run was resumed all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
}

impl Dataset {
    /// Returns the dataset of a new run.
    pub fn of(data: &Data) -> Self {
        Dataset { dataset: data.info(), changes: Vec::new() }
    }

    /// Returns the text of the file.
    ///
    /// # Errors
    /// Never.
    pub fn text(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Reads the file of a run.
    ///
    /// # Errors
    /// [`UsageError`] if it is missing or damaged.
    pub fn read(run: &Path) -> Result<Self> {
        let file = run.join(FILE);
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Err(UsageError::of(unread(&file)(error)).into());
            }
            text => text.map_err(|error| error.to_string()),
        };
        let dataset = text
            .and_then(|text| serde_json::from_str(&text).map_err(|error| format!("damaged: {}", json_problem(&error))));
        Ok(dataset.map_err(|problem| {
            let again = format!("`{} --accept-data`", resume(run));
            UsageError(format!(
                "{}: {problem}; restore it from a copy, or have {again} write it again from the data as they are",
                file.shown()
            ))
        })?)
    }

    /// Reads the data to evaluate a run's model on, whose classes or vocabulary are matched by name; other test data than the
    /// run's are a note.
    ///
    /// # Errors
    /// [`UsageError`] if the file is missing or damaged, the data can't be read, or the classes or the preprocessing differ.
    pub fn read_to_evaluate(run: &Path, task: &SupervisedTask, seed: u64) -> Result<Data> {
        let known = Self::read(run)?.dataset;
        let data = task.read_as(seed, &known.classes).map_err(UsageError::of)?;
        let found = data.info();
        let unlike = known.unlike_inputs(&found).join("; ");
        if !unlike.is_empty() {
            let problem = format!("the model learned from other inputs than config.toml says: {unlike}");
            return Err(UsageError(format!("{}: {problem}; restore config.toml", run.join(FILE).shown())).into());
        }
        if known.test != found.test {
            let differences = known.differences(&found, data.sample_name());
            let of_test = differences.iter().filter(|difference| difference.starts_with("test data"));
            of_test.for_each(|difference| note!("{difference}"));
        }
        Ok(data)
    }

    /// Reads the data to resume a run, and returns the run's dataset, too. With `accept`, data that changed are accepted,
    /// which is noted and recorded.
    ///
    /// # Errors
    /// [`UsageError`] if the file is damaged, the data can't be read, or differ from the run's.
    pub fn read_to_resume(run: &Path, task: &SupervisedTask, seed: u64, accept: bool) -> Result<(Data, Self)> {
        let unread = |error: Error| {
            let hint = format!("if the dataset moved, give its new place with `{} --data DIR`", resume(run));
            UsageError(format!("{error}; {hint}"))
        };
        let is_new = !is_there(&run.join(CHECKPOINTS))? && !is_there(&run.join(FILE))?; // made by a sweep
        let known = match Self::read(run) {
            Ok(known) => known,
            Err(error) if !is_new && !accept => return Err(error),
            Err(_) => {
                let data = task.read(seed).map_err(unread)?;
                let dataset = Self::of(&data);
                return Ok((data, dataset));
            }
        };
        let data = match task.read_as(seed, &known.dataset.classes) {
            Err(error @ Error::Classes { .. }) if accept => {
                let data = task.read(seed).map_err(unread)?;
                if data.classes() != known.dataset.classes.len() {
                    return Err(UsageError(format!("{error}, or train a new run")).into());
                }
                data
            }
            data => data.map_err(unread)?,
        };
        let found = data.info();
        let differences = known.dataset.differences(&found, data.sample_name());
        if !differences.is_empty() && !accept {
            let folder = task.data.folder().as_deref().unwrap_or(run).shown();
            return Err(UsageError(format!(
                "{}: the data in {folder} are not those that the run began with: {}; restore them, give their new place \
                 with `{} --data DIR`, or go on with these data with `--accept-data`",
                run.shown(),
                differences.join("; "),
                resume(run)
            ))
            .into());
        }
        differences.iter().for_each(|difference| note!("accepted: {difference}"));
        Ok((data, Dataset { dataset: found, changes: [known.changes, differences].concat() }))
    }
}

fn resume(run: &Path) -> String {
    format!("{} train --resume {}", program::name(), shell::word(run))
}
