//! `alrao plot`: the episode returns, or the losses, of one run, or of several beside each other.

use std::path::Path;

use alrao_plots::{LearningRecord, PlotError, RunRecord, plot_learning, plot_returns};
use anyhow::Result;
use rayon::prelude::*;

use crate::command_line::{PlotRequest, WrongRequest};
use crate::config::{Config, Task};

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`] if one of them is no run directory, or what keeps the figure from being drawn.
pub fn plot(request: &PlotRequest) -> Result<()> {
    let tasks = request.runs.iter().map(|run| Ok(Config::of_run(run)?.task)).collect::<Result<Vec<_>>>()?;
    let supervised = tasks.iter().filter(|task| matches!(task, Task::Supervised(_))).count();
    if ![0, tasks.len()].contains(&supervised) {
        return Err(WrongRequest("agents' returns and losses on data don't go into one figure".into()).into());
    }
    let out = request.out.clone().unwrap_or_else(|| request.runs[0].join(figure(&tasks[0])));
    draw(&request.runs, &tasks[0], &out).map_err(|error| WrongRequest(error.to_string()))?;
    println!("{}", out.display());
    Ok(())
}

/// Where the figure of a run is, in its directory.
pub fn figure(task: &Task) -> &'static str {
    match task {
        Task::Agent(_) => "plots/returns.svg",
        Task::Supervised(_) => "plots/losses.svg",
    }
}

/// Draws runs of a kind of task.
///
/// # Errors
/// A run has nothing to show yet, they are of different tasks, or the figure can't be written.
pub fn draw(runs: &[impl AsRef<Path> + Sync], task: &Task, out: &Path) -> Result<(), PlotError> {
    let dirs = runs.par_iter().map(AsRef::as_ref);
    match task {
        Task::Agent(_) => plot_returns(&dirs.map(RunRecord::read).collect::<Result<Vec<_>, _>>()?, out),
        Task::Supervised(_) => plot_learning(&dirs.map(LearningRecord::read).collect::<Result<Vec<_>, _>>()?, out),
    }
}
