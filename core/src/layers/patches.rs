//! Patches of images, the windows of a convolution: with each patch in a row, a convolution is a matrix product.
//!
//! Images are channels-last, so that a row of a patch is contiguous.

use tch::Tensor;

use crate::slices::{Scalar, simd_dispatch, sliceable, with_slices};

/// The windows of a convolution without padding.
#[derive(Clone, Copy, Debug)]
pub(super) struct Windows {
    /// Height, width and channels of the images.
    pub image: [usize; 3],
    /// Side of a window, in pixels.
    pub kernel: usize,
    /// Distance between windows, in pixels.
    pub stride: usize,
}

impl Windows {
    /// Returns the numbers of windows below and beside each other.
    pub fn counts(&self) -> [usize; 2] {
        [self.image[0], self.image[1]].map(|side| (side - self.kernel) / self.stride + 1)
    }

    /// Copies the patches of images, `[B, height width channels] -> [B windows, k k channels]`. Returns `None` unless the
    /// images are contiguous, on the CPU and without autograd.
    pub fn patches(&self, images: &Tensor) -> Option<Tensor> {
        simd_dispatch!(copy_patches(self, images))
    }

    /// Adds up patches of `samples` images where they overlap, `[B windows, k k channels] -> [B, height width channels]`:
    /// the derivative of [`patches`](Self::patches).
    pub fn sum(&self, patches: &Tensor, samples: i64) -> Option<Tensor> {
        simd_dispatch!(add_patches(self, patches, samples))
    }

    /// Calls `work` for each row of each patch of an image with its places in the image and in the patches.
    #[inline(always)]
    fn for_each_row(&self, mut work: impl FnMut(usize, usize)) {
        let &Windows { image: [_, width, channels], kernel, stride } = self;
        let [below, beside] = self.counts();
        let mut of_patch = 0;
        for (y, x) in (0..below).flat_map(|y| (0..beside).map(move |x| (y, x))) {
            for row in 0..kernel {
                work(((y * stride + row) * width + x * stride) * channels, of_patch);
                of_patch += kernel * channels;
            }
        }
    }

    /// Returns the lengths of an image, of its patches, and of a patch's row.
    fn lengths(&self) -> [usize; 3] {
        let (row, [below, beside]) = (self.kernel * self.image[2], self.counts());
        [self.image.iter().product(), below * beside * self.kernel * row, row]
    }
}

#[inline(always)]
fn copy_patches<T: Scalar>(windows: &Windows, images: &Tensor) -> Option<Tensor> {
    sliceable::<T>(images)?;
    let [of_image, of_patches, row] = windows.lengths();
    let (samples, len) = ((images.numel() / of_image) as i64, (windows.kernel * row) as i64);
    let mut patches = Tensor::empty([samples * of_patches as i64 / len, len], (images.kind(), images.device()));
    with_slices::<T, _, _, _>(
        [&mut patches],
        [images],
        #[inline(always)]
        |[patches], [images]| {
            for (image, patches) in images.chunks_exact(of_image).zip(patches.chunks_exact_mut(of_patches)) {
                windows.for_each_row(|at, to| patches[to..to + row].copy_from_slice(&image[at..at + row]));
            }
        },
    )?;
    Some(patches)
}

#[inline(always)]
fn add_patches<T: Scalar>(windows: &Windows, patches: &Tensor, samples: i64) -> Option<Tensor> {
    sliceable::<T>(patches)?;
    let [of_image, of_patches, row] = windows.lengths();
    let mut images = Tensor::zeros([samples, of_image as i64], (patches.kind(), patches.device()));
    with_slices::<T, _, _, _>(
        [&mut images],
        [patches],
        #[inline(always)]
        |[images], [patches]| {
            for (image, patches) in images.chunks_exact_mut(of_image).zip(patches.chunks_exact(of_patches)) {
                windows.for_each_row(|at, from| {
                    let sums = image[at..at + row].iter_mut();
                    sums.zip(&patches[from..from + row]).for_each(|(sum, &x)| *sum = *sum + x);
                });
            }
        },
    )?;
    Some(images)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::numbers;

    const WINDOWS: Windows = Windows { image: [5, 6, 2], kernel: 3, stride: 2 };

    #[test]
    fn patches_are_windows_in_row_major_order() {
        let images = numbers(&[2, 5 * 6 * 2]);
        let patches = WINDOWS.patches(&images).unwrap();
        assert_eq!((WINDOWS.counts(), patches.size()), ([2, 2], vec![2 * 4, 3 * 3 * 2]));
        let image = images.get(1).view([5, 6, 2]);
        let window = image.narrow(0, 2, 3).narrow(1, 0, 3).contiguous().view([-1]); // the third of four
        assert_eq!(patches.get(4 + 2), window);
    }

    /// `<patches(x), y> = <x, sum(y)>`
    #[test]
    fn sums_are_the_transpose_of_patches() {
        let (x, y) = (numbers(&[2, 60]), numbers(&[8, 18]).cos());
        let dot = |a: &Tensor, b: &Tensor| (a * b).sum(tch::Kind::Double).double_value(&[]);
        let (left, right) = (dot(&WINDOWS.patches(&x).unwrap(), &y), dot(&x, &WINDOWS.sum(&y, 2).unwrap()));
        assert!((left - right).abs() < 1e-5 && left.abs() > 0.1, "{left} {right}");
    }
}
