//! An image classifier's body, whose inputs are images in bytes.
//!
//! It first normalizes the pixels by the dataset's mean and standard std. This happens on the device, so that only a
//! quarter of the bytes are transferred. Parameters stay in f32 in every precision.

use std::rc::Rc;

use alrao_core::Error;
use alrao_core::layers::Body;
use alrao_core::parameters::{ParameterBuilder, Weights};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::Architecture;

/// Mean and standard std of a dataset's pixels, by channel, in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChannelStats {
    /// The means of red, green and blue.
    pub mean: [f64; 3],
    /// The standard deviations of red, green and blue.
    pub std: [f64; 3],
}

/// ComputeSettings settings of an image classifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ComputeSettings {
    /// The dtype of activations.
    pub precision: Precision,
    /// Whether the memory format is channels-last, which is faster on CPUs and on the tensor cores of GPUs.
    pub channels_last: bool,
}

impl ComputeSettings {
    /// Returns the fastest f32 settings for most networks on this device.
    pub fn default_for(device: Device) -> Self {
        ComputeSettings { precision: Precision::F32, channels_last: device == Device::Cpu }
    }
}

/// The dtype of activations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// bfloat16; normalizations accumulate in f32.
    Bf16,
}

/// The body of an image classifier.
#[derive(Clone)]
pub struct ImageModel {
    body: Rc<dyn Body>,
    pixels: Rc<Normalize>,
    computation: ComputeSettings,
}

/// The normalization of pixels before the first layer.
pub struct Normalize {
    /// `[1, 3, 1, 1]`
    mean: Tensor,
    /// inverse standard std, `[1, 3, 1, 1]`
    scale: Tensor,
}

impl Normalize {
    /// Creates the normalization for this mean and standard std on a device.
    pub fn new(channel_stats: ChannelStats, device: Device) -> Self {
        let of = |numbers: [f64; 3]| Tensor::from_slice(&numbers.map(|x| x as f32)).view([1, 3, 1, 1]).to(device);
        Normalize {
            mean: of(channel_stats.mean.map(|mean| 255.0 * mean)),
            scale: of(channel_stats.std.map(|std| 1.0 / (255.0 * std))),
        }
    }

    /// Normalizes pixels, `[B, 3, height, width]` u8 -> f32.
    pub fn apply(&self, x: &Tensor) -> Tensor {
        x.to_kind(Kind::Float).g_sub_(&self.mean).g_mul_(&self.scale)
    }
}

impl ImageModel {
    /// Creates the network with width factor `gamma` on a device.
    pub fn new(
        builder: &mut ParameterBuilder,
        architecture: Architecture,
        gamma: f64,
        channel_stats: ChannelStats,
        computation: ComputeSettings,
        device: Device,
    ) -> Self {
        ImageModel {
            body: architecture.build(builder, gamma).into(),
            pixels: Rc::new(Normalize::new(channel_stats, device)),
            computation,
        }
    }
}

/// Computes the features of images in bytes, `[B, 3, height, width]` u8.
impl Body for ImageModel {
    fn features(&self) -> i64 {
        self.body.features()
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        self.body.check(x)
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let mut x = self.pixels.apply(x);
        if self.computation.channels_last {
            x = x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]);
        }
        let x = match self.computation.precision {
            Precision::F32 => x,
            Precision::Bf16 => x.to_kind(Kind::BFloat16),
        };
        self.body.forward(weights, &x).to_kind(Kind::Float)
    }
}

#[cfg(test)]
mod tests {
    use alrao_core::network::Network;
    use alrao_core::noise;
    use alrao_core::streams::stream;
    use rand::RngExt;

    use super::*;

    const STATS: ChannelStats = ChannelStats { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3] };

    fn network(architecture: Architecture, computation: ComputeSettings) -> Network<ImageModel> {
        let float = (Kind::Float, Device::Cpu);
        let model = |b: &mut ParameterBuilder| ImageModel::new(b, architecture, 0.125, STATS, computation, Device::Cpu);
        Network::new(model, 2, 5, &mut stream(0, "weights"), float).unwrap()
    }

    /// Returns images `[16, 3, S, S]` u8 of various colors and contrasts.
    fn images(side: i64) -> Tensor {
        let mut rng = stream(0, "images");
        let mut noise = |shape: [i64; 4]| {
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(-1.0..1.0)).collect();
            Tensor::from_slice(&values).view(shape)
        };
        let (channel, contrast) = (noise([16, 3, 1, 1]), noise([16, 1, 1, 1]));
        (channel * 60.0 + noise([16, 3, side, side]) * contrast * 60.0 + 128.0).to_kind(Kind::Uint8)
    }

    #[test]
    fn pixels_are_normalized() {
        let model = network(Architecture::Vgg19, ComputeSettings::default());
        let mut rng = stream(0, "weights");
        let bare = |b: &mut ParameterBuilder| Architecture::Vgg19.build(b, 0.125);
        let bare = Network::new(bare, 2, 5, &mut rng, (Kind::Float, Device::Cpu)).unwrap();
        let of_colour = |x: [f32; 3]| Tensor::from_slice(&x).view([1, 3, 1, 1]);
        let x = (images(32) / 255.0 - of_colour([0.5, 0.4, 0.3])) / of_colour([0.2, 0.25, 0.3]);
        let difference = model.outputs(&images(32)).unwrap() - bare.outputs(&x).unwrap();
        assert!(difference.abs().max().double_value(&[]) < 1e-5);
    }

    /// Tens of normalizations over few numbers amplify the rounding of bf16 to some percent.
    #[test]
    fn channels_last_and_bf16_give_similar_features() {
        for architecture in Architecture::ALL {
            let side = if architecture.min_image_size() > 32 { 64 } else { 32 };
            let features_and_gradient = |computation| {
                let network = network(architecture, computation);
                let (leaf, weights) = network.parameters().leaf();
                let z = noise::with_seed(0, || network.body().forward(&weights, &images(side)));
                assert_eq!(z.kind(), Kind::Float);
                let weighting = (Tensor::arange(z.numel() as i64, (Kind::Float, Device::Cpu)) * 1.3).cos().view_as(&z);
                let gradient =
                    Tensor::run_backward(&[(&z * weighting).sum(Kind::Float)], &[&leaf], false, false).remove(0);
                assert_eq!(gradient.kind(), Kind::Float);
                [z.detach().flatten(0, -1), gradient]
            };
            let f32 = features_and_gradient(ComputeSettings::default());
            let cosines = |other: [Tensor; 2]| {
                [0, 1].map(|i| Tensor::cosine_similarity(&f32[i], &other[i], 0, 1e-12).double_value(&[]))
            };
            let last = cosines(features_and_gradient(ComputeSettings { channels_last: true, ..Default::default() }));
            assert!(last.iter().all(|cosine| *cosine > 0.999), "{architecture}, channels last: {last:?}");
            let half = ComputeSettings { precision: Precision::Bf16, channels_last: false };
            let [features, _gradient] = cosines(features_and_gradient(half));
            assert!((0.85..0.999_999_9).contains(&features), "{architecture}, bf16: {features}");
        }
    }
}
