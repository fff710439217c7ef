//! A game whose legal actions change: tic-tac-toe against a random player. The environment says which fields are free, and
//! the agent takes no other action.
//!
//! `cargo run --release --example tic_tac_toe -- train tic-tac-toe` learns it in half a minute. With
//! `--set environment.masked=false` the agent must find out by itself that taken fields lose the game.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alrao::App;
use alrao::envs::{Environment, EnvironmentError, Step};
use serde::{Deserialize, Serialize};

/// What `--set environment.masked=false` can set.
#[derive(Serialize, Deserialize)]
struct Settings {
    /// Whether the agent is told which fields are free.
    masked: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { masked: true }
    }
}

/// The agent has the first move. Rewards are 1 for a won game, -1 for a lost one, 0 otherwise.
struct TicTacToe {
    settings: Settings,
    /// whether a field is the agent's, then whether it is the other player's
    fields: [[f32; 9]; 2],
    free: [bool; 9],
    random: u64,
    illegal_actions: Arc<AtomicU64>,
}

const LINES: [[usize; 3]; 8] = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]];

impl TicTacToe {
    /// Takes a field for a player and returns the player's result if the game is over.
    fn take(&mut self, field: usize, player: usize) -> Option<f64> {
        (self.fields[player][field], self.free[field]) = (1.0, false);
        let won = LINES.iter().any(|line| line.iter().all(|&field| self.fields[player][field] == 1.0));
        let full = !self.free.contains(&true);
        (won || full).then_some(if won { 1.0 } else { 0.0 })
    }

    /// Returns a random free field.
    fn random_field(&mut self) -> usize {
        self.random = self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let free: Vec<usize> = (0..9).filter(|&field| self.free[field]).collect();
        free[(self.random >> 33) as usize % free.len()]
    }
}

impl Environment for TicTacToe {
    fn obs_dim(&self) -> usize {
        18
    }

    fn num_actions(&self) -> usize {
        9 // the fields
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        (self.fields, self.free, self.random) = ([[0.0; 9]; 2], [true; 9], seed);
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        if !self.free[action] {
            self.illegal_actions.fetch_add(1, Ordering::Relaxed);
            return Ok(Step { reward: -1.0, terminated: true, truncated: false });
        }
        let result = self.take(action, 0).or_else(|| {
            let field = self.random_field();
            self.take(field, 1).map(|result| -result)
        });
        Ok(Step { reward: result.unwrap_or(0.0), terminated: result.is_some(), truncated: false })
    }

    fn observation(&self) -> &[f32] {
        self.fields.as_flattened()
    }

    fn action_mask(&self) -> Option<&[bool]> {
        self.settings.masked.then_some(&self.free)
    }
}

/// A program with the game, which counts the illegal actions.
pub fn app(illegal_actions: Arc<AtomicU64>) -> App {
    App::new().environment("tic-tac-toe", move |settings: Settings| TicTacToe {
        settings,
        fields: [[0.0; 9]; 2],
        free: [true; 9],
        random: 0,
        illegal_actions: Arc::clone(&illegal_actions),
    })
}

#[allow(dead_code)] // the tests call `app`
fn main() -> ExitCode {
    app(Arc::default()).main()
}
