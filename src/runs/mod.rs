//! Runs: [`train`] and [`resume`] see one through from its configuration to its summary, and need no command line.
//!
//! What a run trains is a [`Trainer`], which [`agent`] and [`supervised`] implement; [`drive`] sees any through.
//!
//! ```no_run
//! use alrao::{config::Config, envs::Registry, runs};
//!
//! # fn main() -> anyhow::Result<()> {
//! let registry = Registry::builtin();
//! let config = Config::read("pendulum", &["schedule.steps=20000".into()], &registry)?;
//! let summary = runs::train("runs/mine".as_ref(), config, &registry)?;
//! println!("{}", summary.outcome.words());
//! # Ok(())
//! # }
//! ```

pub mod agent;
pub mod log;
pub mod supervised;

mod driver;
mod episode;
mod progress;
mod trainer;

pub use driver::{draw, drive, resume, resume_when_free, train};
pub use episode::{Episode, episode};
pub use trainer::{Event, Halt, Trainer, diverged};
