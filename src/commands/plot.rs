//! `alrao plot`: a figure of one run, of several beside each other, or of a sweep.

use std::path::{Path, PathBuf};

use alrao_plots::{Figure, Header, LearningRecord, Measure, PlotError, RunRecord, Source};
use anyhow::Result;
use rayon::prelude::*;

use crate::command_line::{FigureKind, PlotRequest, WrongRequest};
use crate::config::{Config, Task};
use crate::sweep::directory::{State, SweepDirectory};

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`] if one of them is neither a run nor a sweep directory, or what keeps the figure from being drawn.
pub fn plot(request: &PlotRequest) -> Result<()> {
    let mut sources = Vec::new();
    for path in &request.runs {
        sources.extend(sources_at(path)?);
    }
    let wrong = |error: PlotError| WrongRequest(error.to_string());
    let chosen = choose(sources, request.task.as_deref())?;
    let kind = match request.figure {
        Some(kind) => kind,
        None => usual(&chosen).map_err(wrong)?,
    };
    let out = request.out.clone().unwrap_or_else(|| request.runs[0].join(file(kind)));
    figure(kind, &chosen).and_then(|figure| figure.save(&out)).map_err(wrong)?;
    println!("{}", out.display());
    Ok(())
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
/// A configuration can't be read, or there is none.
pub fn usual(sources: &[Source]) -> Result<FigureKind, PlotError> {
    let headers = sources.iter().map(Header::read).collect::<Result<Vec<_>, _>>()?;
    let mut intervals: Vec<_> =
        headers.iter().filter_map(|run| run.optimizer.eta_min.zip(run.optimizer.eta_max)).collect();
    intervals.sort_by(|a, b| a.partial_cmp(b).expect("rates are numbers"));
    intervals.dedup();
    Ok(match headers.first().ok_or(PlotError::NoRuns)?.measure {
        _ if intervals.len() > 1 && sources.iter().all(|source| source.in_sweep.is_some()) => FigureKind::Heatmap,
        Measure::Return => FigureKind::Returns,
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
        FigureKind::Learning => match Header::read(sources.first().ok_or(PlotError::NoRuns)?)?.measure {
            Measure::Return => alrao_plots::learning_of_agents(&agents()?),
            _ => {
                let runs = sources.par_iter().map(LearningRecord::read).collect::<Result<Vec<_>, _>>()?;
                alrao_plots::learning(&runs)
            }
        },
        FigureKind::Posterior => alrao_plots::posterior(one()?),
        FigureKind::Rates => alrao_plots::rates(one()?),
        FigureKind::Heatmap => alrao_plots::heat_map(sources),
    }
}

/// A run directory, or the done runs of a sweep directory.
///
/// # Errors
/// [`WrongRequest`] if it is neither, or no run of the sweep is done.
pub fn sources_at(path: &Path) -> Result<Vec<Source>> {
    if path.join("config.toml").is_file() {
        Config::of_run(path)?;
        return Ok(vec![path.into()]);
    }
    if !path.join("sweep.jsonl").is_file() {
        let problem = "neither a run directory, with config.toml, nor a sweep directory, with sweep.jsonl";
        return Err(WrongRequest(format!("{}: {problem}", path.display())).into());
    }
    let sweep = SweepDirectory::read(path)?;
    let mut sources = Vec::new();
    for run in &sweep.runs {
        if matches!(sweep.state(run)?, State::Done(_)) {
            sources.push(Source { dir: sweep.of(run), in_sweep: Some((run.task.clone(), run.arm.clone())) });
        }
    }
    if sources.is_empty() {
        let problem = format!("none of its {} runs is done yet", sweep.runs.len());
        return Err(WrongRequest(format!("{}: {problem}", path.display())).into());
    }
    if sources.len() < sweep.runs.len() {
        eprintln!("{}: {} of {} runs are done", path.display(), sources.len(), sweep.runs.len());
    }
    Ok(sources)
}

/// The runs of one task.
fn choose(mut sources: Vec<Source>, task: Option<&str>) -> Result<Vec<Source>> {
    let name = |source: &Source| source.in_sweep.as_ref().map(|(task, _)| task.clone());
    let mut names: Vec<String> = sources.iter().filter_map(name).collect();
    names.sort();
    names.dedup();
    let names = names.join(", ");
    match task {
        Some(task) => {
            sources.retain(|source| name(source).as_deref() == Some(task));
            if sources.is_empty() {
                let problem = if names.is_empty() {
                    "tasks are chosen of sweeps only".into()
                } else {
                    format!("there is {names}")
                };
                return Err(WrongRequest(format!("--task {task}: {problem}")).into());
            }
        }
        None if names.contains(", ") => {
            return Err(WrongRequest(format!("the sweep has several tasks: choose one by --task: {names}")).into());
        }
        None => {}
    }
    Ok(sources)
}
