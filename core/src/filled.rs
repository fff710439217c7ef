//! Tensors whose numbers are written straight to their place: batches are put together without a copy to throw away.

use tch::kind::Element;
use tch::{Device, Tensor};

/// A tensor in main memory, of this shape, whose numbers `fill` writes, in row-major order; they are 0 before.
pub fn filled<T: Element>(shape: &[i64], fill: impl FnOnce(&mut [T])) -> Tensor {
    let tensor = Tensor::zeros(shape, (T::KIND, Device::Cpu));
    let numbers = match tensor.numel() {
        0 => &mut [],
        // SAFETY: the tensor is new, so nobody else sees its storage; that is contiguous, aligned for its kind of
        // number, as long as this slice, and outlives it.
        #[allow(unsafe_code)]
        numel => unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast::<T>(), numel) },
    };
    fill(numbers);
    tensor
}

/// The same of numbers that come one after the other, as a vector of the given length.
pub fn filled_from<T: Element>(len: usize, numbers: impl IntoIterator<Item = T>) -> Tensor {
    filled(&[len as i64], |to| to.iter_mut().zip(numbers).for_each(|(to, number)| *to = number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_where_they_were_written() {
        let rows = filled(&[2, 3], |to: &mut [f32]| to.iter_mut().enumerate().for_each(|(i, to)| *to = i as f32));
        assert_eq!(rows, Tensor::from_slice(&[0f32, 1., 2., 3., 4., 5.]).view([2, 3]));
        assert_eq!(filled_from(3, [7i64, 8]), Tensor::from_slice(&[7i64, 8, 0]));
        assert_eq!(filled_from(0, [1.0f64]).size(), [0]);
    }
}
