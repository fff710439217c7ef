//! Figures of runs: which there are, which is usual, and drawing them.

use std::path::{Path, PathBuf};

use alrao_plots::{Figure, Header, LearningRecord, PlotError, RunRecord, Source};
use rayon::prelude::*;

use crate::config::Task;

/// What a figure shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FigureKind {
    /// The episode returns of agents; of several runs the interquartile mean over seeds, and its interval.
    Returns,
    /// Learning curves; of several runs those of training beside those of test or validation.
    Learning,
    /// The weights of a run's heads over time.
    Posterior,
    /// The rates of a run's units, and how far each has moved at its rate.
    Rates,
    /// What intervals of rates come to, SGD on the diagonal; also by width.
    Heatmap,
}

/// Where a figure is, in the directory of a run or a sweep.
pub fn file(kind: FigureKind) -> PathBuf {
    let name = clap::ValueEnum::to_possible_value(&kind).expect("no kind is skipped");
    Path::new("plots").join(name.get_name()).with_extension("svg")
}

/// The figure of how a run of this task went.
pub fn usual_of_run(task: &Task) -> FigureKind {
    match task {
        Task::Agent(_) => FigureKind::Returns,
        Task::Supervised(_) => FigureKind::Learning,
    }
}

/// What is best drawn of these runs.
///
/// # Errors
/// What a run is can't be read, or there is none.
pub fn usual(sources: &[Source]) -> Result<FigureKind, PlotError> {
    let headers = sources.iter().map(Header::read).collect::<Result<Vec<_>, _>>()?;
    let mut intervals: Vec<_> = headers.iter().filter_map(|run| run.method.interval()).collect();
    intervals.sort_by(|a, b| a.partial_cmp(b).expect("rates are numbers"));
    intervals.dedup();
    Ok(match headers.first().ok_or(PlotError::NoRuns)? {
        _ if intervals.len() > 1 && sources.iter().all(|source| source.in_sweep.is_some()) => FigureKind::Heatmap,
        run if run.is_of_agent() => FigureKind::Returns,
        _ => FigureKind::Learning,
    })
}

/// Draws runs.
///
/// # Errors
/// A run has nothing to show yet, or the figure isn't one of such runs.
pub fn figure(kind: FigureKind, sources: &[Source]) -> Result<Figure, PlotError> {
    let agents = || sources.par_iter().map(RunRecord::read).collect::<Result<Vec<_>, _>>();
    let one = || match sources {
        [source] => Ok(source),
        _ => Err(PlotError::OneRun { count: sources.len() }),
    };
    match kind {
        FigureKind::Returns => alrao_plots::returns(&agents()?),
        FigureKind::Learning => match Header::read(sources.first().ok_or(PlotError::NoRuns)?)?.is_of_agent() {
            true => alrao_plots::learning_of_agents(&agents()?),
            false => {
                let runs = sources.par_iter().map(LearningRecord::read).collect::<Result<Vec<_>, _>>()?;
                alrao_plots::learning(&runs)
            }
        },
        FigureKind::Posterior => alrao_plots::posterior(one()?),
        FigureKind::Rates => alrao_plots::rates(one()?),
        FigureKind::Heatmap => alrao_plots::heat_map(sources),
    }
}
