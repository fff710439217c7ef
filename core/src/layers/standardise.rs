//! Inputs brought to a mean of 0 and a deviation of 1, feature by feature, by statistics that whoever has seen the data
//! sets.
//!
//! A velocity of 0.07 beside a position of 1 would hardly be seen, whatever the rates.

use tch::Tensor;

use crate::parameters::{BufferId, ParameterBuilder, Weights};
use crate::slices::{Number, looped, slice, slice_mut};

/// `(x - mean) / std`, with both of them buffers, `[I]`.
#[derive(Clone, Debug)]
pub struct Standardise {
    mean: BufferId,
    std: BufferId,
}

impl Standardise {
    /// A layer over so many features, which leaves them as they are until it is told otherwise.
    pub fn new(builder: &mut ParameterBuilder, features: i64) -> Self {
        Standardise { mean: builder.buffer("mean", &[features], 0.0), std: builder.buffer("std", &[features], 1.0) }
    }

    /// `[B, I] -> [B, I]`
    pub fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let (mean, std) = (weights.buffer(self.mean), weights.buffer(self.std));
        looped!(standardised(x, mean, std)).unwrap_or_else(|| (x - mean).g_div_(std))
    }

    /// Sets the statistics, `[I]` each; a feature that never varied is only centred.
    pub fn set(&self, weights: &Weights, mean: &[f64], std: &[f64]) {
        let divisors: Vec<f64> = std.iter().map(|&std| if std > 0.0 { std } else { 1.0 }).collect();
        weights.buffer(self.mean).shallow_clone().copy_(&Tensor::from_slice(mean));
        weights.buffer(self.std).shallow_clone().copy_(&Tensor::from_slice(&divisors));
    }
}

#[inline(always)]
fn standardised<T: Number>(x: &Tensor, mean: &Tensor, std: &Tensor) -> Option<Tensor> {
    let (mean, std, rows) = (slice::<T>(mean)?, slice::<T>(std)?, slice::<T>(x)?);
    let mut y = x.empty_like();
    let rows = slice_mut::<T>(&mut y)?.chunks_exact_mut(mean.len()).zip(rows.chunks_exact(mean.len()));
    for (y, x) in rows {
        y.iter_mut().zip(x).zip(mean.iter().zip(std)).for_each(|((y, &x), (&mean, &std))| *y = (x - mean) / std);
    }
    Some(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::{assert_close, build, numbers};
    use crate::slices::tests::by_calls;

    #[test]
    fn features_are_left_alone_until_their_statistics_are_set() {
        let (layer, parameters) = build(|b| Standardise::new(b, 3));
        let x = numbers(&[4, 3]);
        assert_close(&layer.forward(parameters.weights(), &x), &x, 1e-7);
        layer.set(parameters.weights(), &[1.0, -2.0, 0.5], &[0.1, 0.0, 4.0]);
        let expected = (&x - Tensor::from_slice(&[1.0f32, -2.0, 0.5])) / Tensor::from_slice(&[0.1f32, 1.0, 4.0]);
        assert_close(&layer.forward(parameters.weights(), &x), &expected, 1e-5);
        assert_close(&by_calls(|| layer.forward(parameters.weights(), &x)), &expected, 1e-5);
    }
}
