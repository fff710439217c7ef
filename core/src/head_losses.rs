//! The heads' log-likelihoods of a batch, and the gradients of the two losses (Equations 2 and 3).
//!
//! Both are gradients of `-log p_j`: for the parameters of head j, its own; for the body, weighted by the head's
//! responsibility for each sample, `r_j`. Linear heads share the gradient with respect to their outputs between the two; an
//! adaptive softmax, whose outputs depend on the classes, is differentiated twice by autograd.

use tch::{Kind, Tensor};

use crate::Error;
use crate::guard::FiniteHeads;
use crate::heads::Heads;
use crate::likelihood::Likelihood;
use crate::network::ForwardPass;
use crate::parameters::Weights;

/// What the gradients of a batch are computed from.
pub(crate) enum HeadLosses {
    /// Of linear heads.
    Outputs {
        /// `g_j`, the gradient of each head's own `-log p_j` with respect to its outputs, `[K, B, A]`
        g: Tensor,
    },
    /// Of an adaptive softmax: autograd's graph.
    Graph {
        /// the heads' parameters, `[P]`
        theta: Tensor,
        /// the features, for each head, `[K, B, H]`
        z: Tensor,
        /// `[K, B]`
        log_p: Tensor,
    },
}

impl HeadLosses {
    /// Computes `log p_j(y|x)`, `[K, B]`, of a forward pass, and what its gradients need.
    ///
    /// # Errors
    /// [`Error::Shape`] if the target doesn't fit the outputs, [`Error::NotClasses`] if an adaptive softmax has other targets
    /// than classes.
    pub fn new<L: Likelihood>(
        heads: &Heads,
        pass: &ForwardPass,
        likelihood: &L,
        target: &L::Target,
    ) -> Result<(Tensor, Self), Error> {
        let Some(softmax) = heads.adaptive_softmax() else {
            likelihood.check(&pass.out, target)?;
            let (log_p, g) = likelihood.log_prob_and_gradient(&pass.out, target);
            return Ok((log_p, HeadLosses::Outputs { g }));
        };
        let classes = L::classes(target).ok_or(Error::NotClasses)?;
        Error::check_shape("classes", &pass.out.size()[1..2], classes)?;
        let (theta, weights) = heads.parameters().leaf();
        let z = pass.z.detach().unsqueeze(0).repeat([heads.k(), 1, 1]).set_requires_grad(true);
        let log_p = tch::with_grad(|| softmax.log_prob(&weights, &z, classes));
        Ok((log_p.detach(), HeadLosses::Graph { theta, z, log_p }))
    }

    /// Computes the gradient with respect to the heads' parameters, `[P]`, of the sum of `-log p_j` over samples and finite
    /// heads. `grad_buffer` is a flat tensor, `[P]`, with its view for each parameter.
    pub fn parameter_gradient(
        &mut self,
        heads: &Heads,
        features: &Tensor,
        finite_heads: &FiniteHeads,
        grad_buffer: &(Tensor, Weights),
    ) -> Tensor {
        match self {
            HeadLosses::Outputs { g } => {
                *g = finite_heads.mask(g.shallow_clone(), 0.0);
                heads.parameter_gradient(&features.detach(), g, &grad_buffer.1);
                grad_buffer.0.shallow_clone()
            }
            HeadLosses::Graph { theta, log_p, .. } => {
                let loss = tch::with_grad(|| -finite_heads.mask(log_p.shallow_clone(), 0.0).sum(None::<Kind>));
                Tensor::run_backward(&[loss], &[&*theta], true, false).remove(0)
            }
        }
    }

