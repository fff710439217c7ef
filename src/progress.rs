//! What a run shows while it goes on: a bar on a terminal, else a plain line now and then.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use alrao_agents::training::Event;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

/// Seconds between plain lines.
const EVERY: Duration = Duration::from_secs(10);

/// The progress of a run.
pub struct Progress {
    bar: Option<ProgressBar>,
    budget: u64,
    started: Instant,
    first_step: u64,
    told: Instant,
    latest_return: Option<f64>,
    validation: Option<f64>,
}

impl Progress {
    /// Progress of a run of `budget` environment steps that begins with step `first_step`.
    pub fn new(budget: u64, first_step: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{wide_bar} {human_pos}/{human_len} steps  {msg}";
            let style = ProgressStyle::with_template(template).expect("a good template");
            ProgressBar::new(budget).with_position(first_step).with_style(style)
        });
        let now = Instant::now();
        Progress { bar, budget, started: now, first_step, told: now, latest_return: None, validation: None }
    }

    /// Takes in an event, at an environment step.
    pub fn event(&mut self, event: &Event, step: u64) {
        match event {
            Event::Episode { episode_return, .. } => self.latest_return = Some(*episode_return),
            Event::Validation { evaluation, .. } => self.validation = Some(evaluation.returns.mean),
            Event::Update { .. } => {}
        }
        match &self.bar {
            Some(bar) => {
                bar.set_position(step);
                bar.set_message(self.words(step));
            }
            None if self.told.elapsed() >= EVERY => {
                self.told = Instant::now();
                eprintln!("{step}/{} steps  {}", self.budget, self.words(step));
            }
            None => {}
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }

    fn words(&self, step: u64) -> String {
        let steps_per_second = (step - self.first_step) as f64 / self.started.elapsed().as_secs_f64();
        let left = Duration::try_from_secs_f64((self.budget - step) as f64 / steps_per_second);
        let number = |x: Option<f64>| x.map_or("-".into(), |x| format!("{x:.0}"));
        format!(
            "{steps_per_second:.0} steps/s  return {}  validation {}  {} left",
            number(self.latest_return),
            number(self.validation),
            left.map_or("?".into(), |left| HumanDuration(left).to_string()),
        )
    }
}
