//! The paper's character-level language model (section 5), without dropout: 50 characters, an embedding of 100
//! dimensions, two layers of 100 LSTM cells, 20 sequences of 70 time steps. Each time step has a prediction, so the
//! heads take a large part of the time.

use alrao_core::layers::{Body, Embedding, Lstm};
use alrao_core::likelihood::Categorical;
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::nn::{self, RNN};
use tch::{Device, Kind, Reduction, Tensor};

use crate::case::{Case, classes};

const VOCABULARY: i64 = 50;
const WIDTH: i64 = 100;
const BATCH: i64 = 20;
const STEPS: i64 = 70;

pub fn case() -> Case {
    let x = classes(STEPS * BATCH, VOCABULARY).view([STEPS, BATCH]);
    let batch = (x, Categorical, classes(STEPS * BATCH, VOCABULARY - 1));
    Case::new("PTB LSTM T=70 B=20", LanguageModel::new, VOCABULARY, batch, plain)
}

struct LanguageModel {
    embedding: Embedding,
    lstm: Lstm,
}

impl LanguageModel {
    fn new(builder: &mut ParameterBuilder) -> Self {
        let embedding = builder.scope("embedding", |b| Embedding::new(b, VOCABULARY, WIDTH));
        let lstm = builder.scope("lstm", |b| Lstm::new(b, WIDTH, WIDTH, 2));
        LanguageModel { embedding, lstm }
    }
}

impl Body for LanguageModel {
    fn features(&self) -> i64 {
        WIDTH
    }

    /// Computes the features of each time step, `[T, B] -> [T * B, H]`.
    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let start = self.lstm.zero_state(x.size()[1], (Kind::Float, Device::Cpu));
        let (z, _) = self.lstm.forward(weights, &self.embedding.forward(weights, x), &start);
        z.flatten(0, 1)
    }
}

fn plain(path: nn::Path) -> impl Fn(&Tensor, &Tensor) -> Tensor + use<> {
    let embedding = nn::embedding(&path / "embedding", VOCABULARY, WIDTH, Default::default());
    let config = nn::RNNConfig { num_layers: 2, batch_first: false, ..Default::default() };
    let lstm = nn::lstm(&path / "lstm", WIDTH, WIDTH, config);
    let head = nn::linear(&path / "head", WIDTH, VOCABULARY, Default::default());
    move |x, classes| {
        let (z, _) = lstm.seq_init(&x.apply(&embedding), &lstm.zero_state(BATCH));
        z.flatten(0, 1).apply(&head).cross_entropy_loss::<Tensor>(classes, None, Reduction::Mean, -100, 0.0)
    }
}
