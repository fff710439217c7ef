//! Convolution: `y[o] = b[o] + sum_i W[o, i] * x[i]` with a square kernel, `W: [O, I/groups, k, k]` and `b: [O]`. With
//! as many groups as input channels, it is a depthwise convolution.
//!
//! The units are its O filters: all weights of a filter and its bias share a learning rate.

use tch::Tensor;

use super::Module;
use crate::matmul::{linear, matmul};
use crate::parameters::{Init, ParameterBuilder, ParameterId, Weights};
use crate::slices::column_sums_into;

/// Settings of a convolution besides its channels and kernel size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dSettings {
    /// Stride of the kernel, in pixels.
    pub stride: i64,
    /// Zero padding on each side, in pixels.
    pub padding: i64,
    /// Distance between kernel elements, in pixels.
    pub dilation: i64,
    /// Number of channel groups that are convolved separately; divides the input and output channels.
    pub groups: i64,
    /// Whether there is a bias; it has no effect before a normalization.
    pub bias: bool,
    /// Initialization of the weights.
    pub init: FilterInit,
}

/// Initialization of a convolution's weights, with `fan_in = inputs/groups * kernel^2` and, as in PyTorch, `fan_out =
/// outputs * kernel^2`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterInit {
    /// Uniform in `+-1/sqrt(fan_in)`, PyTorch's default.
    #[default]
    Uniform,
    /// Normal with variance `2/fan_in`, which preserves the variance of forward passes through ReLUs (He et al., 2015).
    KaimingNormalFanIn,
    /// Normal with variance `2/fan_out`, which preserves the variance of gradients through ReLUs (He et al., 2015).
    KaimingNormalFanOut,
}

impl Default for Conv2dSettings {
    fn default() -> Self {
        let init = FilterInit::default();
        Conv2dSettings { stride: 1, padding: 0, dilation: 1, groups: 1, bias: true, init }
    }
}

impl Conv2dSettings {
    /// Returns the settings of a convolution without bias, with an odd kernel and same padding.
    pub fn same_padding(kernel: i64, stride: i64) -> Self {
        Conv2dSettings { stride, padding: kernel / 2, bias: false, ..Default::default() }
    }
}

/// A convolutional layer.
#[derive(Clone, Debug)]
pub struct Conv2d {
    settings: Conv2dSettings,
    weight: ParameterId,
    bias: Option<ParameterId>,
}

impl Conv2d {
    /// Creates a layer from `inputs` to `outputs` channels with a kernel of `kernel` by `kernel` pixels. Initial biases
    /// are uniform in `+-1/sqrt(inputs/groups * kernel^2)`, as in PyTorch.
    pub fn new(
        builder: &mut ParameterBuilder,
        inputs: i64,
        outputs: i64,
        kernel: i64,
        settings: Conv2dSettings,
    ) -> Self {
        let groups = settings.groups;
        assert!(inputs % groups == 0 && outputs % groups == 0, "{groups} groups of {inputs} and {outputs} channels");
        let fan_in = inputs / groups * kernel * kernel;
        let uniform = Init::Uniform((fan_in as f64).powf(-0.5));
        let kaiming = |fan: i64| Init::Normal((2.0 / fan as f64).sqrt());
        let init = match settings.init {
            FilterInit::Uniform => uniform,
            FilterInit::KaimingNormalFanIn => kaiming(fan_in),
            FilterInit::KaimingNormalFanOut => kaiming(outputs * kernel * kernel),
        };
        let weight = builder.add("weight", &[outputs, inputs / groups, kernel, kernel], init);
        let bias = settings.bias.then(|| builder.add("bias", &[outputs], uniform));
        let claimed: Vec<_> = [(weight, fan_in)].into_iter().chain(bias.map(|bias| (bias, 1))).collect();
        builder.add_units(outputs, &claimed);
        Conv2d { settings, weight, bias }
    }

