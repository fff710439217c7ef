//! Convolutional network for Q-networks whose observations are images: convolutions, then a fully connected layer, each
//! with layer normalization over all features of the sample, and ReLU.
//!
//! For small images a convolution is a matrix product of patches, with a backward pass by hand as the MLP's, so that one
//! pass serves learning and Double DQN's choice of actions. For images of 84 pixels a side, whose patches are slow to copy,
//! that would take three times as long as libtorch's convolutions with autograd, which compute both passes there.

use tch::Tensor;

use super::conv2d::{Conv2d, Conv2dSettings};
use super::layer_norm::{Normalized, layer_norm_relu, layer_norm_relu_backward};
use super::patches::Windows;
use super::relu::{relu_backward, relu_in_place};
use super::{Backward, Body, Linear, Module, scaled_width};
use crate::Error;
use crate::parameters::{ParameterBuilder, Weights};

/// Images of at most this many pixels a side are convolved by matrix products of patches.
const LARGEST_BY_PATCHES: i64 = 16;

/// Size of a convolution without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvolutionSize {
    /// Number of filters, before the width factor.
    pub filters: i64,
    /// Side of the kernel, in pixels.
    pub kernel: i64,
    /// Stride of the kernel, in pixels.
    pub stride: i64,
}

impl ConvolutionSize {
    /// Returns the smallest side of images, in pixels, that a sequence of convolutions takes.
    pub fn smallest_image(convolutions: &[Self]) -> i64 {
        convolutions.iter().rev().fold(1, |side, size| (side - 1) * size.stride + size.kernel)
    }
}

/// Convolutional network, `z = relu(norm(W relu(norm(conv_n(.. relu(norm(conv_1(x))) ..))) + b))`.
#[derive(Clone, Debug)]
pub struct Cnn {
    convolutions: Vec<(Conv2d, Windows)>,
    dense: Linear,
    /// channels, height, width
    image: [i64; 3],
    features: i64,
    layer_norm: bool,
    by_patches: bool,
}

/// Values of a layer's forward pass that its backward pass needs.
struct SavedForBackward {
    /// a convolution's patches, `[B windows, k k I]`, or the dense layer's input, `[B, I]`
    x: Tensor,
    normal: Option<Normalized>,
    /// the layer's output, `[B, O]`
    z: Tensor,
}

impl Cnn {
    /// Creates a network for images of these channels, height and width, with convolutions of these sizes and a dense
    /// layer of `units` units, its features; `width_factor` scales filters and units.
    ///
    /// # Panics
    /// If the images are smaller than [`ConvolutionSize::smallest_image`].
    pub fn new(
        builder: &mut ParameterBuilder,
        image: [i64; 3],
        convolutions: &[ConvolutionSize],
        units: i64,
        width_factor: f64,
    ) -> Self {
        let smallest = ConvolutionSize::smallest_image(convolutions);
        assert!(image[1].min(image[2]) >= smallest, "an image of {image:?} with a side below {smallest}");
        let [mut inputs, mut height, mut width] = image;
        let mut layers = Vec::new();
        for (i, &ConvolutionSize { filters, kernel, stride }) in convolutions.iter().enumerate() {
            let outputs = scaled_width(filters, width_factor);
            let settings = Conv2dSettings { stride, ..Default::default() };
            let make = |b: &mut ParameterBuilder| Conv2d::new(b, inputs, outputs, kernel, settings);
            let windows = Windows {
                image: [height, width, inputs].map(|n| n as usize),
                kernel: kernel as usize,
                stride: stride as usize,
            };
            layers.push((builder.scope(format!("conv{i}"), make), windows));
            ([height, width], inputs) = (windows.counts().map(|n| n as i64), outputs);
        }
        let features = scaled_width(units, width_factor);
        let dense = builder.scope("dense", |b| Linear::new(b, height * width * inputs, features));
        let by_patches = image[1].max(image[2]) <= LARGEST_BY_PATCHES;
        Cnn { convolutions: layers, dense, image, features, layer_norm: true, by_patches }
    }

