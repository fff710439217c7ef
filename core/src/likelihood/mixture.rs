//! The mixture of the heads' predictions, `sum_j a_j p_j(y|x)` (paper, Equation 1), computed in log space.

use tch::Tensor;

use crate::slices::{Scalar, simd_dispatch, sliceable, with_slices};

/// Computes `log sum_j a_j p_j`, `[..]`, from `log p_j`, `[K, ..]`, and the weights `a`, `[K]`.
pub fn mixture_log_prob(log_p: &Tensor, a: &Tensor) -> Tensor {
    mixture(log_p, a).0
}

/// Computes `log sum_j a_j p_j`, `[..]`, and the heads' responsibilities, `r_j = a_j p_j / sum_i a_i p_i`, `[K, ..]`.
pub(crate) fn mixture(log_p: &Tensor, a: &Tensor) -> (Tensor, Tensor) {
    let log_a = a.log().to_kind(log_p.kind());
    if let Some(mixture) = simd_dispatch!(by_sample(log_p, &log_a)) {
        return mixture;
    }
    let mut column = vec![1; log_p.dim()];
    column[0] = -1;
    let joint = log_p + log_a.view(&column[..]); // [K, ..]
    let log_r = joint.log_softmax(0, None);
    // log r_j = log (a_j p_j) - log sum, so the largest values give log sum
    let largest = |x: &Tensor| x.amax([0].as_slice(), false);
    (largest(&joint) - largest(&log_r), log_r.exp())
}

/// Computes [`mixture`] for `log_p: [K, B]` that is stored as `[B, K]` on the CPU.
#[inline(always)]
fn by_sample<T: Scalar>(log_p: &Tensor, log_a: &Tensor) -> Option<(Tensor, Tensor)> {
    let &[_, samples] = &log_p.size()[..] else { return None };
    let by_sample = log_p.tr(); // [B, K]
    sliceable::<T>(&by_sample)?;
    let (mut log_mixture, mut r) =
        (by_sample.new_empty([samples], (by_sample.kind(), by_sample.device())), by_sample.empty_like());
    with_slices::<T, _, _, _>(
        [&mut log_mixture, &mut r],
        [&by_sample, log_a],
        #[inline(always)]
        |[log_mixture, r], [log_p, log_a]| {
            let rows = log_p.chunks_exact(log_a.len()).zip(r.chunks_exact_mut(log_a.len()));
            for ((log_p, r), log_mixture) in rows.zip(log_mixture) {
                let mut largest = T::neg_infinity();
                for ((r, &log_p), &log_a) in r.iter_mut().zip(log_p).zip(log_a) {
                    *r = log_p + log_a;
                    largest = largest.max(*r);
                }
                r.iter_mut().for_each(|r| *r = (*r - largest).exp());
                let sum: T = r.iter().copied().sum();
                r.iter_mut().for_each(|r| *r = *r / sum);
                *log_mixture = largest + sum.ln();
            }
        },
    )?;
    Some((log_mixture, r.tr()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tch::Kind;

    use super::*;
    use crate::device::via_libtorch;

    #[test]
    fn two_heads_match_values_by_hand() {
        let log_p = Tensor::from_slice(&[0.2f64.ln(), 0.5f64.ln(), 0.4f64.ln(), 0.1f64.ln()]).view([2, 2]);
        let a = Tensor::from_slice(&[0.75f64, 0.25]);
        let p = Vec::<f64>::try_from(mixture_log_prob(&log_p, &a).exp()).unwrap();
        assert!((p[0] - 0.25).abs() < 1e-15 && (p[1] - 0.4).abs() < 1e-15, "{p:?}");
        let r = Vec::<f64>::try_from(mixture(&log_p, &a).1.flatten(0, 1)).unwrap();
        for (found, expected) in r.iter().zip([0.6, 0.9375, 0.4, 0.0625]) {
            assert!((found - expected).abs() < 1e-15, "{r:?}");
        }
    }

    #[test]
    fn the_loop_matches_libtorch() {
        let (k, samples) = (4, 30);
        let log_p = (Tensor::arange(k * samples, tch::kind::DOUBLE_CPU) * 0.7).sin() * 20.0;
        let (by_sample, a) = (log_p.view([samples, k]).tr(), Tensor::from_slice(&[0.1f64, 0.6, 0.3, 0.0]));
        let (by_loop, by_libtorch) = (mixture(&by_sample, &a), via_libtorch(|| mixture(&by_sample, &a)));
        for (by_loop, by_libtorch) in [(by_loop.0, by_libtorch.0), (by_loop.1, by_libtorch.1)] {
            assert!((by_loop - by_libtorch).abs().max().double_value(&[]) < 1e-13);
        }
        for nothing in [f64::NAN, f64::NEG_INFINITY] {
            let log_p = Tensor::full([k, 1], nothing, tch::kind::DOUBLE_CPU);
            assert!(mixture(&log_p, &a).0.double_value(&[0]).is_nan());
        }
    }

    /// Log-likelihoods of any magnitude, and weights of which some may be 0.
    fn heads() -> impl Strategy<Value = (Vec<f32>, Vec<f64>)> {
        let log_p = prop_oneof![-10.0f32..1.0, -1e4f32..1e4, -3e38f32..3e38];
        let weight = prop_oneof![Just(0.0f64), 0.0f64..1.0, 1e-300f64..1e-200];
        prop::collection::vec((log_p, weight), 1..12)
            .prop_filter("some head has weight", |heads| heads.iter().any(|(_, weight)| *weight > 0.0))
            .prop_map(|heads| heads.into_iter().unzip())
    }

    proptest! {
        #[test]
        fn the_mixture_lies_between_the_smallest_and_the_largest_head((log_p, weights) in heads()) {
            let total: f64 = weights.iter().sum();
            let a = Tensor::from_slice(&weights) / total;
            let log_p = Tensor::from_slice(&log_p).unsqueeze(1);
            let (found, r) = mixture(&log_p, &a);
            let found = found.double_value(&[0]);
            let (low, high) = (log_p.min().double_value(&[]), log_p.max().double_value(&[]));
            let rounding = 1e-6 * (1.0 + low.abs().max(high.abs()));
            prop_assert!(found.is_finite(), "{found}");
            prop_assert!(low - rounding <= found && found <= high + rounding, "{low} {found} {high}");
            prop_assert!((r.sum(Kind::Double).double_value(&[]) - 1.0).abs() < 1e-6);
            let without_weight = a.eq(0.0).unsqueeze(1);
            prop_assert_eq!(r.masked_select(&without_weight).sum(Kind::Double).double_value(&[]), 0.0);
        }
    }
}
