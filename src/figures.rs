//! The types of figures of runs, their defaults, and their drawing.

use std::path::{Path, PathBuf};

use alrao_plots::{Figure, Header, LearningRecord, PlotError, RunRecord, Source};
use rayon::prelude::*;

use crate::config::Task;

/// The type of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FigureKind {
    /// Episode returns of agents; for several runs the interquartile mean over seeds and its confidence interval.
    Returns,
    /// Learning curves; for several runs training, and test or validation.
    Learning,
    /// Head weights of a run over time.
    Posterior,
    /// Metrics of a run that callbacks recorded.
    Metrics,
    /// Learning rates of a run's units, and their weight changes.
    Rates,
    /// Results by learning-rate range, with SGD on the diagonal; runs of several widths get a second map by width.
    Heatmap,
}

/// Returns the path of a figure in a run or sweep directory.
pub fn file(kind: FigureKind) -> PathBuf {
    let name = clap::ValueEnum::to_possible_value(&kind).expect("no kind is skipped");
    Path::new("plots").join(name.get_name()).with_extension("svg")
}

/// Returns the default figure of a run of this task.
pub fn default_of_run(task: &Task) -> FigureKind {
    match task {
        Task::Agent(_) => FigureKind::Returns,
        Task::Supervised(_) => FigureKind::Learning,
    }
}

/// Returns the default figure of these runs.
///
/// # Errors
/// A run's description can't be read, or there are no runs.
pub fn default_kind(sources: &[Source]) -> Result<FigureKind, PlotError> {
    let headers = sources.iter().map(Header::read).collect::<Result<Vec<_>, _>>()?;
    let mut intervals: Vec<_> = headers.iter().filter_map(|run| run.method.lr_range()).collect();
    intervals.sort_by(|a, b| a.partial_cmp(b).expect("rates are numbers"));
    intervals.dedup();
    Ok(match headers.first().ok_or(PlotError::NoRuns)? {
        _ if intervals.len() > 1 && sources.iter().all(|source| source.in_sweep.is_some()) => FigureKind::Heatmap,
        run if run.is_agent() => FigureKind::Returns,
        _ => FigureKind::Learning,
    })
}

/// Draws a figure of runs.
///
/// # Errors
/// A run has nothing to show yet, or the figure needs other runs.
pub fn figure(kind: FigureKind, sources: &[Source]) -> Result<Figure, PlotError> {
    let agents = || sources.par_iter().map(RunRecord::read).collect::<Result<Vec<_>, _>>();
    let one = || match sources {
        [source] => Ok(source),
        _ => Err(PlotError::OneRun { count: sources.len() }),
    };
    match kind {
        FigureKind::Returns => alrao_plots::returns(&agents()?),
        FigureKind::Learning => match Header::read(sources.first().ok_or(PlotError::NoRuns)?)?.is_agent() {
            true => alrao_plots::learning_of_agents(&agents()?),
            false => {
                let runs = sources.par_iter().map(LearningRecord::read).collect::<Result<Vec<_>, _>>()?;
                alrao_plots::learning(&runs)
            }
        },
        FigureKind::Posterior => alrao_plots::posterior(one()?),
        FigureKind::Metrics => alrao_plots::metrics(one()?),
        FigureKind::Rates => alrao_plots::rates(one()?),
        FigureKind::Heatmap => alrao_plots::heat_map(sources),
    }
}
