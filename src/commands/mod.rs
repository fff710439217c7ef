//! The commands, one a file.

mod doctor;
mod env;
mod eval;
mod plot;
mod train;
mod watch;

pub use doctor::doctor;
pub use env::{EnvRequest, env};
pub use eval::eval;
pub use plot::plot;
pub use train::train;
pub use watch::watch;
