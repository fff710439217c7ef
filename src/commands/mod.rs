//! The commands, one a file, each with what it is asked for.

mod doctor;
mod env;
mod eval;
mod plot;
mod report;
mod sweep;
mod table;
mod train;
mod watch;

pub use doctor::doctor;
pub use env::{EnvRequest, env};
pub use eval::{EvalRequest, eval};
pub use plot::{PlotRequest, plot};
pub use report::{ReportRequest, report};
pub use sweep::{SweepRequest, sweep};
pub use table::{TableRequest, table};
pub use train::{TrainRequest, train};
pub use watch::{WatchRequest, watch};
