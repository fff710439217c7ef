//! The paper's language model (section 5.2): an embedding, two LSTM layers, and dropout before the decoder, which the
//! heads replace.

use alrao_core::layers::{Body, Embedding, Lstm, LstmState, scaled_width};
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::Tensor;

const EMBEDDING: i64 = 100;
const CELLS: i64 = 100;
const LAYERS: usize = 2;
const DROPOUT: f64 = 0.2;

/// The language model without its decoder.
#[derive(Clone, Debug)]
pub struct LanguageModel {
    embedding: Embedding,
    lstm: Lstm,
    cells: i64,
}

impl LanguageModel {
    /// Creates the model for a vocabulary; `gamma` is the width factor of embedding and LSTM cells.
    pub fn new(builder: &mut ParameterBuilder, vocabulary: usize, gamma: f64) -> Self {
        let (embedding, cells) = (scaled_width(EMBEDDING, gamma), scaled_width(CELLS, gamma));
        LanguageModel {
            embedding: builder.scope("embedding", |b| Embedding::new(b, vocabulary as i64, embedding)),
            lstm: builder.scope("lstm", |b| Lstm::new(b, embedding, cells, LAYERS)),
            cells,
        }
    }

    /// Returns how many numbers a training step keeps for each symbol: the embedding, and gates and state of each cell.
    pub fn numbers_kept(gamma: f64) -> f64 {
        const PER_CELL: f64 = 6.0; // i, f, g, o, h, c
        scaled_width(EMBEDDING, gamma) as f64 + PER_CELL * (LAYERS as i64 * scaled_width(CELLS, gamma)) as f64
    }

    /// Computes the features of the symbols `x`, `[T, B] -> [T*B, H]`, from `state` or from zero; and the next state,
    /// detached.
    pub fn forward_with_state(&self, weights: &Weights, x: &Tensor, state: Option<&LstmState>) -> (Tensor, LstmState) {
        let embedded = self.embedding.forward(weights, x); // [T, B, E]
        let start = || self.lstm.zero_state(x.size()[1], (embedded.kind(), x.device()));
        let (z, (h, c)) = match state {
            Some(state) => self.lstm.forward(weights, &embedded, state),
            None => self.lstm.forward(weights, &embedded, &start()),
        };
        let z = z.dropout(DROPOUT, weights.training()).view([-1, self.cells]);
        (z, (h.detach(), c.detach()))
    }
}

impl Body for LanguageModel {
    fn features(&self) -> i64 {
        self.cells
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        self.forward_with_state(weights, x, None).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alrao_core::network::Network;
    use alrao_core::streams::stream;
    use tch::{Device, Kind};

    fn model(heads: i64, kind: Kind) -> Network<LanguageModel> {
        let body = |b: &mut ParameterBuilder| LanguageModel::new(b, 50, 1.0);
        Network::new(body, heads, 50, &mut stream(0, "weights"), (kind, Device::Cpu)).unwrap()
    }

    #[test]
    fn a_text_in_two_parts_gives_the_same_features() {
        let network = model(1, Kind::Float);
        let x = Tensor::arange(12, (Kind::Int64, Device::Cpu)).view([6, 2]);
        let (body, weights) = (network.body(), network.parameters().weights());
        let whole = body.forward(weights, &x); // [12, H]
        let (first, state) = body.forward_with_state(weights, &x.narrow(0, 0, 4), None);
        let (rest, _) = body.forward_with_state(weights, &x.narrow(0, 4, 2), Some(&state));
        let distance = (Tensor::cat(&[first, rest], 0) - whole).abs().max().double_value(&[]);
        assert!(distance < 1e-6, "{distance}");
    }

    #[test]
    fn predictions_are_the_same_in_f32_and_f64() {
        let x = Tensor::arange(12, (Kind::Int64, Device::Cpu)).view([6, 2]);
        let mean = |kind| model(2, kind).mean(&x).unwrap().to_kind(Kind::Double);
        let distance = (mean(Kind::Float) - mean(Kind::Double)).abs().max().double_value(&[]);
        assert!(distance < 1e-6, "{distance}");
    }

    /// Section 7 of the paper: "increased by 26 % in our setup (at character level)".
    #[test]
    fn ten_heads_increase_the_parameters_by_a_quarter() {
        let count = |network: Network<LanguageModel>| {
            (network.parameters().theta().numel() + network.heads().parameters().theta().numel()) as f64
        };
        let growth = count(model(10, Kind::Float)) / count(model(1, Kind::Float)) - 1.0;
        assert!((growth - 0.26).abs() < 0.01, "{growth}");
    }
}
