//! Inputs of a Q-network: some consecutive observations, as numbers.
//!
//! Bytes become numbers once, where a batch or an action needs them: a `u8` is divided by 255, a `bool` is 0 or 1.

use std::borrow::Cow;
use std::ops::Range;

use alrao_core::layers::Module;
use alrao_envs::{ObservationRef, ObservationShape, ObservationSpace};
use tch::Tensor;

/// The inputs of a Q-network: observations of a space, of which some are stacked, oldest first. A batch of them is
/// `[B, len]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The space of one observation.
    pub space: ObservationSpace,
    /// The number of consecutive observations.
    pub frame_stack: usize,
}

impl Inputs {
    /// Creates inputs of `frame_stack` observations of a space.
    pub fn new(space: ObservationSpace, frame_stack: usize) -> Self {
        Inputs { space, frame_stack }
    }

    /// Creates inputs of one observation, a vector of `obs_dim` features.
    pub fn vector(obs_dim: usize) -> Self {
        Inputs::new(ObservationSpace::vector(obs_dim), 1)
    }

    /// Returns the number of numbers.
    #[expect(clippy::len_without_is_empty, reason = "an observation has values")]
    pub fn len(&self) -> usize {
        self.space.len() * self.frame_stack
    }

    /// Returns the place of the newest observation in a stack.
    pub fn newest(&self) -> Range<usize> {
        self.len() - self.space.len()..self.len()
    }

    /// Returns channels, height and width of stacked images: all images' channels, the oldest image's first. Returns `None`
    /// for vectors.
    pub fn image(&self) -> Option<[i64; 3]> {
        let [channels, height, width] = self.space.image()?;
        Some([channels * self.frame_stack, height, width].map(|size| size as i64))
    }

    /// Returns a batch as images, `[B, len] -> [B, C, height, width]`: a view, unless channels-last images are stacked.
    /// Vectors stay as they are.
    pub fn images(&self, x: &Tensor) -> Tensor {
        let Some([channels, height, width]) = self.image() else { return x.shallow_clone() };
        match self.space.shape {
            ObservationShape::ChannelsLast(_) => {
                let stack = self.frame_stack as i64;
                let frames = x.view([-1, stack, height, width, channels / stack]).permute([0, 1, 4, 2, 3]);
                match self.frame_stack {
                    1 => frames.squeeze_dim(1), // channels-last memory
                    _ => frames.reshape([-1, channels, height, width]),
                }
            }
            _ => x.view([-1, channels, height, width]),
        }
    }

    /// Describes [`images`](Self::images) as PyTorch's modules.
    pub(crate) fn image_modules(&self) -> Vec<Module> {
        let Some([channels, height, width]) = self.image() else { return Vec::new() };
        let stack = self.frame_stack as i64;
        let images = Module::Unflatten(vec![channels, height, width]);
        match self.space.shape {
            ObservationShape::ChannelsLast(_) if stack == 1 => {
                vec![Module::Unflatten(vec![height, width, channels]), Module::Permute(vec![0, 3, 1, 2])]
            }
            ObservationShape::ChannelsLast(_) => {
                let frames = Module::Unflatten(vec![stack, height, width, channels / stack]);
                vec![frames, Module::Permute(vec![0, 1, 4, 2, 3]), Module::Flatten, images]
            }
            _ => vec![images],
        }
    }
}

/// Returns an observation as a network's inputs.
pub fn to_inputs(observation: ObservationRef<'_>) -> Cow<'_, [f32]> {
    match observation {
        ObservationRef::F32(values) => values.into(),
        _ => {
            let mut inputs = vec![0.0; observation.len()];
            write_inputs(observation, &mut inputs);
            inputs.into()
        }
    }
}

/// Writes an observation as a network's inputs.
pub(crate) fn write_inputs(observation: ObservationRef<'_>, inputs: &mut [f32]) {
    match observation {
        ObservationRef::F32(values) => inputs.copy_from_slice(values),
        ObservationRef::U8(values) => {
            inputs.iter_mut().zip(values).for_each(|(input, &value)| *input = f32::from(value) / 255.0);
        }
        ObservationRef::Bool(values) => {
            inputs.iter_mut().zip(values).for_each(|(input, &value)| *input = f32::from(u8::from(value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use alrao_envs::ObservationDtype;

    use super::*;

    /// Two frames of 2 by 3 pixels with 2 channels; a number is frame, channel, row, column.
    fn frames(shape: ObservationShape) -> Tensor {
        let number = |frame, c, y, x| (frame * 1000 + c * 100 + y * 10 + x) as f32;
        let mut numbers = Vec::new();
        for frame in 0..2 {
            for (a, b) in (0..2).flat_map(|a| (0..6).map(move |b| (a, b))) {
                numbers.push(match shape {
                    ObservationShape::ChannelsLast(_) => number(frame, b % 2, a, b / 2),
                    _ => number(frame, a, b / 3, b % 3),
                });
            }
        }
        Tensor::from_slice(&numbers)
    }

    #[test]
    fn stacked_images_have_the_channels_of_all_oldest_first() {
        for shape in [ObservationShape::ChannelsFirst([2, 2, 3]), ObservationShape::ChannelsLast([2, 3, 2])] {
            let space = ObservationSpace { shape, dtype: ObservationDtype::F32 };
            let inputs = Inputs::new(space, 2);
            let images = inputs.images(&frames(shape).view([1, 24]));
            assert_eq!((images.size(), inputs.image()), (vec![1, 4, 2, 3], Some([4, 2, 3])));
            for (channel, expected) in [12.0, 112.0, 1012.0, 1112.0].into_iter().enumerate() {
                assert_eq!(images.double_value(&[0, channel as i64, 1, 2]), expected, "{shape}, channel {channel}");
            }
            let one = Inputs::new(space, 1).images(&frames(shape).view([2, 12]));
            assert_eq!(one.double_value(&[1, 1, 0, 2]), 1102.0);
            for (frame_stack, expected) in [(1, one), (2, images)] {
                let x = frames(shape).view([-1, 12 * frame_stack as i64]);
                let modules = Inputs::new(space, frame_stack).image_modules();
                let described = modules.iter().fold(x, |x, module| module.forward(&x));
                assert_eq!(described, expected, "{shape}, {frame_stack} frames");
            }
        }
    }

    #[test]
    fn bytes_are_divided_by_255_and_bools_are_0_or_1() {
        assert_eq!(*to_inputs([0u8, 51, 255].as_slice().into()), [0.0, 51.0 / 255.0, 1.0]);
        assert_eq!(*to_inputs([false, true].as_slice().into()), [0.0, 1.0]);
        assert_eq!(*to_inputs([1.5f32].as_slice().into()), [1.5]);
    }
}
