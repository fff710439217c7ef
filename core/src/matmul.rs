//! Matrix products.
//!
//! Products take most of the time of an agent's update. On the CPU with one libtorch thread, `gemm` computes them with
//! the processor's widest vectors; MKL, which libtorch uses, has AVX-512 on Intel CPUs only. Otherwise libtorch
//! computes them.
//!
//! `gemm` copies a transposed factor, which takes several times as long as the product if columns are long. Outputs of at
//! most [`DOT_PRODUCTS`] elements are computed by dot products instead, without a copy, so such products are cut into
//! blocks of that size.

use std::sync::Once;

use gemm::{Parallelism, gemm, set_lhs_packing_threshold_single_thread};
use tch::Tensor;
use tch::kind::Element;

use crate::slices::{Scalar, Span, data_pointer, sliceable, with_slices};

/// Turns off packing of small matrices, which costs more than it gains for an agent's layers.
static SET_PACKING_THRESHOLD: Once = Once::new();

/// The largest number of outputs that `gemm` computes by dot products if rows of `a` and columns of `b` are contiguous.
const DOT_PRODUCTS: usize = 256;
/// Rows of a block; few, so that they stay in the first cache.
const BLOCK_ROWS: usize = 8;
/// Columns that are long: from here on dot products are faster.
const LONG: usize = 512;

/// Computes `x W^T + b`: `[B, I]`, `[O, I]`, `[O] -> [B, O]`.
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Tensor {
    let narrow = linear_of::<f32>(x, weight, bias);
    narrow.or_else(|| linear_of::<f64>(x, weight, bias)).unwrap_or_else(|| x.linear(weight, Some(bias)))
}

/// Computes `a b`: `[M, K]`, `[K, N] -> [M, N]`.
pub(crate) fn matmul(a: &Tensor, b: &Tensor) -> Tensor {
    let out = match (&a.size()[..], &b.size()[..]) {
        ([m, _], [_, n]) => Tensor::empty([*m, *n], (a.kind(), a.device())),
        _ => return a.mm(b), // panics with libtorch's message
    };
    matmul_into(a, b, &out);
    out
}

/// Writes `a b` to `out`: `[M, K]`, `[K, N] -> [M, N]`.
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

/// Writes `a b` to `out`, or adds it to `out`, by `gemm`. Returns `None`, without writing, unless all three matrices
/// are on the CPU, their shapes fit, `out` overlaps neither factor, and libtorch uses one thread.
fn gemm_into<T: Scalar>(a: &Tensor, b: &Tensor, out: &Tensor, add: bool) -> Option<()> {
    let (a, b, out) = (Matrix::<T>::of(a)?, Matrix::<T>::of(b)?, Matrix::<T>::of(out)?);
    let ([m, k], n) = (a.size, b.size[1]);
    let disjoint = !(out.span().overlaps(&a.span()) || out.span().overlaps(&b.span()));
    if tch::get_num_threads() > 1 || b.size[0] != k || out.size != [m, n] || !disjoint {
        return None;
    }
    let by_dot_products = k >= LONG && a.strides[1] == 1 && b.strides[0] == 1;
    let [rows, columns] = if by_dot_products { [BLOCK_ROWS, DOT_PRODUCTS / BLOCK_ROWS] } else { [m, n] };
    for row in (0..m).step_by(rows) {
        let a = a.part([row, 0], [rows, k]);
        for column in (0..n).step_by(columns) {
            let (b, out) = (b.part([0, column], [k, columns]), out.part([row, column], [rows, columns]));
            multiply_into(&a, &b, &out, add);
        }
    }
    Some(())
}

/// Writes `a b` to `out`, or adds it to `out`; shapes fit and `out` overlaps neither factor.
fn multiply_into<T: Scalar>(a: &Matrix<T>, b: &Matrix<T>, out: &Matrix<T>, add: bool) {
    SET_PACKING_THRESHOLD.call_once(|| set_lhs_packing_threshold_single_thread(256));
    let old = if add { T::one() } else { T::zero() };
    // SAFETY: each matrix has elements at all indices of its size, at its strides; `out` overlaps neither `a` nor `b`.
    #[allow(unsafe_code)]
    unsafe {
        gemm(
            out.size[0],
            out.size[1],
            a.size[1],
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
}

/// A strided matrix in CPU memory.
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

    /// Returns the part that starts at this row and column, of at most this size.
    fn part(&self, [row, column]: [usize; 2], [rows, columns]: [usize; 2]) -> Self {
        let offset = row as isize * self.strides[0] + column as isize * self.strides[1];
        let size = [rows.min(self.size[0] - row), columns.min(self.size[1] - column)];
        Matrix { start: self.start.wrapping_offset(offset), size, strides: self.strides }
    }

    /// Returns the span from the first to the last element, gaps between rows included.
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
    fn products_match_libtorch_for_any_strides() {
        tch::set_num_threads(1);
        for kind in [Kind::Float, Kind::Double] {
            for (m, k, n) in
                [(1, 1, 1), (1, 7, 5), (33, 1, 2), (17, 40, 65), (128, 256, 50), (9, 600, 33), (20, 512, 70)]
            {
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
    fn an_output_that_overlaps_a_factor_is_rejected() {
        tch::set_num_threads(1);
        let (a, b) = (numbers(&[4, 4]), numbers(&[4, 4]).cos());
        let both = Tensor::cat(&[&a, &b], 0);
        for (a, b, out) in [(&a, &b, &a), (&a, &b, &b), (&both.narrow(0, 0, 4), &b, &both.narrow(0, 3, 4))] {
            assert!(gemm_into::<f32>(a, b, out, false).is_none());
        }
        assert!(gemm_into::<f32>(&both.narrow(0, 0, 4), &b, &both.narrow(0, 4, 4), false).is_some());
    }

    #[test]
    fn shapes_that_do_not_fit_panic_in_libtorch() {
        tch::set_num_threads(1);
        let wrong = std::panic::catch_unwind(|| matmul(&numbers(&[2, 3]), &numbers(&[2, 3])));
        assert!(wrong.is_err());
    }
}