    /// Computes the gradient with respect to the features, `[B, H]`, of the sum of `-r_j log p_j` over samples and finite
    /// heads, with responsibilities `[K, B, 1]`; those of a single head are 1.
    pub fn feature_gradient(self, heads: &Heads, r: Option<&Tensor>, finite_heads: &FiniteHeads) -> Tensor {
        match self {
            HeadLosses::Outputs { mut g } => {
                // in place: for language models, allocating a tensor of this size costs more than the product
                if let Some(r) = r {
                    let _ = g.g_mul_(r);
                }
                finite_heads.feature_gradient(heads, &g)
            }
            HeadLosses::Graph { z, log_p, .. } => {
                let loss = tch::with_grad(|| {
                    let log_p = finite_heads.mask(log_p, 0.0);
                    -r.map_or(log_p.shallow_clone(), |r| log_p * r.squeeze_dim(2)).sum(None::<Kind>)
                });
                let of_each_head = Tensor::run_backward(&[loss], &[&z], false, false).remove(0); // [K, B, H]
                finite_heads.mask(of_each_head, 0.0).sum_dim_intlist([0].as_slice(), false, None::<Kind>)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::adaptive_softmax::Cutoffs;
    use crate::heads::Outputs;
    use crate::layers::Mlp;
    use crate::learner::Learner;
    use crate::likelihood::{Categorical, Huber, mixture_log_prob};
    use crate::method::Method;
    use crate::network::Network;
    use crate::streams::stream;

    fn adaptive() -> Network<Mlp> {
        let outputs = Outputs::AdaptiveSoftmax(Cutoffs::new(&[2, 5], 9).unwrap());
        let double = (Kind::Double, Device::Cpu);
        Network::new(|b| Mlp::new(b, 3, &[8], 1.0), 3, outputs, &mut stream(0, "weights"), double).unwrap()
    }

    fn adaptive_with_learner() -> (Network<Mlp>, Learner) {
        let network = adaptive();
        let method = Method { num_heads: 3, ..Method::alrao() };
        let learner = Learner::new(&method, &network, &mut stream(0, "rates")).unwrap();
        (network, learner)
    }

    fn batch() -> (Tensor, Tensor) {
        let x = (Tensor::arange(15, (Kind::Double, Device::Cpu)) * 0.7).sin().view([5, 3]);
        (x, Tensor::from_slice(&[0i64, 3, 8, 1, 4]))
    }

    fn distance(a: &Tensor, b: &Tensor) -> f64 {
        assert_eq!(a.size(), b.size());
        (a - b).abs().max().double_value(&[])
    }

    /// The gradients of Equations 2 and 3, written down.
    #[test]
    fn the_gradients_of_an_adaptive_softmax_are_those_of_the_two_losses() {
        let network = adaptive();
        let (heads, (x, classes)) = (network.heads(), batch());
        let pass = network.forward(&x).unwrap();
        assert_eq!(pass.out.size(), [3, 5, 0]);
        let a = Tensor::from_slice(&[0.2f64, 0.7, 0.1]);
        let all = FiniteHeads::new(false, &a);
        let (log_p, mut losses) = HeadLosses::new(heads, &pass, &Categorical, &classes).unwrap();
        let r = (&log_p + a.log().unsqueeze(1)).softmax(0, None).unsqueeze(2); // [K, B, 1]
        let of_heads = losses.parameter_gradient(heads, &pass.z, &all, &heads.parameters().grad_buffer());
        let of_z = losses.feature_gradient(heads, Some(&r), &all);

        let (theta, weights) = heads.parameters().leaf();
        let z = pass.z.detach().set_requires_grad(true);
        let log_p = heads.adaptive_softmax().unwrap().log_probabilities(&weights, &z); // [K, B, A]
        let log_p = log_p.gather(2, &classes.view([1, -1, 1]).expand([3, -1, 1], false), false).squeeze_dim(2);
        let of_own = Tensor::run_backward(&[-log_p.sum(Kind::Double)], &[&theta], true, false).remove(0);
        let of_mixture = -mixture_log_prob(&log_p, &a).sum(Kind::Double);
        let of_mixture = Tensor::run_backward(&[of_mixture], &[&z], false, false).remove(0);
        assert!(distance(&of_heads, &of_own) < 1e-12);
        assert!(distance(&of_z, &of_mixture) < 1e-12);
    }

    #[test]
    fn a_non_finite_head_of_an_adaptive_softmax_is_skipped() {
        let (mut network, mut learner) = adaptive_with_learner();
        let (x, classes) = batch();
        let of_head: Vec<bool> = network.heads().parameters().unit_of_element().iter().map(|unit| *unit == 1).collect();
        let of_head = Tensor::from_slice(&of_head);
        let _ = network.heads_mut().parameters_mut().theta_mut().masked_fill_(&of_head, f64::NAN);
        let before = [network.parameters(), network.heads().parameters()].map(|parameters| parameters.theta().copy());
        let pass = network.forward(&x).unwrap();
        let report = learner.step(&mut network, &pass, &Categorical, &classes).unwrap();
        assert!(report.loss().is_finite());
        let after = [network.parameters(), network.heads().parameters()].map(|parameters| parameters.theta().copy());
        assert!(after[0] != before[0] && after[0].isfinite().all().int64_value(&[]) == 1);
        let others = of_head.logical_not();
        let [before, after] = [&before[1], &after[1]].map(|theta| theta.masked_select(&others));
        assert!(after != before && after.isfinite().all().int64_value(&[]) == 1);
        assert_eq!(network.a().double_value(&[1]), 0.0);
    }

    #[test]
    fn an_adaptive_softmax_needs_classes() {
        let (mut network, mut learner) = adaptive_with_learner();
        let (x, classes) = batch();
        let pass = network.forward(&x).unwrap();
        let error = learner.step(&mut network, &pass, &Huber { sigma: 1.0 }, &x).unwrap_err();
        assert!(matches!(error, Error::NotClasses));
        let error = learner.step(&mut network, &pass, &Categorical, &classes.narrow(0, 0, 4)).unwrap_err();
        assert!(matches!(error, Error::Shape { what: "classes", .. }));
    }
}
