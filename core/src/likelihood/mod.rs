//! How an output predicts a target: `log p_j(y|x)` of each head j and its gradient.
//!
//! From these follow all three parts of a step: a head's own loss `-log p_j`, the mixture's loss
//! `-log sum_j a_j p_j`, and the evidence that the Switch weighs the heads by.

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

/// A conditional density of targets given outputs.
pub trait Likelihood {
    /// What is predicted, for a batch of B samples.
    type Target;

    /// `log p_j(y|x)` for each head and sample, `[K, B]`, from the heads' outputs `[K, B, A]`.
    fn log_prob(&self, out: &Tensor, target: &Self::Target) -> Tensor;

    /// The gradient of `-log p_j(y|x)` with respect to the outputs, `[K, B, A]`, a tensor that the caller may write on.
    /// By default it is found by autograd.
    fn gradient(&self, out: &Tensor, target: &Self::Target) -> Tensor {
        let out = out.detach().set_requires_grad(true);
        let loss = -tch::with_grad(|| self.log_prob(&out, target).sum(Kind::Float));
        Tensor::run_backward(&[loss], &[out], false, false).remove(0).copy() // autograd's may be an expanded view
    }

    /// Both, for a likelihood that has work to share between them.
    fn log_prob_and_gradient(&self, out: &Tensor, target: &Self::Target) -> (Tensor, Tensor) {
        (self.log_prob(out, target), self.gradient(out, target))
    }
}

/// What the likelihoods' tests have in common.
#[cfg(test)]
mod tests {
    use super::*;

    /// A likelihood that keeps its gradient to itself.
    pub struct ByAutograd<L>(pub L);

    impl<L: Likelihood> Likelihood for ByAutograd<L> {
        type Target = L::Target;

        fn log_prob(&self, out: &Tensor, target: &L::Target) -> Tensor {
            self.0.log_prob(out, target)
        }
    }
}
