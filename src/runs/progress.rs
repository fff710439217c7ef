//! The progress display of a run: a bar with the latest metrics on a terminal, otherwise a line every ten seconds.

use std::time::{Duration, Instant};

use alrao_agents::training::DqnEvent;
use alrao_core::path::Shown;
use alrao_tasks::training::SupervisedEvent;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use super::Event;
use super::evaluation_display::{EvaluationDisplay, limited};
use crate::output::{self, note};
use crate::summary::spread;

/// Interval between lines where there is no bar.
const EVERY: Duration = Duration::from_secs(10);

/// The progress display of a run.
pub struct Progress {
    bar: Option<ProgressBar>,
    budget: u64,
    unit: &'static str,
    started: Instant,
    spent_before: f64,
    printed: Instant,
    latest: Latest,
    said_limit: bool,
}

/// The latest metrics of each kind, formatted.
#[derive(Default)]
struct Latest {
    speed: Option<String>,
    episode: Option<String>,
    update: Option<String>,
    validation: Option<String>,
}

impl Progress {
    /// Creates the display of a run with `budget` in `unit`, of which `spent` was done before it was resumed.
    pub fn new(budget: u64, unit: &'static str, spent: f64) -> Self {
        let bar = output::is_live().then(|| {
            let template = format!("{{wide_bar}} {{human_pos}}/{{human_len}} {unit}  {{msg}}");
            let style = ProgressStyle::with_template(&template).expect("a good template");
            ProgressBar::new(budget).with_position(spent as u64).with_style(style)
        });
        let now = Instant::now();
        let latest = Latest::default();
        Progress { bar, budget, unit, started: now, spent_before: spent, printed: now, latest, said_limit: false }
    }

    /// Returns the display of evaluations during the training.
    pub fn of_evaluations(&self) -> EvaluationDisplay {
        EvaluationDisplay::beside(self.bar.clone())
    }

    /// Updates the display with an event, the spent part of the budget and, if measured, the speed per second.
    pub fn event(&mut self, event: &Event, spent: f64, speed: Option<(f64, &str)>) {
        self.latest.take_in(event);
        if let Event::Supervised(SupervisedEvent::SkippedFile { file, .. }) = event {
            self.say(&format!("{}: {}; skipped", file.path.shown(), file.problem));
        }
        if let Event::Agent(DqnEvent::Validation { step, evaluation, .. }) = event
            && let Some(limited) = limited(evaluation)
            && !self.said_limit
        {
            self.said_limit = true;
            self.say(&format!("validation at step {step}: {limited}"));
        }
        if let Some((speed, what)) = speed {
            self.latest.speed = Some(format!("{speed:.0} {what}/s"));
        }
        match &self.bar {
            Some(bar) => {
                bar.set_position(spent as u64);
                bar.set_message(format!("{}\n{}", self.left(spent), self.latest.words("\n")));
            }
            None if !output::is_quiet() && self.printed.elapsed() >= EVERY => {
                self.printed = Instant::now();
                let (budget, unit) = (self.budget, self.unit);
                note!("{}/{budget} {unit} | {} | {}", spent as u64, self.left(spent), self.latest.words(" | "));
            }
            None => {}
        }
    }

    /// Prints a line that stays.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => note!("{line}"),
        }
    }

    /// Removes the bar.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn left(&self, spent: f64) -> String {
        let pace = self.started.elapsed().as_secs_f64() / (spent - self.spent_before);
        let left = Duration::try_from_secs_f64((self.budget as f64 - spent) * pace);
        let left = left.map_or("?".into(), |left| HumanDuration(left).to_string());
        format!("at most {left} left")
    }
}

impl Latest {
    fn take_in(&mut self, event: &Event) {
        match event {
            Event::Agent(DqnEvent::Episode { episode, episode_return, length, epsilon, .. }) => {
                let words = format!("episode {episode}: return {episode_return:.1}, length {length}, eps {epsilon:.2}");
                self.episode = Some(words);
            }
            Event::Agent(DqnEvent::Update { loss, mean_max_q, max_q, posterior, exploded_units, .. }) => {
                let q = format!(", mean max Q {mean_max_q:.1}, max Q {max_q:.1}");
                self.update = Some(format!("loss {loss:.3}{q}{}", heads_and_units(posterior, *exploded_units)));
            }
            Event::Supervised(SupervisedEvent::Update { loss, posterior, exploded_units, .. }) => {
                self.update = Some(format!("loss {loss:.3}{}", heads_and_units(posterior, *exploded_units)));
            }
            Event::Supervised(SupervisedEvent::Epoch { epoch, train, validation, .. }) => {
                self.validation = Some(format!("epoch {epoch}: training {train}; validation {validation}"));
            }
            Event::Agent(DqnEvent::Metric { .. }) | Event::Supervised(SupervisedEvent::SkippedFile { .. }) => {}
            Event::Agent(DqnEvent::Validation { step, evaluation, .. }) => {
                let returns = evaluation.returns;
                self.validation = Some(format!("validation at step {step}: {}", spread(returns.mean, returns.std, 1)));
            }
        }
    }

    /// Joins the parts that were logged so far.
    fn words(&self, between: &str) -> String {
        let parts = [&self.speed, &self.episode, &self.update, &self.validation];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(between)
    }
}

/// Formats the posterior over heads, if there are several, and the number of exploded units.
fn heads_and_units(posterior: &[f64], exploded: usize) -> String {
    let heads = if posterior.len() > 1 { format!(" | heads {}", bars(posterior)) } else { String::new() };
    format!("{heads} | exploded units {exploded}")
}

/// Draws weights between 0 and 1 as a row of bars.
fn bars(weights: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    weights.iter().map(|weight| BARS[(weight * 8.0).clamp(0.0, 7.0) as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alrao_agents::evaluation::Evaluation;

    #[test]
    fn the_latest_metrics_of_each_kind_are_shown() {
        let mut latest = Latest::default();
        assert_eq!(latest.words("\n"), "");
        let episode = |episode, episode_return| {
            let (length, terminated) = (200, false);
            Event::Agent(DqnEvent::Episode { step: 200, episode, episode_return, length, terminated, epsilon: 0.5 })
        };
        latest.take_in(&episode(1, -9.0));
        let evaluation = Evaluation::of(&[1.0, 3.0]);
        latest.take_in(&Event::Agent(DqnEvent::Validation { step: 200, evaluation, best: true }));
        latest.take_in(&Event::Agent(DqnEvent::Update {
            step: 200,
            updates: 100,
            loss: 1.25,
            mean_max_q: -2.0,
            max_q: 0.5,
            reward_factor: 1.0,
            posterior: vec![0.0, 0.75, 0.25, 1.0],
            exploded_units: 3,
        }));
        latest.take_in(&episode(2, -8.0));
        let expected = "episode 2: return -8.0, length 200, eps 0.50\n\
                        loss 1.250, mean max Q -2.0, max Q 0.5 | heads ▁▇▃█ | exploded units 3\n\
                        validation at step 200: 2.0 ± 1.4";
        assert_eq!(latest.words("\n"), expected);
    }
}
