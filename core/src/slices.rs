//! Tensors on the CPU as slices, for loops that replace chains of libtorch calls.
//!
//! For an agent's small networks, the overhead of a libtorch call exceeds its arithmetic. So some chains of calls are
//! one loop on the CPU. Other devices use the equivalent libtorch calls, and tests compare the two.

use num_traits::Float;
use tch::Tensor;
use tch::kind::Element;

use crate::device::readable_without_sync;

/// Element type of the loops: `f32` or `f64`.
pub(crate) trait Scalar: Float + Element + std::iter::Sum + Sync + 'static {
    /// Rounds to this type.
    fn from_f64(number: f64) -> Self;
}

impl Scalar for f32 {
    fn from_f64(number: f64) -> Self {
        number as f32
    }
}

impl Scalar for f64 {
    fn from_f64(number: f64) -> Self {
        number
    }
}

/// Calls `f::<f32>`, else `f::<f64>`, compiled for the widest SIMD vectors of the processor. `f` returns `None` unless
/// its tensors are slices of its element type. Results don't depend on the vectors' width.
macro_rules! simd_dispatch {
    ($f:ident($($argument:expr),* $(,)?)) => {{
        let arch = pulp::Arch::new();
        arch.dispatch($crate::slices::SimdKernel(#[inline(always)] || $f::<f32>($($argument),*)))
            .or_else(|| arch.dispatch($crate::slices::SimdKernel(#[inline(always)] || $f::<f64>($($argument),*))))
    }};
}
pub(crate) use simd_dispatch;

/// A closure that is inlined into the dispatched function. pulp calls a plain closure through a function that is not
/// inlined, and is thus compiled for the baseline's narrow vectors.
pub(crate) struct SimdKernel<F>(pub F);

impl<R, F: FnMut() -> R> pulp::WithSimd for SimdKernel<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}

/// Calls `work` with the elements of tensors as slices, in row-major order: mutable ones of `changed`, shared ones of
/// `read`. Returns `None`, without calling it, unless all tensors are non-empty and contiguous, on the CPU, of dtype
/// `T` and without autograd, and no changed tensor overlaps another.
///
/// `work` is `Sync`, which tensors are not, so it can't hold a tensor that aliases the slices; and this crate keeps no
/// tensors in statics.
#[inline(always)]
pub(crate) fn with_slices<T: Element, R, const M: usize, const N: usize>(
    changed: [&mut Tensor; M],
    read: [&Tensor; N],
    work: impl FnOnce([&mut [T]; M], [&[T]; N]) -> R + Sync,
) -> Option<R> {
    let (mut of_changed, mut of_read) = ([Span::<T>::EMPTY; M], [Span::<T>::EMPTY; N]);
    let tensors = changed.iter().map(|tensor| &**tensor).chain(read);
    for (span, tensor) in of_changed.iter_mut().chain(&mut of_read).zip(tensors) {
        *span = Span::of(tensor)?;
    }
    for (i, span) in of_changed.iter().enumerate() {
        if of_changed[i + 1..].iter().chain(&of_read).any(|other| span.overlaps(other)) {
            return None;
        }
    }
    // SAFETY: each span is a contiguous run of elements of type T that lives as long as its tensor, which is borrowed.
    // Mutable spans overlap no other span, and `work` can't access the tensors in another way.
    #[allow(unsafe_code)]
    let (changed, read) = unsafe {
        (
            of_changed.map(|span| std::slice::from_raw_parts_mut(span.start, span.len)),
            of_read.map(|span| std::slice::from_raw_parts(span.start, span.len)),
        )
    };
    Some(work(changed, read))
}

/// Returns `Some` if [`with_slices`] accepts the tensor; to be checked before allocating a loop's output.
#[inline(always)]
pub(crate) fn sliceable<T: Element>(tensor: &Tensor) -> Option<()> {
    Span::<T>::of(tensor).map(|_| ())
}

/// Compile-time check that tensors are not `Sync`, which [`with_slices`] relies on.
const _TENSORS_ARE_NOT_SYNC: fn() = || {
    trait NotSync<Ambiguous> {
        fn holds() {}
    }
    impl<T> NotSync<()> for T {}
    impl<T: Sync> NotSync<u8> for T {}
    <Tensor as NotSync<_>>::holds();
};

/// A contiguous run of elements in CPU memory.
pub(crate) struct Span<T> {
    pub start: *mut T,
    pub len: usize,
}

impl<T> Span<T> {
    const EMPTY: Self = Span { start: std::ptr::null_mut(), len: 0 };

    /// Returns whether two spans share elements.
    pub fn overlaps(&self, other: &Self) -> bool {
        let end = |span: &Self| span.start.wrapping_add(span.len);
        self.start < end(other) && other.start < end(self)
    }
}

impl<T: Element> Span<T> {
    /// Returns the span of a tensor, if it can be a slice.
    fn of(tensor: &Tensor) -> Option<Self> {
        let start = data_pointer::<T>(tensor).filter(|_| tensor.is_contiguous())?;
        Some(Span { start, len: tensor.numel() })
    }
}

/// Returns a pointer to the first element, if the tensor is non-empty, on the CPU, of dtype `T` and without autograd;
/// it may be strided.
pub(crate) fn data_pointer<T: Element>(tensor: &Tensor) -> Option<*mut T> {
    let fits = readable_without_sync(tensor.device()) && tensor.kind() == T::KIND;
    (fits && tensor.numel() > 0 && !tensor.requires_grad()).then(|| tensor.data_ptr().cast())
}

/// Number of partial sums, for SIMD; the order of additions is the same on all processors.
const LANES: usize = 16;

/// Computes `sum_i f(x_i)`.
#[inline(always)]
pub(crate) fn sum<T: Scalar>(x: &[T], f: impl Fn(T) -> T) -> T {
    let (mut lanes, (chunks, rest)) = ([T::zero(); LANES], x.as_chunks::<LANES>());
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(sum, &x)| *sum = *sum + f(x));
    }
    lanes.into_iter().chain(rest.iter().map(|&x| f(x))).sum()
}

/// Computes `sum_i x_i y_i`.
#[inline(always)]
pub(crate) fn dot<T: Scalar>(x: &[T], y: &[T]) -> T {
    sum_of_pairs(x, y, |x, y| x * y)
}

/// Computes `sum_i f(x_i, y_i)`.
#[inline(always)]
pub(crate) fn sum_of_pairs<T: Scalar>(x: &[T], y: &[T], f: impl Fn(T, T) -> T) -> T {
    let (mut lanes, (xs, x_rest), (ys, y_rest)) = ([T::zero(); LANES], x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (xs, ys) in xs.iter().zip(ys) {
        lanes.iter_mut().zip(xs.iter().zip(ys)).for_each(|(sum, (&x, &y))| *sum = *sum + f(x, y));
    }
    lanes.into_iter().chain(x_rest.iter().zip(y_rest).map(|(&x, &y)| f(x, y))).sum()
}

/// Writes `sum_b x_bi` for each column i of `x`, `[B, O]`, to `sums`, `[O]`.
pub(crate) fn column_sums_into(x: &Tensor, sums: &Tensor) {
    let mut sums = sums.shallow_clone();
    if simd_dispatch!(column_sums(x, &mut sums)).is_none() {
        let _ = x.sum_intlist_out(&sums, [0].as_slice(), false, None);
    }
}

#[inline(always)]
fn column_sums<T: Scalar>(x: &Tensor, sums: &mut Tensor) -> Option<()> {
    with_slices::<T, _, _, _>(
        [sums],
        [x],
        #[inline(always)]
        |[sums], [x]| {
            sums.fill(T::zero());
            for row in x.chunks_exact(sums.len()) {
                sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum = *sum + x);
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::via_libtorch;

    fn slice<T: Element>(tensor: &Tensor) -> Option<Vec<T>> {
        with_slices([], [tensor], |[], [numbers]: [&[T]; 1]| numbers.to_vec())
    }

    #[test]
    fn only_contiguous_tensors_of_the_dtype_are_slices() {
        let tensor = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]).view([2, 2]);
        assert_eq!(slice::<f32>(&tensor), Some(vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(slice::<f32>(&tensor.get(1)), Some(vec![3.0, 4.0]));
        assert_eq!(slice::<f64>(&tensor), None);
        assert_eq!(slice::<f32>(&tensor.tr()), None);
        assert_eq!(slice::<f32>(&tensor.narrow(0, 0, 0)), None);
        assert!(via_libtorch(|| slice::<f32>(&tensor).is_none()));
        assert_eq!(slice::<f32>(&tensor.set_requires_grad(true)), None);
    }

    #[test]
    fn a_changed_tensor_overlaps_no_other() {
        let tensor = || Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]);
        let accepted = |x: &Tensor, y: &Tensor, z: &Tensor| {
            let (mut x, mut y) = (x.shallow_clone(), y.shallow_clone());
            with_slices([&mut x, &mut y], [z], |[x, y]: [&mut [f32]; 2], [z]| (x[0], y[0]) = (z[0], x[0])).is_some()
        };
        let (all, other, third) = (tensor(), tensor(), tensor());
        let [first, rest] = [all.narrow(0, 0, 1), all.narrow(0, 1, 3)];
        assert!(accepted(&all, &other, &third) && accepted(&first, &rest, &other) && accepted(&other, &first, &rest));
        for (x, y, z) in [(&all, &all, &other), (&all, &rest, &other), (&first, &other, &all), (&other, &rest, &rest)] {
            assert!(!accepted(x, y, z));
        }
        let read_twice = with_slices([], [&all, &rest], |[], [all, rest]: [&[f32]; 2]| all.len() + rest.len());
        assert_eq!(read_twice, Some(7));
    }

    #[test]
    fn column_sums_match_values_by_hand() {
        let x = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 10.0, 20.0, 30.0]).view([2, 3]);
        let sums = Tensor::zeros([3], tch::kind::FLOAT_CPU);
        let write = || column_sums_into(&x, &sums);
        for write in [&write as &dyn Fn(), &|| via_libtorch(write)] {
            let _ = sums.shallow_clone().fill_(7.0);
            write();
            assert_eq!(Vec::<f32>::try_from(&sums).unwrap(), [11.0, 22.0, 33.0]);
        }
    }

    #[test]
    fn sums_of_any_length_match_values_by_hand() {
        for n in [0, 1, 15, 16, 17, 50] {
            let x: Vec<f64> = (1..=n).map(f64::from).collect();
            let n = f64::from(n);
            assert_eq!(sum(&x, |x| x - 1.0), n * (n - 1.0) / 2.0);
            assert_eq!(dot(&x, &x), n * (n + 1.0) * (2.0 * n + 1.0) / 6.0);
        }
    }
}
