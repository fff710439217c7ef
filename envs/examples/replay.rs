//! Replays episodes for another program: reads a line of JSON per episode and writes its bytes.
//!
//! ```text
//! {"environment": {"name": "lunar-lander"}, "seed": 7, "actions": [0, 2, 2]}
//! {"environment": {"name": "pendulum-continuous"}, "seed": 7, "actions": [[0.5], [-2.0]]}
//! ```
//!
//! The output, in little-endian: the number of rows (u32), then a row for the reset and for each action until one fails:
//! the observation (f32), the reward (f64), terminated and truncated (one byte each). With `"frame": "file.png"` the last
//! state is rendered to that file.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use alrao_envs::{Environment, EnvironmentSettings, Registry, Step};
use serde::Deserialize;

#[derive(Deserialize)]
struct Episode {
    environment: EnvironmentSettings,
    seed: u64,
    actions: Vec<Action>,
    frame: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Action {
    Discrete(usize),
    Continuous(Vec<f32>),
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lines() {
        let (rows, count) = play(&serde_json::from_str(&line?)?)?;
        out.write_all(&count.to_le_bytes())?;
        out.write_all(&rows)?;
        out.flush()?;
    }
    Ok(())
}

fn play(episode: &Episode) -> Result<(Vec<u8>, u32), Box<dyn Error>> {
    let mut env = Registry::builtin().make(&episode.environment)?;
    env.reset(episode.seed)?;
    let start = Step { reward: 0.0, terminated: false, truncated: false };
    let (mut rows, mut count) = (row(env.as_ref(), start), 1);
    for action in &episode.actions {
        let outcome = match action {
            Action::Discrete(action) => env.step(*action),
            Action::Continuous(action) => env.step_continuous(action),
        };
        let Ok(step) = outcome else { break };
        rows.extend(row(env.as_ref(), step));
        count += 1;
    }
    if let Some(frame) = &episode.frame {
        env.render_state().ok_or("this environment can't be rendered")?.render().save_png(frame)?;
    }
    Ok((rows, count))
}

fn row(env: &dyn Environment, step: Step) -> Vec<u8> {
    let mut bytes: Vec<u8> = env.observation().iter().flat_map(|value| value.to_le_bytes()).collect();
    bytes.extend(step.reward.to_le_bytes());
    bytes.extend([step.terminated, step.truncated].map(u8::from));
    bytes
}
