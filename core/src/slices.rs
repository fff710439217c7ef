//! The numbers of a tensor in main memory as a slice, for loops that do at once what libtorch does in many calls.
//!
//! An agent's network is so small that a call of libtorch takes longer than its arithmetic. So where the numbers are in
//! main memory, some chains of calls are one loop instead. Each stands beside the calls that it replaces, which serve
//! other devices, and a test holds the two together.

use num_traits::Float;
use tch::Tensor;
use tch::kind::Element;

use crate::device::can_look;

/// A kind of number that such loops compute with: `f32` or `f64`.
pub(crate) trait Number: Float + Element + std::iter::Sum + 'static {
    /// The nearest number of this kind.
    fn of(number: f64) -> Self;
}

impl Number for f32 {
    fn of(number: f64) -> Self {
        number as f32
    }
}

impl Number for f64 {
    fn of(number: f64) -> Self {
        number
    }
}

/// `f(..)`, a function that gives nothing unless its tensors are slices of its kind of number, for the kind that they have.
/// What is inlined in it uses the longest vectors that the machine has; the results are the same whatever their length.
macro_rules! looped {
    ($f:ident($($argument:expr),* $(,)?)) => {{
        let arch = pulp::Arch::new();
        arch.dispatch($crate::slices::Loop(#[inline(always)] || $f::<f32>($($argument),*)))
            .or_else(|| arch.dispatch($crate::slices::Loop(#[inline(always)] || $f::<f64>($($argument),*))))
    }};
}
pub(crate) use looped;

/// A loop that is inlined where it is dispatched: a closure alone is called there by way of a function that the compiler
/// makes, which isn't, and whose vectors are the short ones that every machine has.
pub(crate) struct Loop<F>(pub F);

impl<R, F: FnMut() -> R> pulp::WithSimd for Loop<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}

/// The numbers of a tensor in row-major order, if that is how they lie in main memory, they are of this kind, and
/// autograd doesn't watch them.
pub(crate) fn slice<T: Element>(tensor: &Tensor) -> Option<&[T]> {
    let start = start::<T>(tensor)?;
    // SAFETY: `start` has found as many numbers of kind T there, one after the other. They live as long as the tensor,
    // and nobody changes them meanwhile: what borrows them are loops of this crate that call nothing else.
    #[allow(unsafe_code)]
    Some(unsafe { std::slice::from_raw_parts(start, tensor.numel()) })
}

/// The same, to be changed in place. The tensor must not share its storage with another that is borrowed.
pub(crate) fn slice_mut<T: Element>(tensor: &mut Tensor) -> Option<&mut [T]> {
    let start = start::<T>(tensor)?;
    // SAFETY: as above; and who borrows two slices takes them of tensors with storages of their own.
    #[allow(unsafe_code)]
    Some(unsafe { std::slice::from_raw_parts_mut(start, tensor.numel()) })
}

/// Where the numbers begin, if there are any and they can be a slice.
fn start<T: Element>(tensor: &Tensor) -> Option<*mut T> {
    pointer(tensor).filter(|_| tensor.is_contiguous())
}

/// Where the numbers begin, if there are any, however they lie in main memory, they are of this kind, and autograd doesn't
/// watch them.
pub(crate) fn pointer<T: Element>(tensor: &Tensor) -> Option<*mut T> {
    let fits = can_look(tensor.device()) && tensor.kind() == T::KIND;
    (fits && tensor.numel() > 0 && !tensor.requires_grad()).then(|| tensor.data_ptr().cast())
}

/// How many sums are added up side by side, so that vectors can do it; the order is the same on every machine.
const LANES: usize = 16;

/// `sum_i f(x_i)`.
#[inline(always)]
pub(crate) fn sum<T: Number>(x: &[T], f: impl Fn(T) -> T) -> T {
    let (mut lanes, (chunks, rest)) = ([T::zero(); LANES], x.as_chunks::<LANES>());
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(sum, &x)| *sum = *sum + f(x));
    }
    lanes.into_iter().chain(rest.iter().map(|&x| f(x))).sum()
}

/// `sum_i x_i y_i`.
#[inline(always)]
pub(crate) fn dot<T: Number>(x: &[T], y: &[T]) -> T {
    let (mut lanes, (xs, x_rest), (ys, y_rest)) = ([T::zero(); LANES], x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (xs, ys) in xs.iter().zip(ys) {
        lanes.iter_mut().zip(xs.iter().zip(ys)).for_each(|(sum, (&x, &y))| *sum = *sum + x * y);
    }
    lanes.into_iter().chain(x_rest.iter().zip(y_rest).map(|(&x, &y)| x * y)).sum()
}

/// Writes `sum_b x_bi` for each column i of `x`, `[B, O]`, on `sums`, `[O]`.
pub(crate) fn write_column_sums(x: &Tensor, sums: &Tensor) {
    let mut sums = sums.shallow_clone();
    if looped!(column_sums(x, &mut sums)).is_none() {
        let _ = x.sum_intlist_out(&sums, [0].as_slice(), false, None);
    }
}

#[inline(always)]
fn column_sums<T: Number>(x: &Tensor, sums: &mut Tensor) -> Option<()> {
    let (rows, sums) = (slice::<T>(x)?, slice_mut::<T>(sums)?);
    sums.fill(T::zero());
    for row in rows.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum = *sum + x);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::by_calls;

    #[test]
    fn only_numbers_of_the_kind_that_lie_in_order_are_a_slice() {
        let tensor = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0]).view([2, 2]);
        assert_eq!(slice::<f32>(&tensor), Some(&[1.0f32, 2.0, 3.0, 4.0][..]));
        assert_eq!(slice::<f32>(&tensor.get(1)), Some(&[3.0f32, 4.0][..]));
        assert_eq!(slice::<f64>(&tensor), None);
        assert_eq!(slice::<f32>(&tensor.tr()), None);
        assert_eq!(slice::<f32>(&tensor.narrow(0, 0, 0)), None);
        assert!(by_calls(|| slice::<f32>(&tensor).is_none()));
        assert_eq!(slice::<f32>(&tensor.set_requires_grad(true)), None);
    }

    #[test]
    fn columns_are_summed_up_over_rows() {
        let x = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 10.0, 20.0, 30.0]).view([2, 3]);
        let sums = Tensor::zeros([3], tch::kind::FLOAT_CPU);
        let write = || write_column_sums(&x, &sums);
        for write in [&write as &dyn Fn(), &|| by_calls(write)] {
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
