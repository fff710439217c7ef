//! Layer normalization (Ba, Kiros, Hinton, 2016): `y = (x - mean(x)) / sqrt(var(x) + 1e-5)` over the features,
//! optionally followed by a learned scale and shift, `[H]`.
//!
//! Without normalization, units whose learning rate is far too large dominate the features. The units of [`LayerNorm`]
//! are its H features: scale and shift of a feature share a learning rate.

use tch::Tensor;

use super::Module;
use super::relu::ReluStats;
use crate::parameters::{Init, ParameterBuilder, ParameterId, Weights};
use crate::slices::{Scalar, dot, simd_dispatch, sliceable, sum, with_slices};

const EPSILON: f64 = Module::EPSILON;

/// Normalizes the last dimension, `[.., H] -> [.., H]`.
pub fn layer_norm(x: &Tensor) -> Tensor {
    normalize(x).y
}

/// Output of [`layer_norm`] with the values that its derivative needs.
pub(super) struct Normalized {
    /// Normalized values, `[.., H]`.
    pub y: Tensor,
    /// Reciprocal standard deviations, `[.., 1]`.
    pub rstd: Tensor,
}

impl Normalized {
    /// Returns views of the first `samples` samples.
    pub fn first(&self, samples: i64) -> Normalized {
        let first = |x: &Tensor| x.narrow(0, 0, samples);
        Normalized { y: first(&self.y), rstd: first(&self.rstd) }
    }
}

fn normalize(x: &Tensor) -> Normalized {
    let features = *x.size().last().expect("features to normalize");
    let one = Tensor::ones([features], (x.kind(), x.device())); // libtorch's CPU kernel is slower without a scale
    let (y, _, rstd) = x.native_layer_norm([features], Some(&one), None, EPSILON);
    Normalized { y, rstd }
}

/// Computes `z = (relu(layer_norm(x)) - mean) / std`, `[B, H] -> [B, H]`, where without `stats`, the mean is 0 and the
/// deviation 1, and the normalized values, which overwrite `x`.
pub(super) fn layer_norm_relu(mut x: Tensor, stats: Option<ReluStats>) -> (Tensor, Normalized) {
    if let Some((z, rstd)) = simd_dispatch!(layer_norm_relu_rows(&mut x, stats)) {
        return (z, Normalized { y: x, rstd });
    }
    let normal = normalize(&x);
    let relu = normal.y.relu();
    (stats.map_or_else(|| relu.shallow_clone(), |stats| (&relu - stats.mean) * stats.std.recip()), normal)
}

/// Overwrites the gradient with respect to [`layer_norm_relu`]'s `z` by the gradient with respect to `x`, `[B, H]`.
pub(super) fn layer_norm_relu_backward(gradient: &mut Tensor, normal: &Normalized, stats: Option<ReluStats>) {
    if simd_dispatch!(backward_by_rows(gradient, normal, stats)).is_some() {
        return;
    }
    let Normalized { y, rstd } = normal;
    let _ = y.threshold_backward_grad_input(gradient, gradient, 0);
    let mean = |x: &Tensor| x.mean_dim([-1].as_slice(), true, None); // [B, 1]
    let stretch = -mean(&(&*gradient * y));
    let shift = mean(gradient);
    let _ = gradient.g_sub_(&shift).addcmul_(y, &stretch).g_mul_(&(rstd * scale(stats)));
}

/// Returns the factor on a ReLU's output.
fn scale(stats: Option<ReluStats>) -> f64 {
    stats.map_or(1.0, |stats| stats.std.recip())
}

/// Overwrites `x` by its normalized values; returns `z` and the reciprocal standard deviations.
#[inline(always)]
fn layer_norm_relu_rows<T: Scalar>(x: &mut Tensor, stats: Option<ReluStats>) -> Option<(Tensor, Tensor)> {
    let &[samples, features] = &x.size()[..] else { return None };
    sliceable::<T>(x)?;
    let (mut z, mut reciprocals) = (x.empty_like(), x.new_empty([samples, 1], (x.kind(), x.device())));
    let (n, width) = (T::from_f64(features as f64), features as usize);
    let [mean_of_relu, scale] = [stats.map_or(0.0, |stats| stats.mean), scale(stats)].map(T::from_f64);
    with_slices::<T, _, _, _>(
        [x, &mut z, &mut reciprocals],
        [],
        #[inline(always)]
        |[x, z, reciprocals], []| {
            let rows = x.chunks_exact_mut(width).zip(z.chunks_exact_mut(width));
            for ((x, z), reciprocal) in rows.zip(reciprocals) {
                let mean = sum(x, |x| x) / n;
                let variance = sum(x, |x| (x - mean) * (x - mean)) / n;
                let variance = if variance.is_finite() { variance } else { T::nan() }; // else all zeros
                *reciprocal = (variance + T::from_f64(EPSILON)).sqrt().recip();
                for (x, z) in x.iter_mut().zip(z) {
                    *x = (*x - mean) * *reciprocal;
                    let relu = if *x < T::zero() { T::zero() } else { *x }; // NaN propagates
                    *z = (relu - mean_of_relu) * scale;
                }
            }
        },
    )?;
    Some((z, reciprocals))
}

