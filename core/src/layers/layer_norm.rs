//! Layer normalisation without a learnt scale or shift: `y = (x - mean(x)) / sqrt(var(x) + 1e-5)` over the features.
//!
//! Units with a learning rate far too large would otherwise drown the features of all others.

use tch::Tensor;

/// Normalises the last dimension, `[.., H] -> [.., H]`.
pub fn layer_norm(x: &Tensor) -> Tensor {
    let features = *x.size().last().expect("features to normalise");
    x.layer_norm([features], None::<&Tensor>, None, 1e-5, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_becomes_plus_and_minus_one_whatever_its_scale() {
        for scale in [1.0, 1e6] {
            let y = layer_norm(&(Tensor::from_slice(&[3.0f32, 5.0]) * scale));
            let y = Vec::<f32>::try_from(y).unwrap();
            assert!((y[0] + 1.0).abs() < 1e-4 && (y[1] - 1.0).abs() < 1e-4, "{y:?}");
        }
    }
}