    /// Turns layer normalization on or off; it is on by default.
    pub fn with_layer_norm(self, layer_norm: bool) -> Self {
        Cnn { layer_norm, ..self }
    }

    /// Normalizes, `[B, H]`, and cuts off below 0.
    fn activate(&self, mut y: Tensor) -> (Tensor, Option<Normalized>) {
        if self.layer_norm {
            let (z, normal) = layer_norm_relu(y, None);
            return (z, Some(normal));
        }
        relu_in_place(&mut y);
        (y, None)
    }
}

/// Returns images, `[B, C, height, width]`, as rows, `[B, height width C]`, without a copy if they are channels-last.
fn rows(images: &Tensor) -> Tensor {
    images.permute([0, 2, 3, 1]).contiguous().flatten(1, -1)
}

impl Body for Cnn {
    fn features(&self) -> i64 {
        self.features
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        let [channels, height, width] = self.image;
        Error::check_shape("images", &[-1, channels, height, width], x)
    }

    /// Computes the features, `[B, C, height, width] -> [B, H]`.
    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let samples = x.size()[0];
        let z = self.convolutions.iter().fold(rows(x), |z, (layer, windows)| {
            let [height, width, channels] = windows.image.map(|n| n as i64);
            let images = z.view([samples, height, width, channels]).permute([0, 3, 1, 2]); // channels-last
            self.activate(rows(&layer.forward(weights, &images))).0
        });
        self.activate(self.dense.forward(weights, &z)).0
    }

    fn forward_with_backward(&self, weights: &Weights, x: &Tensor) -> Option<(Tensor, Backward)> {
        if !self.by_patches {
            return None;
        }
        let samples = x.size()[0];
        let (mut z, mut saved) = (rows(x), Vec::with_capacity(self.convolutions.len() + 1));
        for (layer, windows) in &self.convolutions {
            let patches = windows.patches(&z)?;
            let y = layer.of_patches(weights, &patches).view([samples, -1]); // [B, windows O]
            let (activated, normal) = self.activate(y);
            z = activated;
            saved.push(SavedForBackward { x: patches, normal, z: z.shallow_clone() });
        }
        let (features, normal) = self.activate(self.dense.forward(weights, &z));
        saved.push(SavedForBackward { x: z, normal, z: features.shallow_clone() });
        let (network, weights) = (self.clone(), weights.shallow_clone());
        let backward = move |gradient: Tensor, grads: &Weights| network.backward(&weights, &saved, gradient, grads);
        Some((features, Box::new(backward)))
    }

    fn same_in_train_and_eval(&self) -> bool {
        self.by_patches // autograd would differentiate the samples that nothing is learned from
    }

    fn modules(&self, weights: &Weights) -> Option<Vec<Module>> {
        let activated = |module: Module, shape: Vec<i64>| {
            let norm = self.layer_norm.then_some(Module::LayerNorm(shape));
            [Some(module), norm, Some(Module::ReLU)].into_iter().flatten()
        };
        let (mut modules, mut shape) = (Vec::new(), self.image.to_vec());
        for (layer, windows) in &self.convolutions {
            let [height, width] = windows.counts().map(|n| n as i64);
            shape = vec![layer.outputs(weights), height, width];
            modules.extend(activated(layer.module(weights), shape.clone()));
        }
        modules.push(Module::Flatten);
        let &[channels, height, width] = &shape[..] else { unreachable!("channels, height, width") };
        let by_channel = |weight: &Tensor| {
            let by_place = weight.view([-1, height, width, channels]); // the order of the features of a place
            by_place.permute([0, 3, 1, 2]).flatten(1, -1)
        };
        let Module::Linear { weight, bias } = self.dense.module(weights) else { unreachable!("a linear layer") };
        modules.extend(activated(Module::Linear { weight: by_channel(&weight), bias }, vec![self.features]));
        Some(modules)
    }
}

