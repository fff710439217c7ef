//! How well a network predicts: its loss, how often it is right, and what else is told of a task.

use alrao_core::likelihood::Categorical;
use alrao_core::network::Network;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::data::{Batches, Measure, SkippedFile};
use crate::model::Model;

/// What a network's predictions are worth, each a mean over samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// `-log p(y|x)` of the mixture, in nats.
    pub loss: f64,
    /// How often the likeliest class is right, in [0, 1].
    pub top1: f64,
    /// How often the right class is among the five likeliest, in [0, 1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// The loss in bits, where a sample is a character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_char: Option<f64>,
    /// `exp(loss)`, where a sample is a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<f64>,
}

impl Scores {
    /// The figure that runs are compared by, the smaller the better: bits per character, perplexity, or the loss.
    pub fn figure(&self) -> f64 {
        self.bits_per_char.or(self.perplexity).unwrap_or(self.loss)
    }
}

impl std::fmt::Display for Scores {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match (self.bits_per_char, self.perplexity) {
            (Some(bits), _) => write!(f, "{bits:.3} bits per character")?,
            (None, Some(perplexity)) => write!(f, "perplexity {perplexity:.1}")?,
            (None, None) => write!(f, "loss {:.3}", self.loss)?,
        }
        write!(f, ", {:.1} % right", 100.0 * self.top1)?;
        match self.top5 {
            Some(top5) => write!(f, ", {:.1} % among the first five", 100.0 * top5),
            None => Ok(()),
        }
    }
}

/// Sums over samples, kept on the device until they are asked for.
#[derive(Debug)]
pub(crate) struct Tally {
    /// samples and their `-log p`; other samples, how many right, how many right among five; `[5]` f64
    sums: Tensor,
}

impl Tally {
    pub fn new(device: Device) -> Self {
        Tally { sums: Tensor::zeros([5], (Kind::Double, device)) }
    }

    /// Adds the mean loss, `[]`, of so many samples.
    pub fn add_loss(&mut self, loss: &Tensor, samples: i64) {
        let loss = loss.to_kind(Kind::Double);
        let of_one = Tensor::stack(&[loss.ones_like(), loss], 0);
        let _ = self.sums.narrow(0, 0, 2).g_add_(&(of_one * samples));
    }

    /// Adds how often samples are right, from the log-probabilities of the classes, `[B, A]`, and the right ones, `[B]`.
    pub fn add_right(&mut self, log_p: &Tensor, y: &Tensor) {
        let of_right = log_p.gather(1, &y.unsqueeze(1), false); // [B, 1]
        // a class is among the n likeliest if fewer than n are likelier, and never if its chance is no number
        let likelier = log_p.le_tensor(&of_right).logical_not();
        let likelier = likelier.sum_dim_intlist([1].as_slice(), false, Kind::Int64); // [B]
        let among = |n: i64| likelier.lt(n).sum(Kind::Double);
        let samples = likelier.ones_like().sum(Kind::Double);
        let _ = self.sums.narrow(0, 2, 3).g_add_(&Tensor::stack(&[samples, among(1), among(5)], 0));
    }

    /// Adds both.
    pub fn add(&mut self, log_p: &Tensor, y: &Tensor) {
        let loss = -log_p.gather(1, &y.unsqueeze(1), false).mean(Kind::Double);
        self.add_loss(&loss, y.size()[0]);
        self.add_right(log_p, y);
    }

    /// The means; waits for the device. Where nothing was added they are NaN.
    pub fn scores(&self, measure: Measure) -> Scores {
        let sums = self.numbers();
        let (loss, [top1, top5]) = (sums[1] / sums[0], [3, 4].map(|i| sums[i] / sums[2]));
        Scores {
            loss,
            top1,
            top5: (measure == Measure::TopFive).then_some(top5),
            bits_per_char: (measure == Measure::Characters).then_some(loss / std::f64::consts::LN_2),
            perplexity: (measure == Measure::Words).then_some(loss.exp()),
        }
    }

    /// The sums, as they can be saved and taken back.
    pub fn numbers(&self) -> Vec<f64> {
        Vec::try_from(&self.sums).expect("five numbers")
    }

    /// Goes on from saved sums.
    pub fn of(numbers: &[f64], device: Device) -> Self {
        Tally { sums: Tensor::from_slice(numbers).to_device(device) }
    }
}

/// What the predictions of a network for these batches are worth, and what was missing in them.
///
/// # Errors
/// A batch can't be made, or doesn't fit the network.
pub fn evaluate(
    network: &Network<Model>,
    batches: Batches,
    measure: Measure,
    device: Device,
) -> Result<(Scores, Vec<SkippedFile>), Error> {
    let (mut tally, mut state, mut left_out) = (Tally::new(device), None, Vec::new());
    for batch in batches {
        let batch = batch?.to_device(device);
        left_out.extend(batch.left_out);
        if batch.y.size()[0] == 0 {
            continue; // all of it is missing
        }
        let out = network.outputs_by(|model, weights| {
            let (z, after) = model.forward_from(weights, &batch.x, state.as_ref());
            state = after;
            z
        });
        tally.add(&Categorical.log_probabilities(&out, network.a()), &batch.y);
    }
    Ok((tally.scores(measure), left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_by_hand() {
        let p = Tensor::from_slice(&[0.5f64, 0.25, 0.25, 0.1, 0.2, 0.7]).view([2, 3]);
        let mut tally = Tally::new(Device::Cpu);
        tally.add(&p.log(), &Tensor::from_slice(&[0i64, 1]));
        tally.add(&p.narrow(0, 0, 1).log(), &Tensor::from_slice(&[1i64]));
        let expected = -(0.5f64.ln() + 0.2f64.ln() + 0.25f64.ln()) / 3.0;
        let scores = Tally::of(&tally.numbers(), Device::Cpu).scores(Measure::Characters);
        assert!((scores.loss - expected).abs() < 1e-12 && (scores.top1 - 1.0 / 3.0).abs() < 1e-12, "{scores:?}");
        assert_eq!((scores.bits_per_char, scores.top5), (Some(scores.loss / 2f64.ln()), None));
        assert_eq!(tally.scores(Measure::TopFive).top5, Some(1.0));
        assert_eq!(tally.scores(Measure::Words).perplexity, Some(scores.loss.exp()));
    }

    #[test]
    fn no_guess_is_right_whose_chance_is_no_number() {
        let mut tally = Tally::new(Device::Cpu);
        let log_p = Tensor::from_slice(&[f64::NAN, f64::NAN, -0.1, -2.4]).view([2, 2]);
        tally.add(&log_p, &Tensor::from_slice(&[0i64, 0]));
        let scores = tally.scores(Measure::Class);
        assert!(scores.loss.is_nan() && scores.top1 == 0.5, "{scores:?}");
    }
}
