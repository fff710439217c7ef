//! `alrao report`: the HTML report of a run or a sweep.

mod page;

use std::fs;
use std::path::Path;

use alrao_plots::{Measure, PlotError, RunInfo, Source};
use anyhow::Result;

use self::page::Page;
use crate::catalog::Catalog;
use crate::config::{Config, OptimizerKind, Task, Versions};
use crate::dataset::Dataset;
use crate::figures::{self, FigureKind};
use crate::message::message;
use crate::output::note;
use crate::run_directory::read_summary;
use crate::runs::episode;
use crate::summary::{Outcome, Summary, spread};
use crate::sweep::directory::{State, SweepDirectory};
use crate::sweep::paper::{is_papers_dataset, published};
use crate::sweep::sources::sources_at;
use crate::sweep::table::{Table, TableFormat};

/// Returns the report of a run or sweep directory as HTML.
///
/// # Errors
/// [`UsageError`](crate::usage_error::UsageError) if it is neither, or no run of the sweep has finished; else a file
/// is corrupt.
pub fn html(directory: &Path, catalog: &Catalog) -> Result<String> {
    let sources = sources_at(directory)?;
    match &sources[..] {
        [source] if source.in_sweep.is_none() => of_run(directory, catalog),
        _ => of_sweep(directory, &sources, catalog),
    }
    .map(|page| page.html())
}

/// The most variants of a sweep whose learning curves are plotted together.
const MOST_VARIANTS: usize = 12;

fn of_run(run: &Path, catalog: &Catalog) -> Result<Page> {
    let config = Config::of_run(run)?;
    let info = RunInfo::read(run)?;
    let mut page = Page::new(&format!("{}, {}, seed {}", info.task, info.method.label, info.seed));
    let summary = read_summary(run)?;
    page.text(match &summary {
        None => "Unfinished.",
        Some(Summary { diverged: true, .. }) => "Diverged: the loss became non-finite.",
        Some(_) => "Finished.",
    });
    page.heading(2, "Results");
    page.pairs(&result(run, &config, summary.as_ref()));
    page.heading(2, "Learning curve");
    let source = run.into();
    figure(&mut page, figures::default_of_run(&config.task), std::slice::from_ref(&source))?;
    inside(&mut page, catalog, &source, &info, summary.as_ref())?;
    page.heading(2, "Configuration");
    made_with(&mut page, &config);
    page.folded("config.toml", &fs::read_to_string(run.join("config.toml"))?);
    Ok(page)
}

