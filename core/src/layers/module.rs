//! A network's forward pass in evaluation mode as a sequence of PyTorch's modules, by which it is taken to other programs.
//!
//! The sequence is neutral: whoever writes a file of some format translates it, module by module.

use std::fmt;

use tch::Tensor;

/// A module of `torch.nn.Sequential`, with its tensors. Its text is the call that makes it in Python.
#[derive(Debug)]
pub enum Module {
    /// `(x - mean) / std`, `[B, I] -> [B, I]`, the only one that PyTorch lacks.
    Normalize {
        /// `[I]`
        mean: Tensor,
        /// `[I]`
        std: Tensor,
    },
    /// `x W^T + b`, `[B, I] -> [B, O]`.
    Linear {
        /// `[O, I]`
        weight: Tensor,
        /// `[O]`
        bias: Tensor,
    },
    /// Convolution, `[B, I, height, width] -> [B, O, height', width']`.
    Conv2d {
        /// `[O, I/groups, k, k]`
        weight: Tensor,
        /// `[O]`
        bias: Option<Tensor>,
        /// Stride of the kernel, in pixels.
        stride: i64,
        /// Zero padding on each side, in pixels.
        padding: i64,
        /// Distance between kernel elements, in pixels.
        dilation: i64,
        /// Number of channel groups.
        groups: i64,
    },
    /// Normalization over the last dimensions, of these lengths, without a learned scale.
    LayerNorm(Vec<i64>),
    /// `max(x, 0)`.
    ReLU,
    /// Hyperbolic tangent.
    Tanh,
    /// `[B, ..] -> [B, n]`
    Flatten,
    /// `[B, n] -> [B, ..]`, with these lengths after the batch's.
    Unflatten(Vec<i64>),
    /// Reorders the dimensions, the batch's included; torchvision has this one.
    Permute(Vec<i64>),
}

impl Module {
    /// What [`LayerNorm`](Self::LayerNorm) adds to the variance.
    pub const EPSILON: f64 = 1e-5;

