//! The commands, one a file, each with its arguments.

mod completions;
mod doctor;
mod env;
mod eval;
mod export;
mod man;
mod new;
mod plot;
mod report;
mod sweep;
mod table;
mod train;
mod watch;

pub use completions::{CompletionsArgs, completions};
pub use doctor::{DoctorArgs, doctor};
pub use env::{EnvArgs, env};
pub use eval::{EvalArgs, eval};
pub use export::{ExportArgs, export};
pub use man::{ManArgs, man};
pub use new::{NewArgs, new};
pub use plot::{PlotArgs, plot};
pub use report::{ReportArgs, report};
pub use sweep::{SweepArgs, sweep};
pub use table::{TableArgs, table};
pub use train::{TrainArgs, train};
pub use watch::{WatchArgs, watch};
