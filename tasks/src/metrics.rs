//! Metrics of a supervised model: loss, accuracy, and those specific to a task.

use alrao_core::json::null_as_nan;
use alrao_core::network::Network;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::data::{Batches, MetricKind, SkippedFile};
use crate::model::Model;

/// Metrics of a model's predictions, averaged over samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// `-log p(y|x)` of the mixture, in nats.
    #[serde(deserialize_with = "null_as_nan")]
    pub loss: f64,
    /// Top-1 accuracy, in [0, 1].
    #[serde(deserialize_with = "null_as_nan")]
    pub top1: f64,
    /// Top-5 accuracy, in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// The loss in bits, if a sample is a character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_char: Option<f64>,
    /// `exp(loss)`, if a sample is a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
}

impl Metrics {
    /// Returns the primary metric, of which lower is better: bits per character, perplexity, or the loss.
    pub fn primary_metric(&self) -> f64 {
        self.bits_per_char.or(self.perplexity).unwrap_or(self.loss)
    }
}

impl std::fmt::Display for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match (self.bits_per_char, self.perplexity) {
            (Some(bits), _) => write!(f, "{bits:.3} bits per character")?,
            (None, Some(perplexity)) => write!(f, "perplexity {perplexity:.1}")?,
            (None, None) => write!(f, "loss {:.3}", self.loss)?,
        }
        write!(f, ", top-1 accuracy {:.1} %", 100.0 * self.top1)?;
        match self.top5 {
            Some(top5) => write!(f, ", top-5 accuracy {:.1} %", 100.0 * top5),
            None => Ok(()),
        }
    }
}

/// Sums over samples, kept on the device until they are read.
#[derive(Debug)]
pub(crate) struct MetricAccumulator {
    /// number of samples and sum of their `-log p`; number of samples, of top-1 hits and of top-5 hits; `[5]` f64
    sums: Tensor,
}

impl MetricAccumulator {
    pub fn new(device: Device) -> Self {
        MetricAccumulator { sums: Tensor::zeros([5], (Kind::Double, device)) }
    }

    /// Adds the mean loss, `[]`, of `samples` samples.
    pub fn add_loss(&mut self, loss: &Tensor, samples: i64) {
        let loss = loss.to_kind(Kind::Double);
        let of_one = Tensor::stack(&[loss.ones_like(), loss], 0);
        let _ = self.sums.narrow(0, 0, 2).g_add_(&(of_one * samples));
    }

    /// Adds the top-1 and top-5 hits, from log-probabilities `[B, A]` and labels `[B]`.
    pub fn add_hits(&mut self, log_p: &Tensor, y: &Tensor) {
        let of_label = log_p.gather(1, &y.unsqueeze(1), false); // [B, 1]
        // a class is in the top n if fewer than n classes are likelier, and never if its log-probability is NaN
        let likelier = log_p.le_tensor(&of_label).logical_not();
        let likelier = likelier.sum_dim_intlist([1].as_slice(), false, Kind::Int64); // [B]
        let among = |n: i64| likelier.lt(n).sum(Kind::Double);
        let samples = likelier.ones_like().sum(Kind::Double);
        let _ = self.sums.narrow(0, 2, 3).g_add_(&Tensor::stack(&[samples, among(1), among(5)], 0));
    }

    /// Adds the loss and the hits, from log-probabilities `[B, A]` and labels `[B]`.
    pub fn add(&mut self, log_p: &Tensor, y: &Tensor) {
        let loss = -log_p.gather(1, &y.unsqueeze(1), false).mean(Kind::Double);
        self.add_loss(&loss, y.size()[0]);
        self.add_hits(log_p, y);
    }

