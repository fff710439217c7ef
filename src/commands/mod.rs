//! The commands, one a file.

mod doctor;
mod env;
mod eval;
mod plot;
mod sweep;
mod table;
mod train;
mod watch;

pub use doctor::doctor;
pub use env::{EnvRequest, env};
pub use eval::eval;
pub use plot::plot;
pub use sweep::sweep;
pub use table::table;
pub use train::train;
pub use watch::watch;