fn of_sweep(directory: &Path, sources: &[Source], catalog: &Catalog) -> Result<Page> {
    let sweep = SweepDirectory::read(directory)?;
    let name = std::path::absolute(directory)?.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut page = Page::new(&format!("Sweep {name}"));
    page.text(&format!("{} of {} runs finished.", sources.len(), sweep.runs.len()));
    page.heading(2, "Results");
    page.markdown(&Table::of(&sweep)?.write(TableFormat::Markdown));

    let task_of = |source: &Source| source.in_sweep.as_ref().map(|(task, _)| task.clone());
    let mut tasks: Vec<String> = sources.iter().filter_map(task_of).collect();
    tasks.dedup();
    for task in tasks {
        page.heading(2, &task);
        let of_task: Vec<Source> =
            sources.iter().filter(|source| task_of(source).as_ref() == Some(&task)).cloned().collect();
        if figures::default_kind(&of_task)? == FigureKind::Heatmap {
            page.heading(3, "Learning-rate ranges");
            figure(&mut page, FigureKind::Heatmap, &of_task)?;
        }
        if let [one] = &of_task[..] {
            figure(&mut page, figures::default_of_run(&Config::of_run(&one.dir)?.task), &of_task)?;
        } else {
            let mut variants: Vec<_> = of_task.iter().filter_map(|source| source.in_sweep.as_ref()).collect();
            variants.dedup();
            page.heading(3, "Learning curves");
            match variants.len() {
                0..=MOST_VARIANTS => figure(&mut page, FigureKind::Learning, &of_task)?,
                variants => page.text(&format!(
                    "{variants} variants are too many for one figure; plot the curves of selected runs with alrao plot."
                )),
            }
            if variants.len() <= 6 && Config::of_run(&of_task[0].dir)?.task.agent().is_ok() {
                page.heading(3, "Returns");
                figure(&mut page, FigureKind::Returns, &of_task)?;
            }
        }
        let infos = of_task.iter().map(|source| Ok((source, RunInfo::read(&source.dir)?)));
        let infos = infos.collect::<Result<Vec<_>>>()?;
        let (shown, info) = infos.iter().min_by_key(|(_, info)| rank(info)).expect("each task has a run");
        let name = shown.dir.file_name().unwrap_or_default().to_string_lossy();
        page.heading(3, &format!("Details of run {name}"));
        inside(&mut page, catalog, shown, info, read_summary(&shown.dir)?.as_ref())?;
        page.heading(3, "Configuration");
        made_with(&mut page, &Config::of_run(&shown.dir)?);
        page.folded(&format!("{name}/config.toml"), &fs::read_to_string(shown.dir.join("config.toml"))?);
    }

    page.heading(2, "Runs");
    let mut states = Vec::new();
    for run in &sweep.runs {
        let words = match sweep.state(run)? {
            State::Done(summary) if summary.diverged => format!("diverged, {}", summary.outcome.describe()),
            State::Done(summary) => summary.outcome.describe(),
            State::Failed(reason) => format!("failed: {}", reason.trim_end()),
            State::Missing | State::Unfinished => "unfinished".into(),
        };
        states.push((run.name.as_str(), words));
    }
    page.pairs(&states);
    Ok(page)
}

/// Ranks the runs of a sweep by the details they have: first Alrao on its usual learning-rate range, then on other ranges.
fn rank(info: &RunInfo) -> u8 {
    match info.method.lr_range() {
        Some(_) if info.method.has_default_range() => 0,
        Some(_) => 1,
        None => 2,
    }
}

/// Returns the results of a run, with the paper's.
fn result(run: &Path, config: &Config, summary: Option<&Summary>) -> Vec<(&'static str, String)> {
    let mut pairs = Vec::new();
    let returns = |evaluation: &alrao_agents::evaluation::Evaluation| {
        let of = evaluation.returns;
        let (mean, std, min, max) = (of.mean, of.std, of.min, of.max);
        format!("{} ({} episodes, min {min:.1}, max {max:.1})", spread(mean, std, 1), evaluation.episodes)
    };
    let none = || "none: diverged before a finite validation".to_string();
    match summary.map(|summary| &summary.outcome) {
        None => {}
        Some(Outcome::Agent { steps, stopped, best, test, random_policy }) => {
            pairs.push(("test return", test.as_ref().map_or_else(none, returns)));
            pairs.push(("random policy", returns(random_policy)));
            if let Some(best) = best {
                let words = format!("at step {}, mean validation return {:.1}", best.step, best.mean_return);
                pairs.push(("best checkpoint", words));
            }
            pairs.push(("environment steps", steps.to_string()));
            pairs.extend(stopped.iter().map(|reason| ("stopped because", reason.clone())));
        }
        Some(Outcome::Supervised { epochs, updates, best, test, skipped_files, notes }) => {
            pairs.push(("test", test.map_or_else(none, |test| test.to_string())));
            if let Some(best) = best {
                let words = format!("at epoch {}, validation loss {:.3} nats", best.epoch, best.loss);
                pairs.push(("best checkpoint", words));
            }
            pairs.push(("epochs, updates", format!("{epochs}, {updates}")));
            if *skipped_files > 0 {
                pairs.push(("corrupt files", format!("{skipped_files}, skipped")));
            }
            pairs.extend(notes.iter().map(|note| ("dataset", note.clone())));
        }
    }
    let known = Dataset::read(run).ok();
    let papers_data = is_papers_dataset(config, known.as_ref().map(|known| &known.dataset));
    if let Some(paper) = published(config, true).filter(|_| papers_data) {
        let places = if matches!(config.task, Task::Agent(_)) { 0 } else { 3 };
        let pair = |[mean, std]: [f64; 2], places: usize| match std.is_nan() {
            true => format!("{mean:.places$}"),
            false => format!("{mean:.places$} ± {std:.places$}"),
        };
        let best_rate =
            if config.optimizer.kind == OptimizerKind::Sgd { " (SGD at its best learning rate)" } else { "" };
        let top1 = paper.top1.map_or(String::new(), |top1| format!(", top-1 accuracy {} %", pair(top1, 1)));
        pairs.push(("paper", pair(paper.value, places) + &top1 + best_rate));
    }
    if let Some(summary) = summary {
        pairs.push(("training time", format!("{:.0} s", summary.seconds)));
    }
    pairs
}