#[inline(always)]
fn backward_by_rows<T: Scalar>(gradient: &mut Tensor, normal: &Normalized, stats: Option<ReluStats>) -> Option<()> {
    let width = *normal.y.size().last()? as usize;
    let (n, scale) = (T::from_f64(width as f64), T::from_f64(scale(stats)));
    with_slices::<T, _, _, _>(
        [gradient],
        [&normal.y, &normal.rstd],
        #[inline(always)]
        |[gradient], [y, reciprocals]| {
            let rows = gradient.chunks_exact_mut(width).zip(y.chunks_exact(width));
            for ((gradient, y), &reciprocal) in rows.zip(reciprocals) {
                let reciprocal = reciprocal * scale;
                gradient.iter_mut().zip(y).for_each(|(g, &y)| *g = if y <= T::zero() { T::zero() } else { *g });
                let (shift, stretch) = (sum(gradient, |g| g) / n, dot(gradient, y) / n);
                gradient.iter_mut().zip(y).for_each(|(g, &y)| *g = (*g - shift - y * stretch) * reciprocal);
            }
        },
    )
}

/// Layer normalization with a learned scale and shift.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    features: i64,
    scale: ParameterId,
    shift: ParameterId,
}

impl LayerNorm {
    /// Creates a layer over `features` features, with scale 1 and shift 0.
    pub fn new(builder: &mut ParameterBuilder, features: i64) -> Self {
        let scale = builder.add("scale", &[features], Init::Constant(1.0));
        let shift = builder.add("shift", &[features], Init::Constant(0.0));
        builder.add_units(features, &[(scale, 1), (shift, 1)]);
        LayerNorm { features, scale, shift }
    }

    /// Normalizes, scales and shifts, `[.., H] -> [.., H]`.
    pub fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let (scale, shift) = (&weights[self.scale], &weights[self.shift]);
        x.layer_norm([self.features], Some(scale), Some(shift), EPSILON, false)
    }
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution, StandardNormal};
    use tch::Kind;

    use super::*;
    use crate::device::via_libtorch;
    use crate::layers::tests::{assert_close, build, numbers};
    use crate::streams::stream;

    #[test]
    fn a_pair_normalizes_to_plus_and_minus_one_at_any_scale() {
        for scale in [1.0, 1e6] {
            let y = layer_norm(&(Tensor::from_slice(&[3.0f32, 5.0]) * scale));
            let y = Vec::<f32>::try_from(y).unwrap();
            assert!((y[0] + 1.0).abs() < 1e-4 && (y[1] - 1.0).abs() < 1e-4, "{y:?}");
        }
    }

    #[test]
    fn the_loop_matches_libtorch() {
        let (x, gradient) = (numbers(&[5, 37]), numbers(&[185]).cos().view([5, 37]));
        for stats in [None, Some(ReluStats::OF_NORMAL)] {
            let both = || {
                let (z, normal) = layer_norm_relu(x.copy(), stats);
                let mut gradient = gradient.copy();
                layer_norm_relu_backward(&mut gradient, &normal, stats);
                (z, normal, gradient)
            };
            let (by_loop, by_libtorch) = (both(), via_libtorch(both));
            assert_close(&by_loop.0, &by_libtorch.0, 1e-6);
            assert_close(&by_loop.1.y, &by_libtorch.1.y, 1e-6);
            assert_close(&by_loop.2, &by_libtorch.2, 1e-6);
        }
    }

    #[test]
    fn features_have_mean_zero_and_deviation_one() {
        let normal: Vec<f32> = StandardNormal.sample_iter(&mut stream(0, "features")).take(100_000).collect();
        let (z, _) = layer_norm_relu(Tensor::from_slice(&normal).view([100, 1000]), Some(ReluStats::OF_NORMAL));
        let (mean, std) = (z.mean(Kind::Float).double_value(&[]), z.std(false).double_value(&[]));
        assert!(mean.abs() < 0.02 && (std - 1.0).abs() < 0.02, "{mean}, {std}");
    }

    #[test]
    fn relu_keeps_nan() {
        for x in [f32::NAN, f32::INFINITY, 1e30] {
            let (z, _) = layer_norm_relu(Tensor::from_slice(&[x, -1.0, 1.0]).view([1, 3]), Some(ReluStats::OF_NORMAL));
            assert!(z.isnan().all().int64_value(&[]) != 0, "{z}");
        }
    }

    #[test]
    fn the_learned_layer_scales_and_shifts_each_feature() {
        let (layer, parameters) = build(|b| LayerNorm::new(b, 3));
        let x = numbers(&[2, 5, 3]);
        assert_close(&layer.forward(parameters.weights(), &x), &layer_norm(&x), 1e-6);
        parameters.theta().shallow_clone().copy_(&Tensor::from_slice(&[1.0f32, 2.0, -1.0, 0.0, 0.5, 0.1]));
        let expected = layer_norm(&x) * parameters.theta().narrow(0, 0, 3) + parameters.theta().narrow(0, 3, 3);
        assert_close(&layer.forward(parameters.weights(), &x), &expected, 1e-6);
        assert_eq!(parameters.unit_of_element(), [0, 1, 2, 0, 1, 2]);
    }
}
