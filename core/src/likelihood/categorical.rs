//! Classification: `p(y) = exp(out_y) / sum_c exp(out_c)`, with the gradient `softmax(out) - onehot(y)` of `-log p(y)`.
//!
//! Samples may be the time steps of sequences. The heads' outputs, `[K, B, A]`, are stored in memory as `[B, K, A]`.
//! Computations keep that order and return views, so nothing is copied.

use tch::Tensor;

use super::{Likelihood, mixture_log_prob};
use crate::Error;

/// Classification into A classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Categorical;

impl Categorical {
    /// Computes the mixture's `log p(c|x)` of each class c, `log sum_j a_j softmax(out_j)`, `[B, A]`, from outputs,
    /// `[K, B, A]`, and weights, `[K]`. Heads with weight 0 are skipped, even if non-finite.
    pub fn log_probabilities(&self, out: &Tensor, a: &Tensor) -> Tensor {
        let has_weight = a.view([-1, 1, 1]).gt(0.0);
        let log_p = out.transpose(0, 1).log_softmax(-1, None).transpose(0, 1);
        mixture_log_prob(&log_p.where_scalarother(&has_weight, f64::NEG_INFINITY), a)
    }

    /// Computes the mixture's probability of each class, `sum_j a_j softmax(out_j)`, `[B, A]`, from outputs, `[K, B,
    /// A]`, and weights, `[K]`.
    pub fn probabilities(&self, out: &Tensor, a: &Tensor) -> Tensor {
        self.log_probabilities(out, a).exp()
    }
}

/// Targets are the samples' classes, `[B]` i64, each in 0..A.
impl Likelihood for Categorical {
    type Target = Tensor;

    fn check(&self, out: &Tensor, classes: &Tensor) -> Result<(), Error> {
        Error::check_shape("classes", &out.size()[1..2], classes)
    }

    fn classes(classes: &Tensor) -> Option<&Tensor> {
        Some(classes)
    }

    fn log_prob(&self, out: &Tensor, classes: &Tensor) -> Tensor {
        let out = out.transpose(0, 1); // [B, K, A]
        let log_p = out.log_softmax(-1, None).gather(2, &of_each_head(classes, &out), false); // [B, K, 1]
        log_p.squeeze_dim(2).transpose(0, 1)
    }

    fn gradient(&self, out: &Tensor, classes: &Tensor) -> Tensor {
        self.log_prob_and_gradient(out, classes).1
    }

    fn log_prob_and_gradient(&self, out: &Tensor, classes: &Tensor) -> (Tensor, Tensor) {
        let out = out.transpose(0, 1); // [B, K, A]
        let classes = of_each_head(classes, &out);
        let mut log_softmax = out.log_softmax(-1, None);
        let log_p = log_softmax.gather(2, &classes, false); // [B, K, 1]
        let gradient = log_softmax.exp_().scatter_value_reduce_(2, &classes, -1.0, "add");
        (log_p.squeeze_dim(2).transpose(0, 1), gradient.transpose(0, 1))
    }
}

/// Repeats classes for each head, `[B] -> [B, K, 1]`.
fn of_each_head(classes: &Tensor, out: &Tensor) -> Tensor {
    classes.view([-1, 1, 1]).expand([-1, out.size()[1], 1], false)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::likelihood::tests::ByAutograd;

    /// Returns outputs of 3 heads for 4 samples and 5 classes, in the heads' memory layout, and classes.
    fn sample() -> (Tensor, Tensor) {
        let out = (Tensor::arange(60, (Kind::Float, tch::Device::Cpu)) * 0.7).sin() * 3.0;
        (out.view([4, 3, 5]).permute([1, 0, 2]), Tensor::from_slice(&[4i64, 0, 1, 1]))
    }

    /// Computes `p(c)` of head j and sample b by the definition.
    fn softmax(out: &Tensor, j: i64, b: i64) -> Vec<f64> {
        let exp: Vec<f64> = (0..5).map(|c| out.double_value(&[j, b, c]).exp()).collect();
        exp.iter().map(|e| e / exp.iter().sum::<f64>()).collect()
    }

    #[test]
    fn the_probability_is_the_softmax_and_the_gradient_matches_autograd() {
        let (out, classes) = sample();
        let log_p = Categorical.log_prob(&out, &classes);
        assert_eq!(log_p.size(), [3, 4]);
        for (j, b) in [(0, 0), (1, 2), (2, 3)] {
            let expected = softmax(&out, j, b)[classes.int64_value(&[b]) as usize].ln();
            assert!((log_p.double_value(&[j, b]) - expected).abs() < 1e-5);
        }
        let (again, gradient) = Categorical.log_prob_and_gradient(&out, &classes);
        assert!((&again - &log_p).abs().max().double_value(&[]) < 1e-6);
        let difference = &gradient - ByAutograd(Categorical).gradient(&out, &classes);
        assert!(difference.abs().max().double_value(&[]) < 1e-6);
        assert!(gradient.transpose(0, 1).is_contiguous() && again.transpose(0, 1).is_contiguous());
    }

    #[test]
    fn huge_outputs_do_not_overflow() {
        let out = Tensor::from_slice(&[1e30f32, -1e30, 0.0]).view([1, 1, 3]);
        let log_p = |class: i64| {
            let class = Tensor::from_slice(&[class]);
            let (both, alone) = (Categorical.log_prob_and_gradient(&out, &class).0, Categorical.log_prob(&out, &class));
            [both, alone].map(|log_p| log_p.double_value(&[0, 0]))
        };
        assert_eq!([log_p(0), log_p(2)], [[0.0; 2], [-1e30f32 as f64; 2]]);
    }

    #[test]
    fn the_mixtures_probabilities_are_the_weighted_mean_and_skip_heads_with_weight_0() {
        let (out, _) = sample();
        let a = [0.25f64, 0.0, 0.75];
        let non_finite = out.copy();
        let _ = non_finite.get(1).fill_(f64::NAN);
        let p = Categorical.probabilities(&non_finite, &Tensor::from_slice(&a));
        assert_eq!(p.size(), [4, 5]);
        for b in 0..4 {
            for c in 0..5 {
                let expected = 0.25 * softmax(&out, 0, b)[c] + 0.75 * softmax(&out, 2, b)[c];
                assert!((p.double_value(&[b, c as i64]) - expected).abs() < 1e-6);
            }
        }
    }
}
