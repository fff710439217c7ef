//! `alrao plot`: a figure of one run, of several beside each other, or of a sweep.

use std::path::PathBuf;

use alrao_plots::{PlotError, Source};
use anyhow::Result;

use crate::figures::{self, FigureKind};
use crate::sweep::sources::sources_at;
use crate::wrong_request::WrongRequest;

/// What `alrao plot` is asked for.
#[derive(clap::Args)]
pub struct PlotRequest {
    /// Run directories, or sweep directories, of which the runs that are done are drawn.
    #[arg(required = true, value_name = "RUN|SWEEP")]
    pub runs: Vec<PathBuf>,
    /// What to draw; by default the returns of agents, how networks learnt from data, and the heat map of a sweep over
    /// intervals of rates.
    #[arg(long)]
    pub figure: Option<FigureKind>,
    /// The task to draw, of sweeps that have several.
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// The figure, .svg or .png; `plots/FIGURE.svg` in the first directory by default.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

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
        None => figures::usual(&chosen).map_err(wrong)?,
    };
    let out = request.out.clone().unwrap_or_else(|| request.runs[0].join(figures::file(kind)));
    figures::figure(kind, &chosen).and_then(|figure| figure.save(&out)).map_err(wrong)?;
    println!("{}", out.display());
    Ok(())
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