impl Cnn {
    fn backward(&self, weights: &Weights, saved: &[SavedForBackward], mut gradient: Tensor, grads: &Weights) {
        let samples = gradient.size()[0];
        let deactivate = |gradient: &mut Tensor, saved: &SavedForBackward| match &saved.normal {
            Some(normal) => layer_norm_relu_backward(gradient, &normal.first(samples), None),
            None => relu_backward(gradient, &saved.z.narrow(0, 0, samples)),
        };
        let (of_dense, of_convolutions) = saved.split_last().expect("a dense layer");
        deactivate(&mut gradient, of_dense);
        self.dense.backward(grads, &of_dense.x.narrow(0, 0, samples), &gradient);
        gradient = self.dense.input_gradient(weights, &gradient); // [B, windows O]
        for (i, ((layer, windows), saved)) in self.convolutions.iter().zip(of_convolutions).enumerate().rev() {
            deactivate(&mut gradient, saved);
            let count = windows.counts().iter().product::<usize>() as i64;
            let of_outputs = gradient.view([samples * count, -1]); // [B windows, O]
            layer.backward_of_patches(grads, &saved.x.narrow(0, 0, samples * count), &of_outputs);
            if i > 0 {
                let of_patches = layer.gradient_of_patches(weights, &of_outputs);
                gradient = windows.sum(&of_patches, samples).expect("patches are on the CPU");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::{assert_close, build, numbers};

    const SIZES: [ConvolutionSize; 2] =
        [ConvolutionSize { filters: 4, kernel: 3, stride: 2 }, ConvolutionSize { filters: 5, kernel: 2, stride: 1 }];

    /// Both orders of memory, with and without normalization, of all samples and of the first.
    #[test]
    fn the_backward_pass_matches_autograd() {
        for layer_norm in [true, false] {
            let (cnn, parameters) = build(|b| Cnn::new(b, [3, 9, 7], &SIZES, 6, 1.0).with_layer_norm(layer_norm));
            let x = numbers(&[4, 3, 9, 7]);
            let gradient = numbers(&[4, 6]).cos();
            let (leaf, weights) = parameters.leaf();
            let expected = cnn.forward(&weights, &x);
            let loss = (&expected * &gradient).sum(None::<tch::Kind>);
            let by_autograd = Tensor::run_backward(&[loss], &[leaf], false, false).remove(0);
            let channels_last = x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
            for x in [&x, &channels_last, &Tensor::cat(&[&x, &(&x * 2.0)], 0)] {
                let (z, backward) = cnn.forward_with_backward(parameters.weights(), x).unwrap();
                assert_close(&z.narrow(0, 0, 4), &expected.detach(), 1e-5);
                let (flat, of) = parameters.grad_buffer();
                backward(gradient.copy(), &of);
                assert_close(&flat, &by_autograd, 1e-4);
            }
        }
    }

    #[test]
    fn the_smallest_image_leaves_one_window() {
        assert_eq!(ConvolutionSize::smallest_image(&SIZES), 5);
        let (cnn, parameters) = build(|b| Cnn::new(b, [1, 5, 5], &SIZES, 6, 0.5));
        assert_eq!(cnn.forward(parameters.weights(), &numbers(&[2, 1, 5, 5])).size(), [2, 3]);
        assert!(std::panic::catch_unwind(|| build(|b| Cnn::new(b, [1, 5, 4], &SIZES, 6, 0.5))).is_err());
    }

    #[test]
    fn units_are_filters_and_dense_units() {
        let (cnn, parameters) = build(|b| Cnn::new(b, [3, 20, 20], &SIZES, 6, 2.0));
        assert_eq!(parameters.units(), 8 + 10 + 12);
        assert!(
            !cnn.same_in_train_and_eval()
                && cnn.forward_with_backward(parameters.weights(), &numbers(&[1, 3, 20, 20])).is_none()
        );
        assert!(cnn.check(&numbers(&[1, 3, 20, 19])).unwrap_err().to_string().contains("[-1, 3, 20, 20]"));
    }
}
