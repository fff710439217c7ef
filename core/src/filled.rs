//! Tensors that are filled in place: batches are assembled without an intermediate copy.

use tch::kind::Element;
use tch::{Device, Tensor};

/// Creates a CPU tensor of this shape; `fill` writes its elements, in row-major order, over zeros.
pub fn filled<T: Element>(shape: &[i64], fill: impl FnOnce(&mut [T])) -> Tensor {
    let tensor = Tensor::zeros(shape, (T::KIND, Device::Cpu));
    let numbers = match tensor.numel() {
        0 => &mut [],
        // SAFETY: the tensor is new, so its storage has no other user; the storage is contiguous, aligned for T, as
        // long as the slice, and outlives it.
        #[allow(unsafe_code)]
        numel => unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast::<T>(), numel) },
    };
    fill(numbers);
    tensor
}

/// Creates a CPU tensor, `[len]`, from an iterator; missing elements are 0.
pub fn filled_from<T: Element>(len: usize, numbers: impl IntoIterator<Item = T>) -> Tensor {
    filled(&[len as i64], |to| to.iter_mut().zip(numbers).for_each(|(to, number)| *to = number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_in_row_major_order() {
        let rows = filled(&[2, 3], |to: &mut [f32]| to.iter_mut().enumerate().for_each(|(i, to)| *to = i as f32));
        assert_eq!(rows, Tensor::from_slice(&[0f32, 1., 2., 3., 4., 5.]).view([2, 3]));
        assert_eq!(filled_from(3, [7i64, 8]), Tensor::from_slice(&[7i64, 8, 0]));
        assert_eq!(filled_from(0, [1.0f64]).size(), [0]);
    }
}
