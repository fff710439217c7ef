//! What a sweep shows while it goes on: a line for each run that ends, and between them, on a terminal a bar for each
//! run that is trained, else a plain line now and then.

use std::collections::HashMap;
use std::fs::File;
use std::io::{IsTerminal, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::sweep::directory::{State, SweepDirectory};

/// Between two looks at how far the runs are.
const LOOK_EVERY_ON_TERMINAL: Duration = Duration::from_secs(1);
const LOOK_EVERY_ELSEWHERE: Duration = Duration::from_secs(60);

/// The view of a sweep.
pub struct View<'a> {
    sweep: &'a SweepDirectory,
    bars: Option<Bars>,
    ended: usize,
    looked: Instant,
}

/// Bars on a terminal.
struct Bars {
    all: MultiProgress,
    whole: ProgressBar,
    of_runs: HashMap<usize, ProgressBar>,
}

/// How far a run is, by its own log.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Progress {
    /// environment steps, or epochs that are over
    step: u64,
    /// wall-clock seconds that it took
    seconds: f64,
    /// the mean return or the loss of the last validation, or else the last episode's return
    latest: Option<f64>,
}

impl<'a> View<'a> {
    /// A view of a sweep of which so many runs are to go, in this way.
    pub fn new(sweep: &'a SweepDirectory, to_go: usize, way: &str) -> Self {
        let bars = std::io::stderr().is_terminal().then(|| Bars::new(sweep.runs.len()));
        let total = sweep.runs.len();
        let view = View { sweep, bars, ended: total - to_go, looked: Instant::now() };
        view.say(&format!("{to_go} of {total} runs to go, {way}, in {}", sweep.path().display()));
        view
    }

    /// A run ended, this way.
    ///
    /// # Errors
    /// Its directory can't be read.
    pub fn ended(&mut self, run: usize) -> Result<()> {
        let name = &self.sweep.runs[run].name;
        let how = match self.sweep.state(&self.sweep.runs[run])? {
            State::Done(summary) => {
                let test = summary.outcome.words();
                let diverged = if summary.diverged { ", diverged" } else { "" };
                format!("{test}{diverged}, {}", HumanDuration(Duration::from_secs_f64(summary.seconds)))
            }
            State::Failed(reason) => format!("failed: {}", reason.trim_end().replace('\n', "\n    ")),
            State::Missing | State::Unfinished => "stopped from outside".into(),
        };
        self.ended += 1;
        if let Some(bars) = &mut self.bars
            && let Some(bar) = bars.of_runs.remove(&run)
        {
            bar.finish_and_clear();
        }
        self.say(&format!("{}/{}  {name}: {how}", self.ended, self.sweep.runs.len()));
        Ok(())
    }

    /// Shows how far these runs are that are trained now, if it is time to; others wait.
    pub fn look(&mut self, training: &[usize], waiting: &[usize]) {
        let every = if self.bars.is_some() { LOOK_EVERY_ON_TERMINAL } else { LOOK_EVERY_ELSEWHERE };
        if self.looked.elapsed() < every {
            return;
        }
        self.looked = Instant::now();
        let budget = |run: usize| self.sweep.runs[run].config.budget();
        let progress: Vec<(usize, Progress)> =
            training.iter().map(|&run| (run, Progress::of(&self.sweep.of(&self.sweep.runs[run])))).collect();
        let (steps, seconds) =
            progress.iter().fold((0, 0.0), |(steps, seconds), (_, p)| (steps + p.step, seconds + p.seconds));
        let pace = seconds / steps as f64;
        let to_go: u64 =
            progress.iter().map(|(run, p)| budget(*run) - p.step).chain(waiting.iter().map(|&run| budget(run))).sum();
        let left = words(to_go as f64 * pace / training.len() as f64);
        match &mut self.bars {
            Some(bars) => {
                bars.whole.set_position(self.ended as u64);
                bars.whole.set_message(left);
                for (run, p) in progress {
                    bars.show(run, &self.sweep.runs[run].name, budget(run), p);
                }
            }
            None => {
                let runs = progress.iter().map(|(run, p)| {
                    let share = 100 * p.step / budget(*run);
                    format!("{} {share} % {}", self.sweep.runs[*run].name, p.latest_words())
                });
                let runs = runs.collect::<Vec<_>>().join("; ");
                self.say(&format!("{}/{}  {left}; {runs}", self.ended, self.sweep.runs.len()));
            }
        }
    }

    /// Takes the bars away.
    pub fn finish(self) {
        if let Some(bars) = self.bars {
            bars.of_runs.values().chain([&bars.whole]).for_each(ProgressBar::finish_and_clear);
        }
    }

    /// A line that stays.
    fn say(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.all.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }
}

impl Bars {
    fn new(runs: usize) -> Self {
        let style = ProgressStyle::with_template("{pos}/{len} runs ended  {msg}").expect("a good template");
        let all = MultiProgress::new();
        let whole = all.add(ProgressBar::new(runs as u64).with_style(style));
        Bars { all, whole, of_runs: HashMap::new() }
    }

    fn show(&mut self, run: usize, name: &str, budget: u64, progress: Progress) {
        let bar = self.of_runs.entry(run).or_insert_with(|| {
            let template = "{prefix}  {bar:20} {human_pos}/{human_len}  {msg}";
            let style = ProgressStyle::with_template(template).expect("a good template");
            let bar = ProgressBar::new(budget).with_style(style).with_prefix(name.to_string());
            self.all.insert_before(&self.whole, bar)
        });
        let left = words((budget - progress.step) as f64 * progress.seconds / progress.step as f64);
        bar.set_message(format!("{}  {left}", progress.latest_words()));
        bar.set_position(progress.step);
    }
}

impl Progress {
    /// Of a run, from the end of its `metrics.jsonl`.
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
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue }; // cut off at either end
            progress.step = match line["epoch"].as_u64() {
                Some(epoch) if line["kind"] == "epoch" => epoch,
                Some(under_way) => under_way - 1,
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

    fn latest_words(&self) -> String {
        self.latest.map_or("-".into(), |latest| format!("at {latest:.4}"))
    }
}

fn words(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or("? left".into(), |left| format!("{} left", HumanDuration(left)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_from_the_end_of_a_log_that_is_still_written() {
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
}
