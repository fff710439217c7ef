//! Batch normalization (Ioffe and Szegedy, 2015): `y = (x - mean) / sqrt(var + 1e-5) * scale + shift` for each channel,
//! with `scale, shift: [C]`.
//!
//! In training mode, mean and variance are the batch's, and the running statistics move towards them with momentum 0.1
//! (the variance with Bessel's correction, as in PyTorch). In evaluation mode, the running statistics are used. They
//! lag behind fast units, so [`Network::recompute_bn_stats`] recomputes them from batches. The units are the C
//! channels: scale and shift of a channel share a learning rate.
//!
//! [`Network::recompute_bn_stats`]: crate::network::Network::recompute_bn_stats

use tch::Tensor;

use crate::parameters::{BufferId, Init, ParameterBuilder, ParameterId, Weights};

const MOMENTUM: f64 = 0.1;
const EPSILON: f64 = 1e-5;

/// Batch normalization of vectors or images.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    scale: ParameterId,
    shift: ParameterId,
    running_mean: BufferId,
    running_var: BufferId,
}

impl BatchNorm {
    /// Creates a layer over `channels` channels, with scale 1 and shift 0.
    pub fn new(builder: &mut ParameterBuilder, channels: i64) -> Self {
        let scale = builder.add("scale", &[channels], Init::Constant(1.0));
        let shift = builder.add("shift", &[channels], Init::Constant(0.0));
        builder.add_units(channels, &[(scale, 1), (shift, 1)]);
        let running_mean = builder.buffer("running_mean", &[channels], 0.0);
        let running_var = builder.buffer("running_var", &[channels], 1.0);
        BatchNorm { scale, shift, running_mean, running_var }
    }

    /// Normalizes over all dimensions but the second, `[B, C, ..] -> [B, C, ..]`. In training mode, each channel needs
    /// at least 2 values.
    pub fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        x.batch_norm(
            Some(&weights[self.scale]),
            Some(&weights[self.shift]),
            Some(weights.buffer(self.running_mean)),
            Some(weights.buffer(self.running_var)),
            weights.training(),
            weights.momentum().unwrap_or(MOMENTUM),
            EPSILON,
            true,
        )
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::layers::tests::{assert_close, build, numbers};

    /// Returns mean and variance of a batch, `[B, C, H, W] -> [1, C, 1, 1]`.
    fn statistics(x: &Tensor) -> (Tensor, Tensor) {
        let dims = [0i64, 2, 3];
        let mean = x.mean_dim(dims.as_slice(), true, Kind::Float);
        let var = (x - &mean).square().mean_dim(dims.as_slice(), true, Kind::Float);
        (mean, var)
    }

    #[test]
    fn training_uses_batch_statistics_and_evaluation_running_ones() {
        let (layer, parameters) = build(|b| BatchNorm::new(b, 3));
        parameters.theta().shallow_clone().copy_(&Tensor::from_slice(&[1.0f32, 2.0, -1.0, 0.0, 0.5, 0.1]));
        let column = |start| parameters.theta().narrow(0, start, 3).view([1, 3, 1, 1]);
        let (scale, shift) = (column(0), column(3));
        let x = numbers(&[2, 3, 4, 5]) * 3.0 + 1.0;
        let (mean, var) = statistics(&x);

        // initially, mean 0 and variance 1
        let untouched = &x / (1.0f64 + 1e-5).sqrt() * &scale + &shift;
        assert_close(&layer.forward(parameters.weights(), &x), &untouched, 1e-5);

        let (_leaf, training) = parameters.leaf();
        let expected = (&x - &mean) / (&var + 1e-5).sqrt() * &scale + &shift;
        assert_close(&layer.forward(&training, &x), &expected, 1e-5);

        let n = 40.0;
        let (running_mean, running_var) = (&mean * 0.1, 0.9 + &var * (0.1 * n / (n - 1.0)));
        let buffer = |id| parameters.weights().buffer(id).view([1, 3, 1, 1]);
        assert_close(&buffer(layer.running_mean), &running_mean, 1e-6);
        assert_close(&buffer(layer.running_var), &running_var, 1e-6);
        let expected = (&x - running_mean) / (running_var + 1e-5).sqrt() * &scale + &shift;
        assert_close(&layer.forward(parameters.weights(), &x), &expected, 1e-5);
    }

    #[test]
    fn vectors_are_normalized_like_images_of_one_pixel() {
        let (layer, parameters) = build(|b| BatchNorm::new(b, 3));
        let x = numbers(&[6, 3]);
        let y = layer.forward(&parameters.leaf().1, &x);
        let as_image = layer.forward(&parameters.leaf().1, &x.view([6, 3, 1, 1]));
        assert_close(&y, &as_image.view([6, 3]), 1e-6);
    }

    #[test]
    fn scale_and_shift_of_a_channel_are_one_unit() {
        let (_, parameters) = build(|b| BatchNorm::new(b, 3));
        assert_eq!(parameters.unit_of_element(), [0, 1, 2, 0, 1, 2]);
    }
}
