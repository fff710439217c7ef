//! `alrao plot`: plots one run, a comparison of several runs, or a sweep.

use std::collections::HashSet;
use std::path::PathBuf;

use alrao_core::path::Shown;
use alrao_plots::{PlotError, Source};
use anyhow::Result;

use crate::figures::{self, FigureKind};
use crate::output::say;
use crate::output_file;
use crate::sweep::sources::sources_at;
use crate::usage_error::UsageError;

/// The arguments of `alrao plot`.
#[derive(clap::Args)]
pub struct PlotArgs {
    /// Run directories, or sweep directories, whose finished runs are plotted; one that is given twice counts once.
    #[arg(required = true, value_name = "RUN|SWEEP")]
    pub runs: Vec<PathBuf>,
    /// Type of figure [default: returns for agents, learning for supervised models, heatmap for a sweep over
    /// learning-rate ranges].
    #[arg(long)]
    pub figure: Option<FigureKind>,
    /// Task to plot, for sweeps with several tasks.
    #[arg(long, value_name = "NAME")]
    pub task: Option<String>,
    /// Output file, .svg or .png [default: plots/FIGURE.svg in the first directory].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`UsageError`] if a directory is neither a run nor a sweep directory, or the figure can't be drawn or
/// written.
pub fn plot(args: &PlotArgs) -> Result<()> {
    if let Some(out) = &args.out {
        output_file::check(out, &["svg", "png"])?;
    }
    let mut sources = Vec::new();
    let mut seen = HashSet::new();
    for path in &args.runs {
        if seen.insert(path.canonicalize().unwrap_or(path.clone())) {
            sources.extend(sources_at(path)?);
        }
    }
    let wrong = |error: PlotError| UsageError(error.to_string());
    let chosen = choose(sources, args.task.as_deref())?;
    let kind = match args.figure {
        Some(kind) => kind,
        None => figures::default_kind(&chosen).map_err(wrong)?,
    };
    let out = args.out.clone().unwrap_or_else(|| args.runs[0].join(figures::file(kind)));
    figures::figure(kind, &chosen).and_then(|figure| figure.save(&out)).map_err(wrong)?;
    say!("{}", out.shown())
}

/// Selects the runs of one task.
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
                    "selects a task of sweeps only; leave it out for runs".into()
                } else {
                    format!("no such task in the sweep; it has {names}")
                };
                return Err(UsageError(format!("--task {task}: {problem}")).into());
            }
        }
        None if names.contains(", ") => {
            return Err(UsageError(format!("the sweep has several tasks; select one with --task: {names}")).into());
        }
        None => {}
    }
    Ok(sources)
}
