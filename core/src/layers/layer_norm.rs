//! Layer normalisation (Ba, Kiros, Hinton, 2016): `y = (x - mean(x)) / sqrt(var(x) + 1e-5)` over the features, and with
//! a learnt scale and shift, `[H]`, after it.
//!
//! Units with a learning rate far too large would otherwise drown the features of all others. The units of the learnt
//! layer are its H features: scale and shift of a feature share a rate.

use tch::Tensor;

use crate::parameters::{Init, ParameterBuilder, ParameterId, Weights};

const EPSILON: f64 = 1e-5;

/// Normalises the last dimension, `[.., H] -> [.., H]`.
pub fn layer_norm(x: &Tensor) -> Tensor {
    normalise(x).0
}

/// The same, and what it divided by: the reciprocals of the deviations, `[.., 1]`.
pub(super) fn normalise(x: &Tensor) -> (Tensor, Tensor) {
    let features = *x.size().last().expect("features to normalise");
    let one = Tensor::ones([features], (x.kind(), x.device())); // libtorch's CPU kernel is slower without a scale
    let (y, _, reciprocal_deviation) = x.native_layer_norm([features], Some(&one), None, EPSILON);
    (y, reciprocal_deviation)
}

/// The gradient with respect to `x`, written over the `gradient` with respect to `y`, both `[.., H]`, of what
/// [`normalise`] has given: what of it would only have moved or stretched `x` is lost.
pub(super) fn normalise_backward(gradient: &mut Tensor, y: &Tensor, reciprocal_deviation: &Tensor) {
    let mean = |x: &Tensor| x.mean_dim([-1].as_slice(), true, None); // [.., 1]
    let stretch = -mean(&(&*gradient * y));
    let shift = mean(gradient);
    let _ = gradient.g_sub_(&shift).addcmul_(y, &stretch).g_mul_(reciprocal_deviation);
}

/// Layer normalisation with a learnt scale and shift.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    features: i64,
    scale: ParameterId,
    shift: ParameterId,
}

impl LayerNorm {
    /// A layer over so many features, which starts without scaling or shifting.
    pub fn new(builder: &mut ParameterBuilder, features: i64) -> Self {
        let scale = builder.add("scale", &[features], Init::Constant(1.0));
        let shift = builder.add("shift", &[features], Init::Constant(0.0));
        builder.claim(features, &[(scale, 1), (shift, 1)]);
        LayerNorm { features, scale, shift }
    }

    /// `[.., H] -> [.., H]`
    pub fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let (scale, shift) = (&weights[self.scale], &weights[self.shift]);
        x.layer_norm([self.features], Some(scale), Some(shift), EPSILON, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::{assert_close, build, numbers};

    #[test]
    fn a_pair_becomes_plus_and_minus_one_whatever_its_scale() {
        for scale in [1.0, 1e6] {
            let y = layer_norm(&(Tensor::from_slice(&[3.0f32, 5.0]) * scale));
            let y = Vec::<f32>::try_from(y).unwrap();
            assert!((y[0] + 1.0).abs() < 1e-4 && (y[1] - 1.0).abs() < 1e-4, "{y:?}");
        }
    }

    #[test]
    fn the_learnt_layer_scales_and_shifts_each_feature() {
        let (layer, parameters) = build(|b| LayerNorm::new(b, 3));
        let x = numbers(&[2, 5, 3]);
        assert_close(&layer.forward(parameters.weights(), &x), &layer_norm(&x), 1e-6);
        parameters.theta().shallow_clone().copy_(&Tensor::from_slice(&[1.0f32, 2.0, -1.0, 0.0, 0.5, 0.1]));
        let expected = layer_norm(&x) * parameters.theta().narrow(0, 0, 3) + parameters.theta().narrow(0, 3, 3);
        assert_close(&layer.forward(parameters.weights(), &x), &expected, 1e-6);
        assert_eq!(parameters.unit_of_element(), [0, 1, 2, 0, 1, 2]);
    }
}
