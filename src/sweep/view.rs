//! The progress display of a sweep: on a terminal, a table of ended, training and waiting runs, as far as they fit;
//! otherwise a line for each run that ends, and a progress line every minute.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use alrao_core::path::Shown;
use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::config::{Config, Task};
use crate::output::{self, note};
use crate::sweep::directory::{State, SweepDirectory};
use crate::sweep::executor::End;

/// Intervals between readings of the runs' progress.
const LOOK_EVERY_ON_TERMINAL: Duration = Duration::from_secs(1);
const LOOK_EVERY_ELSEWHERE: Duration = Duration::from_secs(60);

/// The progress display of a sweep.
pub struct View<'a> {
    sweep: &'a SweepDirectory,
    /// on a terminal: the part of the table that still changes
    live: Option<ProgressBar>,
    /// columns of the longest run name
    longest_name: usize,
    ended: usize,
    looked: Option<Instant>,
    /// last known seconds per training step or epoch
    pace: f64,
}

/// The progress of a run, from its log.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Progress {
    /// environment steps or finished epochs
    step: u64,
    /// wall-clock seconds so far
    seconds: f64,
    /// the mean return or loss of the last validation, or else the last episode's return
    latest: Option<f64>,
}

/// A line of the table.
#[derive(Default)]
struct Line<'a> {
    name: &'a str,
    state: &'a str,
    /// in [0, 1]
    progress: Option<f64>,
    figure: String,
    time: String,
}

impl<'a> View<'a> {
    /// Creates the display of a sweep with `to_go` unfinished runs, which are trained in this `way`.
    pub fn new(sweep: &'a SweepDirectory, to_go: usize, way: &str) -> Self {
        let style = || ProgressStyle::with_template("{msg}").expect("a good template");
        let live = output::is_live().then(|| ProgressBar::new_spinner().with_style(style()));
        let longest_name = sweep.runs.iter().map(|run| run.name.chars().count()).max().unwrap_or(0);
        let total = sweep.runs.len();
        let view = View { sweep, live, longest_name, ended: total - to_go, looked: None, pace: f64::NAN };
        if !output::is_quiet() {
            view.say(&format!("{to_go} of {total} runs to go, {way}, in {}", sweep.path().shown()));
        }
        if view.live.is_some() && to_go > 0 {
            let head =
                Line { name: "run", state: "state", figure: "latest".into(), time: "time".into(), progress: None };
            view.say(&view.in_columns(&head));
        }
        view
    }

    /// Shows that a run ended.
    ///
    /// # Errors
    /// Its directory can't be read.
    pub fn ended(&mut self, run: usize, end: End) -> Result<()> {
        let run = &self.sweep.runs[run];
        self.ended += 1;
        let mut line = Line { name: &run.name, ..Line::default() };
        let words = match self.sweep.state(run)? {
            State::Done(summary) => {
                line.state = if summary.diverged { "diverged" } else { "done" };
                line.figure =
                    summary.outcome.primary_metric().map_or("-".into(), |figure| format_metric(&run.config, figure));
                line.time = duration(summary.seconds);
                let diverged = if summary.diverged { ", diverged" } else { "" };
                format!("{}{diverged}, {}", summary.outcome.describe(), line.time)
            }
            State::Failed(reason) => {
                line.state = "failed";
                format!("failed: {}", reason.trim_end().replace('\n', "\n    "))
            }
            State::Missing | State::Unfinished if end == End::Failed => {
                line.state = "failed";
                "failed: the reason can't be recorded, see above".into()
            }
            State::Missing | State::Unfinished => {
                line.state = "stopped";
                "stopped by a signal or by Slurm".into()
            }
        };
        if self.live.is_some() {
            let reason = words.strip_prefix("failed: ").map_or(String::new(), |reason| format!("\n    {reason}"));
            self.say(&(self.in_columns(&line) + &reason));
            self.looked = None; // remove it from the live part at once
        } else if line.state == "failed" || !output::is_quiet() {
            self.say(&format!("{}/{}  {}: {words}", self.ended, self.sweep.runs.len(), run.name));
        }
        Ok(())
    }

