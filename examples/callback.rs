//! A callback of one's own: it records the mean length of the last ten episodes, and stops the training once they are long
//! enough.
//!
//! `cargo run --release --example callback -- train cartpole` stops before the 50,000 steps are over.

use std::process::ExitCode;

use alrao::App;
use alrao::agents::callback::{Callback, CallbackError, EndedEpisode, TrainingContext};
use serde_json::Value;

const EPISODES: usize = 10;

/// The lengths of the last episodes.
#[derive(Default)]
pub struct LongEpisodes {
    lengths: Vec<u64>,
    enough: f64,
}

impl LongEpisodes {
    /// Creates a callback that stops the training at a mean length of `enough` steps.
    pub fn new(enough: f64) -> Self {
        LongEpisodes { enough, ..Default::default() }
    }
}

impl Callback for LongEpisodes {
    fn name(&self) -> &str {
        "long_episodes"
    }

    fn on_episode_end(
        &mut self,
        training: &mut TrainingContext<'_>,
        episode: EndedEpisode,
    ) -> Result<(), CallbackError> {
        self.lengths.push(episode.length);
        if self.lengths.len() == EPISODES {
            let mean = self.lengths.drain(..).sum::<u64>() as f64 / EPISODES as f64;
            training.record("mean_length", mean);
            if mean >= self.enough {
                training.stop(format!("the mean length of {EPISODES} episodes is {mean}"));
            }
        }
        Ok(())
    }

    fn save(&self) -> Value {
        self.lengths.clone().into()
    }

    fn load(&mut self, state: Value) -> Result<(), CallbackError> {
        self.lengths = serde_json::from_value(state)?;
        Ok(())
    }
}

#[allow(dead_code)] // the tests use the callback
fn main() -> ExitCode {
    App::new().callback(|| LongEpisodes::new(400.0)).main()
}
