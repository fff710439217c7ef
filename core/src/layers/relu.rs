//! The rectifier, `z = max(x, 0)`, of layers that are not normalised.

use tch::Tensor;

use crate::slices::{Scalar, simd_dispatch, with_slices};

/// Writes `z` over `x`. What is no number stays none.
pub(super) fn relu_in_place(x: &mut Tensor) {
    if simd_dispatch!(relu_slice(x)).is_none() {
        let _ = x.relu_();
    }
}

/// Writes the gradient with respect to `x` over that with respect to `z`, of the same shape.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::via_libtorch;

    #[test]
    fn what_is_negative_becomes_nothing_and_learns_nothing() {
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
