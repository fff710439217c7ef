//! Runs: [`train`] and [`resume`] execute a run from its configuration to its summary, without the command line.
//!
//! [`agent`] and [`supervised`] implement [`Trainer`], which [`drive`] trains to the end.
//!
//! ```no_run
//! use alrao::{Catalog, Config, runs};
//!
//! # fn main() -> anyhow::Result<()> {
//! let catalog = Catalog::builtin();
//! let config = Config::read("pendulum", &["schedule.steps=20000".into()], &catalog)?;
//! let summary = runs::train("runs/mine".as_ref(), config, &catalog)?;
//! println!("{}", summary.outcome.describe());
//! # Ok(())
//! # }
//! ```

pub mod agent;
pub mod log;
pub mod stop;
pub mod supervised;

mod driver;
mod episode;
mod evaluation_display;
mod progress;
mod trainer;
mod watchdog;

pub use agent::episode;
pub use driver::{ResumeOptions, draw, drive, resume, resume_with, train};
pub use episode::Episode;
pub use evaluation_display::{EvaluationDisplay, limited};
pub use trainer::{Event, StopReason, Trainer, diverged};
