//! Gradient descent on a flat tensor of parameters, each element at a learning rate of its own.
//!
//! Alrao is [`Sgd`] with one rate a unit; the baselines are [`Sgd`] and [`Adam`] with the same rate everywhere.

mod adam;
mod sgd;

pub use adam::Adam;
pub use sgd::Sgd;

use tch::Tensor;

use crate::Error;
use crate::tensors::Tensors;

/// A rule that turns a gradient into a change of the parameters.
pub trait Optimizer {
    /// Changes `theta`, `[P]`, in place by one step along `gradient`, `[P]`.
    fn step(&mut self, theta: &mut Tensor, gradient: &Tensor);

    /// Adds whatever must be known to go on later, as `prefix.name`.
    fn save(&self, prefix: &str, tensors: &mut Tensors);

    /// Takes back what was saved.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the tensors are of another optimizer or network.
    fn load(&mut self, prefix: &str, tensors: &Tensors) -> Result<(), Error>;
}