    /// Shows the progress of the `training` runs and the `waiting` runs, if the interval is over.
    pub fn look(&mut self, training: &[usize], waiting: &[usize]) {
        let every = if self.live.is_some() { LOOK_EVERY_ON_TERMINAL } else { LOOK_EVERY_ELSEWHERE };
        if self.looked.is_some_and(|looked| looked.elapsed() < every) {
            return;
        }
        let first = self.looked.replace(Instant::now()).is_none();
        let config = |run: usize| &self.sweep.runs[run].config;
        let progress: Vec<(usize, Progress)> =
            training.iter().map(|&run| (run, Progress::of(&self.sweep.of(&self.sweep.runs[run])))).collect();
        let learned: u64 = progress.iter().map(|(run, p)| learned(config(*run), p.step)).sum();
        let seconds: f64 = progress.iter().map(|(_, p)| p.seconds).sum();
        let begun = progress.iter().map(|(run, p)| to_train(config(*run), p.step));
        let to_go: u64 = begun.chain(waiting.iter().map(|&run| to_train(config(run), 0))).sum();
        if learned > 0 {
            self.pace = seconds / learned as f64;
        }
        let left = duration(to_go as f64 * self.pace / training.len() as f64);
        let total = self.sweep.runs.len();
        if let Some(live) = &self.live {
            let trained =
                progress.iter().map(|(run, p)| self.in_columns(&trained(config(*run), &self.sweep.runs[*run].name, p)));
            let others = waiting.iter().map(|&run| {
                self.in_columns(&Line { name: &self.sweep.runs[run].name, state: "waiting", ..Line::default() })
            });
            let mut lines = fitted(trained.chain(others), training.len() + waiting.len(), size().1.saturating_sub(2));
            lines.push(format!("{} of {total} runs ended, {} training, {left} left", self.ended, training.len()));
            live.set_message(lines.join("\n"));
            live.tick();
        } else if !first && !output::is_quiet() {
            let runs = progress.iter().map(|(run, p)| {
                let latest =
                    p.latest.map_or("-".into(), |latest| format!("at {}", format_metric(config(*run), latest)));
                format!("{} {:.0} % {latest}", self.sweep.runs[*run].name, 100.0 * share(config(*run), p))
            });
            let runs = runs.collect::<Vec<_>>().join("; ");
            self.say(&format!("{}/{total} runs ended | {left} left | {runs}", self.ended));
        }
    }

    /// Removes the part that still changes.
    pub fn finish(self) {
        if let Some(live) = self.live {
            live.finish_and_clear();
        }
    }

    /// Prints a line that stays.
    fn say(&self, line: &str) {
        match &self.live {
            Some(live) => live.suspend(|| note!("{line}")),
            None => note!("{line}"),
        }
    }

    /// Formats a line for the terminal's width; a name that is too long loses its middle.
    fn in_columns(&self, line: &Line) -> String {
        const OTHERS: usize = 52;
        let width = self.longest_name.min(size().0.saturating_sub(OTHERS)).max(12);
        let Line { state, figure, time, .. } = line;
        let bar = line.progress.map_or(String::new(), bar);
        let text = format!("{:<width$}  {state:<8}  {bar:<16}  {figure:>9}  {time:>11}", shortened(line.name, width));
        text.trim_end().chars().take(size().0).collect()
    }
}

fn trained<'a>(config: &Config, name: &'a str, progress: &Progress) -> Line<'a> {
    let pace = progress.seconds / learned(config, progress.step) as f64;
    Line {
        name,
        state: "training",
        progress: Some(share(config, progress)),
        figure: progress.latest.map_or(String::new(), |latest| format_metric(config, latest)),
        time: format!("{} left", duration(to_train(config, progress.step) as f64 * pace)),
    }
}

/// Returns the first of `count` lines that fit into the rows, and how many don't.
fn fitted(lines: impl Iterator<Item = String>, count: usize, rows: usize) -> Vec<String> {
    if count <= rows {
        return lines.collect();
    }
    let shown = rows.saturating_sub(1);
    lines.take(shown).chain([format!("and {} more", count - shown)]).collect()
}

/// Returns the columns and rows of the terminal, which some terminals don't tell, or tell as 0.
fn size() -> (usize, usize) {
    let told = rustix::termios::tcgetwinsize(std::io::stderr()).ok();
    let told = told.filter(|size| size.ws_col > 0 && size.ws_row > 0);
    told.map_or((80, 24), |size| (size.ws_col.into(), size.ws_row.into()))
}

/// Returns the completed fraction of a run.
fn share(config: &Config, progress: &Progress) -> f64 {
    progress.step as f64 / config.budget() as f64
}

/// Returns the steps before learning starts, which take hardly any time.
fn learning_starts(config: &Config) -> u64 {
    match &config.task {
        Task::Agent(task) => task.agent.learning_starts,
        Task::Supervised(_) => 0,
    }
}

fn learned(config: &Config, step: u64) -> u64 {
    step.saturating_sub(learning_starts(config))
}

fn to_train(config: &Config, step: u64) -> u64 {
    config.budget().saturating_sub(step.max(learning_starts(config)))
}