/// Adds the head weights, the units and an episode of a run.
fn inside(
    page: &mut Page,
    catalog: &Catalog,
    source: &Source,
    info: &RunInfo,
    summary: Option<&Summary>,
) -> Result<()> {
    let lone = [source.clone()];
    if info.method.lr_range().is_some() {
        page.heading(3, "Head weights over time");
        figure(page, FigureKind::Posterior, &lone)?;
        page.heading(3, "Unit learning rates");
        if let Some(diagnosis) = summary.and_then(|summary| summary.lr_diagnostics.as_ref()) {
            page.lines(&diagnosis.to_string());
        }
        figure(page, FigureKind::Rates, &lone)?;
    }
    if alrao_plots::metrics(source).is_ok() {
        page.heading(3, "Recorded metrics");
        figure(page, FigureKind::Metrics, &lone)?;
    }
    if info.metric.measure == Measure::Return {
        page.heading(3, "Example episode");
        match gif(catalog, &source.dir) {
            Ok((bytes, words)) => {
                page.text(&words);
                page.gif(&bytes, &words);
            }
            // The rest of the report is of use all the same.
            Err(error) => {
                note!("no episode in the report: {}", message(&error));
                page.text(&format!("No episode to show: {}", message(&error)));
            }
        }
    }
    Ok(())
}

/// Renders the first test episode with the greedy policy of the best checkpoint, and describes it.
fn gif(catalog: &Catalog, run: &Path) -> Result<(Vec<u8>, String)> {
    let episode = episode(catalog, run, None)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("episode.gif");
    episode.save_gif(&file)?;
    Ok((fs::read(file)?, format!("The first test episode with the best checkpoint: {}.", episode.describe())))
}

/// Adds a figure, or the reason why it can't be drawn.
fn figure(page: &mut Page, kind: FigureKind, sources: &[Source]) -> Result<()> {
    match figures::figure(kind, sources).and_then(|figure| figure.embed()) {
        Ok(figure) => page.figure(&figure),
        Err(error @ PlotError::OlderVersion { .. }) => return Err(error.into()),
        Err(error) => {
            let words = format!("No figure: {error}.");
            if error.is_damage() && !page.has(&words) {
                note!("no figure in the report: {error}");
            }
            page.text(&words);
        }
    }
    Ok(())
}

/// Adds device, threads and versions.
fn made_with(page: &mut Page, config: &Config) {
    let mut pairs = vec![("device", config.device.clone()), ("threads", config.threads.to_string())];
    if let Some(Versions { alrao, libtorch }) = &config.versions {
        pairs.push(("versions", format!("alrao {alrao}, libtorch {libtorch}")));
    }
    pairs.push(("report", format!("alrao {}", env!("CARGO_PKG_VERSION"))));
    page.pairs(&pairs);
}