    /// Returns the means, after waiting for the device; NaN if nothing was added.
    pub fn metrics(&self, kind: MetricKind) -> Metrics {
        let sums = self.numbers();
        let (loss, [top1, top5]) = (sums[1] / sums[0], [3, 4].map(|i| sums[i] / sums[2]));
        Metrics {
            loss,
            top1,
            top5: (kind == MetricKind::Top5).then_some(top5),
            bits_per_char: (kind == MetricKind::BitsPerChar).then_some(loss / std::f64::consts::LN_2),
            perplexity: (kind == MetricKind::Perplexity).then_some(loss.exp()),
        }
    }

    /// Returns the sums, to be saved.
    pub fn numbers(&self) -> Vec<f64> {
        Vec::try_from(&self.sums).expect("five numbers")
    }

    /// Restores saved sums.
    pub fn of(numbers: &[f64], device: Device) -> Self {
        MetricAccumulator { sums: Tensor::from_slice(numbers).to_device(device) }
    }
}

/// Evaluates a network on batches, and returns the skipped files, too. `go_on` is called before each batch; if it returns
/// false, the evaluation ends without a result.
///
/// # Errors
/// A batch can't be read, or doesn't fit the network; [`Error::AllCorrupt`] if every file was skipped.
pub fn evaluate(
    network: &Network<Model>,
    batches: Batches,
    kind: MetricKind,
    device: Device,
    go_on: &mut dyn FnMut() -> bool,
) -> Result<Option<(Metrics, Vec<SkippedFile>)>, Error> {
    let (mut accumulator, mut state, mut skipped_files) = (MetricAccumulator::new(device), None, Vec::new());
    let mut samples = 0;
    for batch in batches {
        if !go_on() {
            return Ok(None);
        }
        let batch = batch?.to_device(device);
        skipped_files.extend(batch.skipped_files);
        samples += batch.y.size()[0];
        if batch.y.size()[0] == 0 {
            continue; // every file was skipped
        }
        let z = network.features_with(|model, weights| {
            let (z, after) = model.forward_with_state(weights, &batch.x, state.as_ref());
            state = after;
            z
        });
        accumulator.add(&network.log_probabilities(&z), &batch.y);
    }
    match skipped_files.last() {
        Some(last) if samples == 0 => Err(Error::AllCorrupt { count: skipped_files.len(), last: last.clone() }),
        _ => Ok(Some((accumulator.metrics(kind), skipped_files))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_equal_hand_computed_values() {
        let p = Tensor::from_slice(&[0.5f64, 0.25, 0.25, 0.1, 0.2, 0.7]).view([2, 3]);
        let mut accumulator = MetricAccumulator::new(Device::Cpu);
        accumulator.add(&p.log(), &Tensor::from_slice(&[0i64, 1]));
        accumulator.add(&p.narrow(0, 0, 1).log(), &Tensor::from_slice(&[1i64]));
        let expected = -(0.5f64.ln() + 0.2f64.ln() + 0.25f64.ln()) / 3.0;
        let metrics = MetricAccumulator::of(&accumulator.numbers(), Device::Cpu).metrics(MetricKind::BitsPerChar);
        assert!((metrics.loss - expected).abs() < 1e-12 && (metrics.top1 - 1.0 / 3.0).abs() < 1e-12, "{metrics:?}");
        assert_eq!((metrics.bits_per_char, metrics.top5), (Some(metrics.loss / 2f64.ln()), None));
        assert_eq!(accumulator.metrics(MetricKind::Top5).top5, Some(1.0));
        assert_eq!(accumulator.metrics(MetricKind::Perplexity).perplexity, Some(metrics.loss.exp()));
    }

    #[test]
    fn nan_probabilities_are_never_hits() {
        let mut accumulator = MetricAccumulator::new(Device::Cpu);
        let log_p = Tensor::from_slice(&[f64::NAN, f64::NAN, -0.1, -2.4]).view([2, 2]);
        accumulator.add(&log_p, &Tensor::from_slice(&[0i64, 0]));
        let metrics = accumulator.metrics(MetricKind::Loss);
        assert!(metrics.loss.is_nan() && metrics.top1 == 0.5, "{metrics:?}");
    }
}
