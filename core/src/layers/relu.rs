//! ReLU, `z = max(x, 0)`, of layers without normalization, and the statistics of its output.

use tch::Tensor;

use super::Module;
use crate::slices::{Scalar, simd_dispatch, with_slices};

/// Overwrites `x` by `max(x, 0)`; NaN stays NaN.
pub(super) fn relu_in_place(x: &mut Tensor) {
    if simd_dispatch!(relu_slice(x)).is_none() {
        let _ = x.relu_();
    }
}

/// Overwrites the gradient with respect to `z` by the gradient with respect to `x`.
pub(super) fn relu_backward(gradient: &mut Tensor, z: &Tensor) {
    if simd_dispatch!(backward_by_slice(gradient, z)).is_none() {
        let _ = z.threshold_backward_grad_input(gradient, gradient, 0);
    }
}

#[inline(always)]
fn relu_slice<T: Scalar>(x: &mut Tensor) -> Option<()> {
    with_slices::<T, _, _, _>(
        [x],
        [],
        #[inline(always)]
        |[x], []| x.iter_mut().for_each(|x| *x = if *x < T::zero() { T::zero() } else { *x }),
    )
}

#[inline(always)]
fn backward_by_slice<T: Scalar>(gradient: &mut Tensor, z: &Tensor) -> Option<()> {
    with_slices::<T, _, _, _>(
        [gradient],
        [z],
        #[inline(always)]
        |[gradient], [z]| {
            gradient.iter_mut().zip(z).for_each(|(g, &z)| *g = if z <= T::zero() { T::zero() } else { *g });
        },
    )
}

/// Mean and standard deviation that are taken out of a ReLU's output: `(max(x, 0) - mean) / std`.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReluStats {
    pub mean: f64,
    pub std: f64,
}

impl ReluStats {
    /// The statistics if x is standard normal, as after layer normalization: `1/sqrt(2 pi)` and `sqrt((1 - 1/pi)/2)`. A
    /// layer learns faster from inputs of mean 0 and deviation 1 (LeCun et al., *Efficient BackProp*, 1998).
    pub const OF_NORMAL: Self = ReluStats { mean: 0.398_942_280_401_432_7, std: 0.583_819_370_103_548_9 };

    /// Describes the shift and scale of `width` features.
    pub fn module(self, width: i64) -> Module {
        let all = |value| Tensor::full([width], value, tch::kind::FLOAT_CPU);
        Module::Normalize { mean: all(self.mean), std: all(self.std) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::via_libtorch;

    #[test]
    fn negative_inputs_give_zero_output_and_gradient() {
        let both = || {
            let mut z = Tensor::from_slice(&[-1.0f32, 0.0, 2.0, f32::NAN]);
            relu_in_place(&mut z);
            let mut gradient = Tensor::from_slice(&[3.0f32, 4.0, 5.0, 6.0]);
            relu_backward(&mut gradient, &z);
            [z, gradient].map(|tensor| Vec::<f32>::try_from(tensor).unwrap())
        };
        for [z, gradient] in [both(), via_libtorch(both)] {
            assert_eq!(z[..3], [0.0, 0.0, 2.0]);
            assert!(z[3].is_nan());
            assert_eq!(gradient, [0.0, 0.0, 5.0, 6.0]);
        }
    }
}
