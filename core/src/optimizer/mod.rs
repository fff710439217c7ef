//! Update rules on a flat tensor of parameters, with one learning rate per element.
//!
//! Alrao's learning rates differ between units; baselines use the same code with equal learning rates.

mod adam;
mod schedule;
mod sgd;
mod update_rule;

pub use adam::{Adam, AdamSettings};
pub use schedule::{Decay, LrSchedule, LrScheduleKind};
pub use sgd::{Sgd, SgdSettings};
pub use update_rule::UpdateRule;

use tch::Tensor;

/// Update rule with its state.
pub trait Optimizer {
    /// Updates `theta`, `[P]`, in place from `gradient`, `[P]`, with all learning rates multiplied by `factor`.
    fn step(&mut self, theta: &mut Tensor, gradient: &Tensor, factor: f64);

    /// Replaces the learning rates, `[P]`.
    fn set_lrs(&mut self, eta: &Tensor);

    /// Keeps only the elements at `indices`, `[P']`, in that order.
    fn select(&mut self, indices: &Tensor);

    /// Returns the per-element state by name: flat tensors, `[P]`, that share the optimizer's storage, so writing to
    /// them restores a state.
    fn state(&self) -> Vec<(&'static str, Tensor)>;

    /// Returns the number of steps, for rules that depend on it; else 0.
    fn steps(&self) -> i64 {
        0
    }

    /// Restores the number of steps.
    fn set_steps(&mut self, _steps: i64) {}
}
