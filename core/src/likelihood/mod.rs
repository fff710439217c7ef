//! Likelihoods: `log p_j(y|x)` of each head j and its gradient.
//!
//! They determine each head's loss `-log p_j`, the mixture's loss `-log sum_j a_j p_j`, and the evidence of the Switch.

mod categorical;
mod gaussian;
mod huber;
mod mixture;

pub use categorical::Categorical;
pub use gaussian::Gaussian;
pub use huber::Huber;
pub(crate) use mixture::mixture;
pub use mixture::mixture_log_prob;

use tch::{Kind, Tensor};

use crate::Error;

/// A conditional density of targets given outputs.
pub trait Likelihood {
    /// Targets of a batch of B samples.
    type Target;

    /// Computes `log p_j(y|x)` of each head and sample, `[K, B]`, from the heads' outputs, `[K, B, A]`.
    fn log_prob(&self, out: &Tensor, target: &Self::Target) -> Tensor;

    /// Checks that a target fits outputs, `[K, B, A]`. By default, accepts any target.
    ///
    /// # Errors
    /// [`Error::Shape`] names the expected and the found shape.
    fn check(&self, _out: &Tensor, _target: &Self::Target) -> Result<(), Error> {
        Ok(())
    }

    /// Returns the classes that are the targets, `[B]`, for an adaptive softmax. By default, targets are no classes.
    fn classes(_target: &Self::Target) -> Option<&Tensor> {
        None
    }

    /// Computes the gradient of `-log p_j(y|x)` with respect to the outputs, `[K, B, A]`, as a tensor that the caller
    /// may overwrite. By default, uses autograd.
    fn gradient(&self, out: &Tensor, target: &Self::Target) -> Tensor {
        let out = out.detach().set_requires_grad(true);
        let loss = -tch::with_grad(|| self.log_prob(&out, target).sum(None::<Kind>));
        Tensor::run_backward(&[loss], &[out], false, false).remove(0).copy() // autograd's may be an expanded view
    }

    /// Computes [`log_prob`](Self::log_prob) and [`gradient`](Self::gradient), for likelihoods that share work between
    /// them.
    fn log_prob_and_gradient(&self, out: &Tensor, target: &Self::Target) -> (Tensor, Tensor) {
        (self.log_prob(out, target), self.gradient(out, target))
    }
}

/// Helpers of the likelihoods' tests.
#[cfg(test)]
mod tests {
    use super::*;

    /// A likelihood whose gradient is computed by autograd.
    pub struct ByAutograd<L>(pub L);

    impl<L: Likelihood> Likelihood for ByAutograd<L> {
        type Target = L::Target;

        fn log_prob(&self, out: &Tensor, target: &L::Target) -> Tensor {
            self.0.log_prob(out, target)
        }
    }
}