    /// Computes the convolution, `[B, I, height, width] -> [B, O, height', width']`, in the dtype of `x`.
    pub fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let Conv2dSettings { stride, padding, dilation, groups, .. } = self.settings;
        let weight = weights[self.weight].to_kind(x.kind());
        let bias = self.bias.map(|bias| weights[bias].to_kind(x.kind()));
        x.conv2d(&weight, bias, [stride; 2], [padding; 2], [dilation; 2], groups)
    }

    /// Describes the layer, for [`Body::modules`](super::Body::modules).
    pub fn module(&self, weights: &Weights) -> Module {
        let bias = self.bias.map(|bias| weights[bias].shallow_clone());
        let Conv2dSettings { stride, padding, dilation, groups, .. } = self.settings;
        Module::Conv2d { weight: weights[self.weight].shallow_clone(), bias, stride, padding, dilation, groups }
    }

    /// Returns the number of output channels.
    pub(super) fn outputs(&self, weights: &Weights) -> i64 {
        weights[self.weight].size()[0]
    }

    /// Computes the outputs of patches, `[N, k k I] -> [N, O]`, of which each has rows, columns and channels in this order.
    pub(super) fn of_patches(&self, weights: &Weights, patches: &Tensor) -> Tensor {
        linear(patches, &self.rows(weights), &weights[self.bias.expect("a bias")])
    }

    /// Writes the gradients with respect to weight and bias to `grads`, from the patches, `[N, k k I]`, and the gradient
    /// with respect to their outputs, `[N, O]`.
    pub(super) fn backward_of_patches(&self, grads: &Weights, patches: &Tensor, gradient: &Tensor) {
        let weight = &grads[self.weight];
        let [outputs, inputs, kernel, _] = weight.size()[..] else { unreachable!("weights are [O, I, k, k]") };
        let rows = matmul(&gradient.tr(), patches).view([outputs, kernel, kernel, inputs]);
        weight.shallow_clone().copy_(&rows.permute([0, 3, 1, 2]));
        column_sums_into(gradient, &grads[self.bias.expect("a bias")]);
    }

    /// Computes the gradient with respect to patches, `[N, k k I]`, from the gradient with respect to their outputs, `[N,
    /// O]`.
    pub(super) fn gradient_of_patches(&self, weights: &Weights, gradient: &Tensor) -> Tensor {
        matmul(gradient, &self.rows(weights))
    }

    /// Returns the weights in the order of patches, `[O, k k I]`.
    fn rows(&self, weights: &Weights) -> Tensor {
        weights[self.weight].permute([0, 2, 3, 1]).contiguous().flatten(1, -1)
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::layers::tests::{assert_close, build, numbers};

    fn conv(
        inputs: i64,
        outputs: i64,
        kernel: i64,
        settings: Conv2dSettings,
    ) -> (Conv2d, crate::parameters::Parameters) {
        build(|b| Conv2d::new(b, inputs, outputs, kernel, settings))
    }

    /// Computes one output by the definition: channel `o` at row `r`, column `c` of the first image.
    fn by_hand(layer: &Conv2d, weights: &Weights, x: &Tensor, [o, r, c]: [i64; 3]) -> f64 {
        let Conv2dSettings { stride, padding, dilation, groups, .. } = layer.settings;
        let w = &weights[layer.weight];
        let [outputs, per_group, kernel, _] = w.size()[..] else { panic!("a kernel") };
        let [_, _, height, width] = x.size()[..] else { panic!("an image") };
        let first = o / (outputs / groups) * per_group;
        let mut y = layer.bias.map_or(0.0, |bias| weights[bias].double_value(&[o]));
        for i in 0..per_group {
            for (u, v) in (0..kernel).flat_map(|u| (0..kernel).map(move |v| (u, v))) {
                let (row, column) = (r * stride + u * dilation - padding, c * stride + v * dilation - padding);
                if (0..height).contains(&row) && (0..width).contains(&column) {
                    y += w.double_value(&[o, i, u, v]) * x.double_value(&[0, first + i, row, column]);
                }
            }
        }
        y
    }

    #[test]
    fn outputs_match_the_definition_for_each_setting() {
        let plain = Conv2dSettings::default();
        let settings = [
            plain,
            Conv2dSettings { stride: 2, padding: 1, bias: false, ..plain },
            Conv2dSettings { padding: 2, dilation: 2, groups: 2, ..plain },
            Conv2dSettings { padding: 1, groups: 4, ..plain },
        ];
        let x = numbers(&[1, 4, 6, 7]);
        for settings in settings {
            let (layer, parameters) = conv(4, 8, 3, settings);
            let y = layer.forward(parameters.weights(), &x);
            let [_, outputs, height, width] = y.size()[..] else { panic!("an image") };
            assert_eq!(outputs, 8);
            for at in [[0, 0, 0], [3, 1, 2], [7, height - 1, width - 1], [4, height - 1, 0]] {
                let expected = by_hand(&layer, parameters.weights(), &x, at);
                let found = y.double_value(&[0, at[0], at[1], at[2]]);
                assert!((found - expected).abs() < 1e-5, "{settings:?} {at:?}: {found} {expected}");
            }
        }
    }

    #[test]
    fn bf16_inputs_give_bf16_outputs_and_close_f32_gradients() {
        let settings = Conv2dSettings { padding: 1, ..Default::default() };
        let (conv, parameters) = conv(4, 8, 3, settings);
        let x = numbers(&[1, 4, 6, 7]);
        let gradient = |x: &Tensor| {
            let (leaf, weights) = parameters.leaf();
            let y = conv.forward(&weights, x);
            assert_eq!(y.kind(), x.kind());
            let y = y.to_kind(Kind::Float);
            let gradient = Tensor::run_backward(&[y.square().mean(Kind::Float)], &[leaf], false, false).remove(0);
            (y.detach(), gradient)
        };
        let (f32, bf16) = (gradient(&x), gradient(&x.to_kind(Kind::BFloat16)));
        assert_close(&bf16.0, &f32.0, 0.02);
        assert_close(&bf16.1, &f32.1, 0.02);
    }

    #[test]
    fn a_filter_and_its_bias_are_one_unit() {
        let (_, parameters) = conv(4, 2, 3, Conv2dSettings { groups: 2, ..Default::default() });
        let per_filter = 2 * 9;
        let expected: Vec<usize> = (0..2 * per_filter).map(|e| e / per_filter).chain([0, 1]).collect();
        assert_eq!(parameters.unit_of_element(), expected);
        let (_, depthwise) = conv(3, 3, 3, Conv2dSettings { groups: 3, bias: false, ..Default::default() });
        assert_eq!((depthwise.units(), depthwise.theta().size()), (3, vec![27]));
        assert!(depthwise.theta().abs().max().double_value(&[]) <= 1.0 / 3.0);
        assert_eq!(depthwise.unit_of_element()[9 * 2 - 1..9 * 2 + 1], [1, 2]);
    }

    #[test]
    fn initial_weights_have_the_configured_variance() {
        let variance = |init| {
            let settings = Conv2dSettings { bias: false, groups: 2, init, ..Default::default() };
            conv(32, 96, 3, settings).1.theta().var(true).double_value(&[])
        };
        let (fan_in, fan_out) = (16.0 * 9.0, 96.0 * 9.0);
        let expected = [
            (FilterInit::Uniform, 1.0 / (3.0 * fan_in)),
            (FilterInit::KaimingNormalFanIn, 2.0 / fan_in),
            (FilterInit::KaimingNormalFanOut, 2.0 / fan_out),
        ];
        for (init, expected) in expected {
            let ratio = variance(init) / expected;
            assert!((ratio - 1.0).abs() < 0.05, "{init:?}: {ratio}");
        }
    }

    #[test]
    fn a_depthwise_filter_uses_only_its_own_channel() {
        let (layer, parameters) = conv(3, 3, 3, Conv2dSettings { padding: 1, groups: 3, ..Default::default() });
        let x = numbers(&[1, 3, 5, 5]);
        let before = layer.forward(parameters.weights(), &x);
        let _ = x.get(0).get(1).fill_(9.0);
        let after = layer.forward(parameters.weights(), &x);
        let changed = |o| (before.select(1, o) - after.select(1, o)).abs().sum(Kind::Float).double_value(&[]) > 0.0;
        assert_eq!([changed(0), changed(1), changed(2)], [false, true, false]);
    }
}
