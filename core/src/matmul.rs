//! Products of matrices.
//!
//! They are most of an agent's update. Where the numbers are in main memory and libtorch is to use one thread, `gemm`
//! makes them, in the longest vectors that the processor has; libtorch's own library has those of one maker only. Elsewhere
//! libtorch makes them.

use std::sync::Once;

use gemm::{Parallelism, gemm, set_lhs_packing_threshold_single_thread};
use tch::Tensor;
use tch::kind::Element;

use crate::slices::{Scalar, Span, data_pointer, sliceable, with_slices};

/// Matrices as small as an agent's are not worth copying into another order first, unless their rows lie the wrong way.
static SET_PACKING_THRESHOLD: Once = Once::new();

/// `x W^T + b`: `[B, I]`, `[O, I]`, `[O]` to `[B, O]`.
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
    let narrow = linear_of::<f32>(x, weight, bias);
    narrow.or_else(|| linear_of::<f64>(x, weight, bias)).unwrap_or_else(|| x.linear(weight, Some(bias)))
}

/// `a b`: `[M, K]`, `[K, N]` to `[M, N]`.
pub(crate) fn matmul(a: &Tensor, b: &Tensor) -> Tensor {
    let out = match (&a.size()[..], &b.size()[..]) {
        ([m, _], [_, n]) => Tensor::empty([*m, *n], (a.kind(), a.device())),
        _ => return a.mm(b), // which says what is wrong with them
    };
    matmul_into(a, b, &out);
    out
}

/// Writes `a b` on `out`: `[M, K]`, `[K, N]` on `[M, N]`.
pub(crate) fn matmul_into(a: &Tensor, b: &Tensor, out: &Tensor) {
    if gemm_into::<f32>(a, b, out, false).or_else(|| gemm_into::<f64>(a, b, out, false)).is_none() {
        let _ = a.mm_out(out, b);
    }
}

fn linear_of<T: Scalar>(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Option<Tensor> {
    sliceable::<T>(bias)?;
    let mut y = Tensor::empty([*x.size().first()?, bias.numel() as i64], (x.kind(), x.device()));
    with_slices::<T, _, _, _>([&mut y], [bias], |[y], [bias]| {
        y.chunks_exact_mut(bias.len()).for_each(|row| row.copy_from_slice(bias));
    })?;
    gemm_into::<T>(x, &weight.tr(), &y, true)?;
    Some(y)
}

/// Writes `a b` on `out`, or adds it to what is there; nothing unless all three are in main memory and fit, and `out` is
/// apart from the others.
fn gemm_into<T: Scalar>(a: &Tensor, b: &Tensor, out: &Tensor, add: bool) -> Option<()> {
    let (a, b, out) = (Matrix::<T>::of(a)?, Matrix::<T>::of(b)?, Matrix::<T>::of(out)?);
    let ([m, k], n) = (a.size, b.size[1]);
    let apart = !(out.span().overlaps(&a.span()) || out.span().overlaps(&b.span()));
    if tch::get_num_threads() > 1 || b.size[0] != k || out.size != [m, n] || !apart {
        return None;
    }
    SET_PACKING_THRESHOLD.call_once(|| set_lhs_packing_threshold_single_thread(256));
    let old = if add { T::one() } else { T::zero() };
    // SAFETY: each matrix has as many numbers as its sizes say, at its strides; `out` shares its numbers with neither.
    #[allow(unsafe_code)]
    unsafe {
        gemm(
            m,
            n,
            k,
            out.start,
            out.strides[1],
            out.strides[0],
            add,
            a.start,
            a.strides[1],
            a.strides[0],
            b.start,
            b.strides[1],
            b.strides[0],
            old,
            T::one(),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
    Some(())
}

/// A matrix in main memory.
struct Matrix<T> {
    start: *mut T,
    /// rows, columns
    size: [usize; 2],
    strides: [isize; 2],
}

impl<T: Element> Matrix<T> {
    fn of(tensor: &Tensor) -> Option<Self> {
        let start = data_pointer::<T>(tensor)?;
        let size = <[i64; 2]>::try_from(tensor.size()).ok()?.map(|size| size as usize);
        let strides = <[i64; 2]>::try_from(tensor.stride()).ok()?.map(|stride| stride as isize);
        Some(Matrix { start, size, strides })
    }

    /// From its first number to its last, with whatever lies between its rows.
    fn span(&self) -> Span<T> {
        let [rows, columns] = [0, 1].map(|i| (self.size[i] - 1) * self.strides[i] as usize);
        Span { start: self.start, len: rows + columns + 1 }
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::device::via_libtorch;
    use crate::layers::tests::{assert_close, numbers};

    #[test]
    fn products_are_libtorchs_however_the_matrices_lie() {
        tch::set_num_threads(1);
        for kind in [Kind::Float, Kind::Double] {
            for (m, k, n) in [(1, 1, 1), (1, 7, 5), (33, 1, 2), (17, 40, 65), (128, 256, 50)] {
                let (a, b) = (numbers(&[m, k]).to_kind(kind), numbers(&[k, n]).to_kind(kind).cos());
                let expected = a.mm(&b);
                let transposed = |x: &Tensor| x.tr().contiguous().tr();
                for (a, b) in
                    [(&a, &b), (&transposed(&a), &b), (&a, &transposed(&b)), (&transposed(&a), &transposed(&b))]
                {
                    assert_close(&matmul(a, b), &expected, 1e-5);
                    assert_close(&via_libtorch(|| matmul(a, b)), &expected, 1e-5);
                }
                let part = Tensor::zeros([n, m + 3], (kind, tch::Device::Cpu)).narrow(1, 2, m).tr();
                matmul_into(&a, &b, &part);
                assert_close(&part, &expected, 1e-5);

                let bias = numbers(&[n]).to_kind(kind);
                let expected = &expected + &bias;
                assert_close(&linear(&a, &b.tr(), &bias), &expected, 1e-5);
                assert_close(&via_libtorch(|| linear(&a, &b.tr(), &bias)), &expected, 1e-5);
            }
        }
    }

    #[test]
    fn what_is_multiplied_is_not_written_over() {
        tch::set_num_threads(1);
        let (a, b) = (numbers(&[4, 4]), numbers(&[4, 4]).cos());
        let both = Tensor::cat(&[&a, &b], 0);
        for (a, b, out) in [(&a, &b, &a), (&a, &b, &b), (&both.narrow(0, 0, 4), &b, &both.narrow(0, 3, 4))] {
            assert!(gemm_into::<f32>(a, b, out, false).is_none());
        }
        assert!(gemm_into::<f32>(&both.narrow(0, 0, 4), &b, &both.narrow(0, 4, 4), false).is_some());
    }

    #[test]
    fn matrices_that_dont_fit_are_libtorchs_error() {
        tch::set_num_threads(1);
        let wrong = std::panic::catch_unwind(|| matmul(&numbers(&[2, 3]), &numbers(&[2, 3])));
        assert!(wrong.is_err());
    }
}
