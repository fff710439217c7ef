//! The commands, one a file.

mod doctor;
mod eval;
mod plot;
mod train;

pub use doctor::doctor;
pub use eval::eval;
pub use plot::plot;
pub use train::train;
