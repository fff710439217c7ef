//! The commands, one a file.

mod doctor;
mod env;
mod eval;
pub mod plot;
mod report;
mod sweep;
mod table;
mod train;
mod watch;

pub use doctor::doctor;
pub use env::{EnvRequest, env};
pub use eval::eval;
pub use report::report;
pub use sweep::sweep;
pub use table::table;
pub use train::train;
pub use watch::{episode, watch};