fn bar(share: f64) -> String {
    const LENGTH: usize = 10;
    let full = (share * LENGTH as f64) as usize;
    format!("{}{} {:>3.0} %", "█".repeat(full), "░".repeat(LENGTH.saturating_sub(full)), 100.0 * share)
}

/// Formats a metric; losses get more digits than returns.
fn format_metric(config: &Config, figure: f64) -> String {
    match config.task {
        Task::Agent(_) => format!("{figure:.1}"),
        Task::Supervised(_) => format!("{figure:.3}"),
    }
}

fn shortened(name: &str, width: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= width {
        return name.into();
    }
    let (head, tail) = (width / 3, width - width / 3 - 1); // its end differs more
    let part = |letters: &[char]| letters.iter().collect::<String>();
    format!("{}…{}", part(&letters[..head]), part(&letters[letters.len() - tail..]))
}

/// Formats a duration roughly; `?` if it is unknown.
fn duration(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round();
    match seconds {
        _ if !seconds.is_finite() => "?".into(),
        ..60.0 => format!("{seconds:.0} s"),
        ..3600.0 => format!("{minutes} min"),
        ..86_400.0 => format!("{} h {:02}", (minutes / 60.0).floor(), minutes % 60.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

impl Progress {
    /// Reads the progress of a run from the end of its `metrics.jsonl`.
    fn of(run: &Path) -> Self {
        const END: u64 = 16_384; // bytes; a line has some 500 at most
        let read = || -> std::io::Result<String> {
            let mut file = File::open(run.join("metrics.jsonl"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        let mut progress = Progress::default();
        let mut validated = false;
        for line in read().unwrap_or_default().lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue }; // truncated at either end
            progress.step = match line["epoch"].as_u64() {
                Some(epoch) if line["kind"] == "epoch" => epoch,
                Some(under_way) => under_way.saturating_sub(1),
                None => line["step"].as_u64().unwrap_or(progress.step),
            };
            progress.seconds = line["seconds"].as_f64().unwrap_or(progress.seconds);
            match line["kind"].as_str() {
                Some("validation") => {
                    validated = true;
                    progress.latest = line["return"]["mean"].as_f64();
                }
                Some("epoch") => progress.latest = line["validation"]["loss"].as_f64(),
                Some("episode") if !validated => progress.latest = line["return"].as_f64(),
                _ => {}
            }
        }
        progress
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn progress_is_read_from_the_end_of_an_unfinished_log() {
        let run = tempfile::tempdir().unwrap();
        assert_eq!(Progress::of(run.path()), Progress::default());
        let lines = [
            "{\"kind\":\"validation\",\"step\":100,\"return\":{\"mean\":-9.5},\"seconds\":1.0}\n",
            "{\"kind\":\"episode\",\"step\":200,\"return\":-3.0,\"seconds\":2.0}\n",
            "{\"kind\":\"update\",\"step\":30",
        ];
        std::fs::write(run.path().join("metrics.jsonl"), lines.concat()).unwrap();
        let expected = Progress { step: 200, seconds: 2.0, latest: Some(-9.5) };
        assert_eq!(Progress::of(run.path()), expected);
    }

    #[test]
    fn a_table_fits_its_terminal() {
        assert_eq!(shortened("pendulum-sgd-lr=0.1-seed0", 26), "pendulum-sgd-lr=0.1-seed0");
        assert_eq!(shortened("pendulum-sgd-lr=0.1-seed0", 13), "pend….1-seed0");
        let lines = || ["a", "b", "c"].map(String::from).into_iter();
        assert_eq!(fitted(lines(), 3, 3), ["a", "b", "c"]);
        assert_eq!(fitted(lines(), 3, 2), ["a", "and 2 more"]);
        assert_eq!([0.0, 0.49, 1.0].map(bar), ["░░░░░░░░░░   0 %", "████░░░░░░  49 %", "██████████ 100 %"]);
        let times = [f64::NAN, 7.4, 100.0, 3599.0, 7530.0, 200_000.0].map(duration);
        assert_eq!(times, ["?", "7 s", "2 min", "60 min", "2 h 06", "2.3 days"]);
    }

    #[test]
    fn steps_before_learning_starts_take_no_time() {
        let config = Config::read(
            "pendulum",
            &["schedule.steps=3000".into(), "agent.learning_starts=1000".into()],
            &Catalog::builtin(),
        )
        .unwrap();
        let line = |step, seconds| trained(&config, "", &Progress { step, seconds, latest: None }).time;
        assert_eq!(line(900, 0.1), "? left");
        assert_eq!(line(1500, 10.0), "30 s left");
    }
}
