//! Gradient descent on a flat tensor of parameters, each element at a learning rate of its own.
//!
//! Alrao gives every unit its rate; the baselines have the same one everywhere. The code is the same.

mod adam;
mod schedule;
mod sgd;
mod update_rule;

pub use adam::{Adam, AdamSettings};
pub use schedule::{Decay, LrSchedule, LrScheduleKind};
pub use sgd::{Sgd, SgdSettings};
pub use update_rule::UpdateRule;

use tch::Tensor;

/// What turns a gradient into a change of the parameters.
pub trait Optimizer {
    /// Changes `theta`, `[P]`, in place by one step along `gradient`, `[P]`, at the rates times `factor`.
    fn step(&mut self, theta: &mut Tensor, gradient: &Tensor, factor: f64);

    /// Goes on at other rates, `[P]`.
    fn set_lrs(&mut self, eta: &Tensor);

    /// Forgets all elements but those at `indices`, `[P']`, in that order.
    fn select(&mut self, indices: &Tensor);

    /// Everything that is remembered of each element, by name: flat tensors, `[P]`, that share their storage with the
    /// optimizer, so that what is written on them is remembered.
    fn state(&self) -> Vec<(&'static str, Tensor)>;

    /// How many steps were made, where it matters; else 0.
    fn steps(&self) -> i64 {
        0
    }

    /// Goes on as after so many steps.
    fn set_steps(&mut self, _steps: i64) {}
}
