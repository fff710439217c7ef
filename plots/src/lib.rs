//! Figures from run directories, and the event files that TensorBoard reads.
//!
//! A run directory is read into a [`RunRecord`]; [`plot_returns`] draws the episode returns of one run, or compares
//! several, as SVG or PNG. A supervised run is a [`LearningRecord`], drawn by [`plot_learning`]. [`EventWriter`] appends scalars to an event file while a run goes on. Nothing here knows
//! libtorch, agents or environments: the files of a run are the whole interface.
//!
//! ```no_run
//! use alrao_plots::{PlotError, RunRecord, plot_returns};
//!
//! let run = RunRecord::read("runs/pendulum".as_ref())?;
//! plot_returns(&[run], "runs/pendulum/plots/returns.svg".as_ref())?;
//! # Ok::<(), PlotError>(())
//! ```

mod compare;
mod error;
mod figure;
mod image;
mod learning;
mod palette;
mod record;
mod returns;
mod tensorboard;

pub use error::PlotError;
pub use learning::{LearningRecord, plot_learning};
pub use record::{Best, Episode, Optimizer, Returns, RunRecord, Summary, Trial, Validation};
pub use returns::plot_returns;
pub use tensorboard::EventWriter;
