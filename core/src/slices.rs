//! The numbers of a tensor in main memory as a slice, for loops that do at once what libtorch does in many calls.
//!
//! An agent's network is so small that a call of libtorch takes longer than its arithmetic. So where the numbers are in
//! main memory, some chains of calls are one loop instead. Each stands beside the calls that it replaces, which serve
//! other devices, and a test holds the two together.

use num_traits::Float;
use tch::Tensor;
use tch::kind::Element;

use crate::device::readable_without_sync;

/// A kind of number that such loops compute with: `f32` or `f64`.
pub(crate) trait Scalar: Float + Element + std::iter::Sum + Sync + 'static {
    /// The nearest number of this kind.
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

/// `f(..)`, a function that gives nothing unless its tensors are slices of its kind of number, for the kind that they have.
/// What is inlined in it uses the longest vectors that the machine has; the results are the same whatever their length.
macro_rules! simd_dispatch {
    ($f:ident($($argument:expr),* $(,)?)) => {{
        let arch = pulp::Arch::new();
        arch.dispatch($crate::slices::SimdKernel(#[inline(always)] || $f::<f32>($($argument),*)))
            .or_else(|| arch.dispatch($crate::slices::SimdKernel(#[inline(always)] || $f::<f64>($($argument),*))))
    }};
}
pub(crate) use simd_dispatch;

/// A loop that is inlined where it is dispatched: a closure alone is called there by way of a function that the compiler
/// makes, which isn't, and whose vectors are the short ones that every machine has.
pub(crate) struct SimdKernel<F>(pub F);

impl<R, F: FnMut() -> R> pulp::WithSimd for SimdKernel<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}

/// Lends the numbers of tensors to a loop, in row-major order, those of the first tensors to be changed in place. Nothing is
/// done unless all of them lie so in main memory, are of this kind, and autograd doesn't watch them; nor where tensors share
/// numbers that are to be changed.
///
/// The loop is `Sync`, which tensors are not, so it holds none by which it could reach the numbers another way; and this
/// crate keeps none in statics.
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
    // SAFETY: each span is of numbers of kind T, one after the other, that live as long as their tensor, which is borrowed.
    // Those that are changed are of one span alone, and the loop has no other way to any of them.
    #[allow(unsafe_code)]
    let (changed, read) = unsafe {
        (
            of_changed.map(|span| std::slice::from_raw_parts_mut(span.start, span.len)),
            of_read.map(|span| std::slice::from_raw_parts(span.start, span.len)),
        )
    };
    Some(work(changed, read))
}

/// Whether a tensor's numbers can be lent, or there is no room to be made for what a loop would write.
#[inline(always)]
pub(crate) fn sliceable<T: Element>(tensor: &Tensor) -> Option<()> {
    Span::<T>::of(tensor).map(|_| ())
}

/// What [`with_slices`] counts on, or this wouldn't compile.
const _TENSORS_ARE_NOT_SYNC: fn() = || {
    trait NotSync<Ambiguous> {
        fn holds() {}
    }
    impl<T> NotSync<()> for T {}
    impl<T: Sync> NotSync<u8> for T {}
    <Tensor as NotSync<_>>::holds();
};

/// Where numbers lie in main memory.
pub(crate) struct Span<T> {
    pub start: *mut T,
    pub len: usize,
}

impl<T> Span<T> {
    const EMPTY: Self = Span { start: std::ptr::null_mut(), len: 0 };

    /// Whether some number is in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let end = |span: &Self| span.start.wrapping_add(span.len);
        self.start < end(other) && other.start < end(self)
    }
}

impl<T: Element> Span<T> {
    /// Of the numbers of a tensor, if there are any and they can be a slice.
    fn of(tensor: &Tensor) -> Option<Self> {
        let start = data_pointer::<T>(tensor).filter(|_| tensor.is_contiguous())?;
        Some(Span { start, len: tensor.numel() })
    }
}

/// Where the numbers begin, if there are any, however they lie in main memory, they are of this kind, and autograd doesn't
/// watch them.
pub(crate) fn data_pointer<T: Element>(tensor: &Tensor) -> Option<*mut T> {
    let fits = readable_without_sync(tensor.device()) && tensor.kind() == T::KIND;
    (fits && tensor.numel() > 0 && !tensor.requires_grad()).then(|| tensor.data_ptr().cast())
}

/// How many sums are added up side by side, so that vectors can do it; the order is the same on every machine.
const LANES: usize = 16;

/// `sum_i f(x_i)`.
#[inline(always)]
pub(crate) fn sum<T: Scalar>(x: &[T], f: impl Fn(T) -> T) -> T {
    let (mut lanes, (chunks, rest)) = ([T::zero(); LANES], x.as_chunks::<LANES>());
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(sum, &x)| *sum = *sum + f(x));
    }
    lanes.into_iter().chain(rest.iter().map(|&x| f(x))).sum()
}

/// `sum_i x_i y_i`.
#[inline(always)]
pub(crate) fn dot<T: Scalar>(x: &[T], y: &[T]) -> T {
    let (mut lanes, (xs, x_rest), (ys, y_rest)) = ([T::zero(); LANES], x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (xs, ys) in xs.iter().zip(ys) {
        lanes.iter_mut().zip(xs.iter().zip(ys)).for_each(|(sum, (&x, &y))| *sum = *sum + x * y);
    }
    lanes.into_iter().chain(x_rest.iter().zip(y_rest).map(|(&x, &y)| x * y)).sum()
}

/// Writes `sum_b x_bi` for each column i of `x`, `[B, O]`, on `sums`, `[O]`.
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
    fn only_numbers_of_the_kind_that_lie_in_order_are_a_slice() {
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
    fn what_is_changed_is_lent_once() {
        let tensor = || Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]);
        let lent = |x: &Tensor, y: &Tensor, z: &Tensor| {
            let (mut x, mut y) = (x.shallow_clone(), y.shallow_clone());
            with_slices([&mut x, &mut y], [z], |[x, y]: [&mut [f32]; 2], [z]| (x[0], y[0]) = (z[0], x[0])).is_some()
        };
        let (all, other, third) = (tensor(), tensor(), tensor());
        let [first, rest] = [all.narrow(0, 0, 1), all.narrow(0, 1, 3)];
        assert!(lent(&all, &other, &third) && lent(&first, &rest, &other) && lent(&other, &first, &rest));
        for (x, y, z) in [(&all, &all, &other), (&all, &rest, &other), (&first, &other, &all), (&other, &rest, &rest)] {
            assert!(!lent(x, y, z));
        }
        let read_twice = with_slices([], [&all, &rest], |[], [all, rest]: [&[f32]; 2]| all.len() + rest.len());
        assert_eq!(read_twice, Some(7));
    }

    #[test]
    fn columns_are_summed_up_over_rows() {
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
    fn sums_of_every_length_by_hand() {
        for n in [0, 1, 15, 16, 17, 50] {
            let x: Vec<f64> = (1..=n).map(f64::from).collect();
            let n = f64::from(n);
            assert_eq!(sum(&x, |x| x - 1.0), n * (n - 1.0) / 2.0);
            assert_eq!(dot(&x, &x), n * (n + 1.0) * (2.0 * n + 1.0) / 6.0);
        }
    }
}
