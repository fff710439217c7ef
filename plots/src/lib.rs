//! Figures of runs, and event files for TensorBoard.
//!
//! A run directory, as a [`Source`], is read into a [`RunRecord`] of an agent or a [`LearningRecord`] of a supervised run.
//! From these or from directories, [`returns`], [`learning`], [`posterior`], [`rates`] and [`heat_map`] create a
//! [`Figure`], which is saved as SVG or PNG or embedded in a page. [`EventWriter`] appends scalars to an event file during
//! training. The crate depends only on the files of a run, not on libtorch, agents or environments.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use alrao_plots::{PlotError, RunRecord, returns};
//!
//! let run = RunRecord::read(&Path::new("runs/pendulum").into())?;
//! returns(&[run])?.save("runs/pendulum/plots/returns.svg".as_ref())?;
//! # Ok::<(), PlotError>(())
//! ```

mod canvas;
mod compare;
mod error;
mod figure;
mod files;
mod heat_map;
mod image;
mod info;
mod learning;
mod marks;
mod method_colors;
mod metrics;
mod palette;
mod panel;
mod posterior;
mod rates;
mod record;
mod returns;
pub mod statistics;
mod tensorboard;

pub use error::PlotError;
pub use figure::{EmbeddedFigure, Figure};
pub use files::{json_problem, read_json};
pub use heat_map::heat_map;
pub use info::{Measure, MethodInfo, Metric, RunInfo};
pub use learning::{LearningRecord, learning, learning_of_agents};
pub use metrics::metrics;
pub use posterior::posterior;
pub use rates::rates;
pub use record::{Best, Episode, Evaluation, Header, Returns, RunRecord, Source, Summary, Validation};
pub use returns::returns;
pub use tensorboard::EventWriter;
