//! What a run shows while it goes on: on a terminal a bar with the latest of everything, else a plain line now and then.

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
    latest: Latest,
}

/// The latest of everything that a training told, in words.
#[derive(Default)]
struct Latest {
    episode: Option<String>,
    validation: Option<String>,
    update: Option<String>,
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
        Progress { bar, budget, started: now, first_step, told: now, latest: Latest::default() }
    }

    /// Takes in an event, at an environment step.
    pub fn event(&mut self, event: &Event, step: u64) {
        self.latest.take_in(event);
        match &self.bar {
            Some(bar) => {
                bar.set_position(step);
                bar.set_message(format!("{}\n{}", self.pace(step), self.latest.words("\n")));
            }
            None if self.told.elapsed() >= EVERY => {
                self.told = Instant::now();
                eprintln!("{step}/{} steps  {}  {}", self.budget, self.pace(step), self.latest.words("  "));
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

    fn pace(&self, step: u64) -> String {
        let steps_per_second = (step - self.first_step) as f64 / self.started.elapsed().as_secs_f64();
        let left = Duration::try_from_secs_f64((self.budget - step) as f64 / steps_per_second);
        let left = left.map_or("?".into(), |left| HumanDuration(left).to_string());
        format!("{steps_per_second:.0} steps/s  {left} left")
    }
}

impl Latest {
    fn take_in(&mut self, event: &Event) {
        match event {
            Event::Episode { episode, episode_return, length, epsilon, .. } => {
                let words =
                    format!("episode {episode}: return {episode_return:.1} in {length} steps, epsilon {epsilon:.2}");
                self.episode = Some(words);
            }
            Event::Update { loss, q_mean, q_max, posterior, units_out_of_range, .. } => {
                let heads = if posterior.len() > 1 { format!("  heads {}", bars(posterior)) } else { String::new() };
                self.update = Some(format!(
                    "loss {loss:.3}  Q mean {q_mean:.1} max {q_max:.1}{heads}  units out of range {units_out_of_range}"
                ));
            }
            Event::Validation { step, evaluation, .. } => {
                let returns = evaluation.returns;
                self.validation = Some(format!("validation {:.1} ± {:.1} at step {step}", returns.mean, returns.std));
            }
        }
    }

    /// One part after another; what has not been told yet is left out.
    fn words(&self, between: &str) -> String {
        let parts = [&self.episode, &self.update, &self.validation];
        parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(between)
    }
}

/// Weights between 0 and 1 as a row of bars.
fn bars(weights: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    weights.iter().map(|weight| BARS[(weight * 8.0).clamp(0.0, 7.0) as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alrao_agents::evaluation::Evaluation;

    #[test]
    fn the_latest_of_each_kind_is_told() {
        let mut latest = Latest::default();
        assert_eq!(latest.words("\n"), "");
        let episode = |episode, episode_return| Event::Episode {
            step: 200,
            episode,
            episode_return,
            length: 200,
            terminated: false,
            epsilon: 0.5,
        };
        latest.take_in(&episode(1, -9.0));
        latest.take_in(&Event::Validation { step: 200, evaluation: Evaluation::of(&[1.0, 3.0]), best: true });
        latest.take_in(&Event::Update {
            step: 200,
            updates: 100,
            loss: 1.25,
            q_mean: -2.0,
            q_max: 0.5,
            reward_factor: 1.0,
            posterior: vec![0.0, 0.75, 0.25, 1.0],
            units_out_of_range: 3,
        });
        latest.take_in(&episode(2, -8.0));
        let expected = "episode 2: return -8.0 in 200 steps, epsilon 0.50\n\
                        loss 1.250  Q mean -2.0 max 0.5  heads ▁▇▃█  units out of range 3\n\
                        validation 2.0 ± 1.4 at step 200";
        assert_eq!(latest.words("\n"), expected);
    }
}
