//! Pooling and checks shared by several networks.

use alrao_core::Error;
use tch::Tensor;

/// Max-pools 3 by 3 pixels with stride 2: `[B, C, S, S] -> [B, C, S/2, S/2]`, rounded up.
pub fn overlapping_max_pool(x: &Tensor) -> Tensor {
    x.max_pool2d([3; 2], [2; 2], [1; 2], [1; 2], false)
}

/// Averages each channel (global average pooling), `[B, C, height, width] -> [B, C]`.
pub fn global_avg_pool(x: &Tensor) -> Tensor {
    x.adaptive_avg_pool2d([1, 1]).flatten(1, -1)
}

/// Checks that `x` is a batch of RGB images of at least `smallest` pixels.
pub fn check_images(x: &Tensor, smallest: i64) -> Result<(), Error> {
    Error::check_shape("images", &[-1, 3, -1, -1], x)?;
    let (height, width) = (x.size()[2], x.size()[3]);
    if height.min(width) < smallest {
        return Err(Error::ImageSize { least: smallest, height, width });
    }
    Ok(())
}