    /// Returns the tensors by their names in PyTorch.
    pub fn tensors(&self) -> Vec<(&'static str, &Tensor)> {
        match self {
            Module::Normalize { mean, std } => vec![("mean", mean), ("std", std)],
            Module::Linear { weight, bias } => vec![("weight", weight), ("bias", bias)],
            Module::Conv2d { weight, bias, .. } => {
                [("weight", weight)].into_iter().chain(bias.iter().map(|bias| ("bias", bias))).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Computes the output for a batch by libtorch's functions.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Module::Normalize { mean, std } => (x - mean) / std,
            Module::Linear { weight, bias } => x.linear(weight, Some(bias)),
            Module::Conv2d { weight, bias, stride, padding, dilation, groups } => {
                x.conv2d(weight, bias.as_ref(), [*stride; 2], [*padding; 2], [*dilation; 2], *groups)
            }
            Module::LayerNorm(shape) => x.layer_norm(shape, None::<Tensor>, None::<Tensor>, Self::EPSILON, false),
            Module::ReLU => x.relu(),
            Module::Tanh => x.tanh(),
            Module::Flatten => x.flatten(1, -1),
            Module::Unflatten(lengths) => x.unflatten(1, lengths),
            Module::Permute(dims) => x.permute(dims),
        }
    }
}

impl fmt::Display for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Module::Normalize { mean, .. } => write!(f, "Normalize({})", mean.numel()),
            Module::Linear { weight, .. } => write!(f, "Linear({}, {})", weight.size()[1], weight.size()[0]),
            &Module::Conv2d { ref weight, ref bias, stride, padding, dilation, groups } => {
                let &[outputs, inputs, kernel, _] = &weight.size()[..] else {
                    unreachable!("weights are [O, I, k, k]")
                };
                write!(f, "Conv2d({}, {outputs}, {kernel}", inputs * groups)?;
                for (name, value, default) in
                    [("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1), ("groups", groups, 1)]
                {
                    if value != default {
                        write!(f, ", {name}={value}")?;
                    }
                }
                f.write_str(if bias.is_some() { ")" } else { ", bias=False)" })
            }
            Module::LayerNorm(shape) => write!(f, "LayerNorm({shape:?}, elementwise_affine=False)"),
            Module::ReLU => f.write_str("ReLU()"),
            Module::Tanh => f.write_str("Tanh()"),
            Module::Flatten => f.write_str("Flatten()"),
            Module::Unflatten(lengths) => write!(f, "Unflatten(1, {lengths:?})"),
            Module::Permute(dims) => write!(f, "Permute({dims:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::{assert_close, build, numbers};
    use crate::layers::{Body, Cnn, Conv2d, Conv2dSettings, ConvolutionSize, Mlp, NormalizedBody};
    use crate::parameters::Parameters;

    /// Asserts that a body's modules compute what the body does, and returns their text.
    fn described((body, parameters): (impl Body, Parameters), x: &Tensor) -> String {
        let modules = body.modules(parameters.weights()).unwrap();
        let found = modules.iter().fold(x.shallow_clone(), |x, module| module.forward(&x));
        assert_close(&found, &body.forward(parameters.weights(), x), 1e-5);
        modules.iter().map(Module::to_string).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn an_mlps_modules_compute_its_features() {
        for (layer_norm, text) in [
            (
                true,
                "Linear(3, 7), LayerNorm([7], elementwise_affine=False), ReLU(), Normalize(7), Linear(7, 4), \
                    LayerNorm([4], elementwise_affine=False), ReLU(), Normalize(4)",
            ),
            (false, "Linear(3, 7), ReLU(), Linear(7, 4), ReLU()"),
        ] {
            let mlp = build(|b| Mlp::new(b, 3, &[7, 4], 1.0).with_layer_norm(layer_norm));
            assert_eq!(described(mlp, &numbers(&[5, 3])), text);
        }
    }

    /// The dense layer's inputs are in the order of channels, rows and columns, as PyTorch flattens them.
    #[test]
    fn a_cnns_modules_compute_its_features() {
        let sizes = [
            ConvolutionSize { filters: 4, kernel: 3, stride: 2 },
            ConvolutionSize { filters: 5, kernel: 2, stride: 1 },
        ];
        for (layer_norm, text) in [
            (
                true,
                "Conv2d(3, 4, 3, stride=2), LayerNorm([4, 4, 3], elementwise_affine=False), ReLU(), Conv2d(4, 5, 2), \
                    LayerNorm([5, 3, 2], elementwise_affine=False), ReLU(), Flatten(), Linear(30, 6), \
                    LayerNorm([6], elementwise_affine=False), ReLU()",
            ),
            (false, "Conv2d(3, 4, 3, stride=2), ReLU(), Conv2d(4, 5, 2), ReLU(), Flatten(), Linear(30, 6), ReLU()"),
        ] {
            let cnn = build(|b| Cnn::new(b, [3, 9, 7], &sizes, 6, 1.0).with_layer_norm(layer_norm));
            assert_eq!(described(cnn, &numbers(&[4, 3, 9, 7])), text);
        }
    }

    #[test]
    fn normalized_inputs_are_the_first_module() {
        let (body, parameters) = build(|b| NormalizedBody::new(b, 3, |b| Mlp::new(b, 3, &[4], 1.0)));
        body.input_norm().unwrap().set(parameters.weights(), &[0.5, 0.0, -0.1], &[0.3, 0.0, 2.0]);
        assert!(described((body, parameters), &numbers(&[5, 3])).starts_with("Normalize(3), Linear(3, 4), "));
        let pixels = build(|b| NormalizedBody::without_norm(b, 3, |b| Mlp::new(b, 3, &[4], 1.0)));
        assert!(described(pixels, &numbers(&[5, 3])).starts_with("Linear(3, 4), "));
    }

    #[test]
    fn a_convolutions_settings_are_kept() {
        let settings = Conv2dSettings { padding: 1, dilation: 2, groups: 2, bias: false, ..Default::default() };
        let (layer, parameters) = build(|b| Conv2d::new(b, 4, 6, 3, settings));
        let (module, x) = (layer.module(parameters.weights()), numbers(&[2, 4, 8, 8]));
        assert_close(&module.forward(&x), &layer.forward(parameters.weights(), &x), 1e-6);
        assert_eq!(module.to_string(), "Conv2d(4, 6, 3, padding=1, dilation=2, groups=2, bias=False)");
        assert_eq!(module.tensors().len(), 1);
    }

    #[test]
    fn shapes_change_as_in_pytorch() {
        let images = Module::Unflatten(vec![2, 3, 4]).forward(&numbers(&[5, 24]));
        let permuted = Module::Permute(vec![0, 3, 1, 2]).forward(&images);
        assert_eq!((images.size(), permuted.size()), (vec![5, 2, 3, 4], vec![5, 4, 2, 3]));
        assert_eq!(Module::Flatten.forward(&permuted).size(), [5, 24]);
        assert_eq!(Module::Unflatten(vec![2, 12]).to_string(), "Unflatten(1, [2, 12])");
    }
}
