//! A language model: an embedding, a two-layer LSTM, and a prediction at each time step.

use alrao_core::layers::{Body, Embedding, Lstm};
use alrao_core::likelihood::Categorical;
use alrao_core::method::Method;
use alrao_core::parameters::{ParameterBuilder, Weights};
use tch::{Kind, Tensor};

use crate::densities::classify;
use crate::reference::{Units, Values};
use crate::{Case, Plain};

struct Text {
    embedding: Embedding,
    lstm: Lstm,
}

const VOCABULARY: i64 = 6;
const CELLS: i64 = 5;

fn build(builder: &mut ParameterBuilder) -> Text {
    let embedding = builder.scope("embedding", |b| Embedding::new(b, VOCABULARY, 3));
    Text { embedding, lstm: builder.scope("lstm", |b| Lstm::new(b, 3, CELLS, 2)) }
}

impl Body for Text {
    fn features(&self) -> i64 {
        CELLS
    }

    /// Computes the features of each token, `[T, B] -> [T*B, H]`.
    fn forward(&self, weights: &Weights, tokens: &Tensor) -> Tensor {
        let x = self.embedding.forward(weights, tokens);
        let start = self.lstm.zero_state(tokens.size()[1], (x.kind(), x.device()));
        self.lstm.forward(weights, &x, &start).0.flatten(0, 1)
    }
}

/// Runs one LSTM layer, gate by gate: `[B, I] -> [B, H]` at each time step.
fn cells(body: &Values, name: &str, inputs: &[Tensor]) -> Vec<Tensor> {
    let of = |parameter: &str| &body[&format!("lstm.{name}.{parameter}")];
    let zeros = || Tensor::zeros([inputs[0].size()[0], CELLS], (Kind::Double, inputs[0].device()));
    let (mut h, mut c) = (zeros(), zeros());
    let sigmoid = |x: Tensor| 1.0 / (1.0 + (-x).exp());
    let step = |x: &Tensor| {
        let gate = |i: i64| {
            let rows = |parameter: &str| of(parameter).narrow(0, i * CELLS, CELLS);
            let of_input = x.matmul(&rows("weight_ih").tr()) + rows("bias_ih");
            of_input + h.matmul(&rows("weight_hh").tr()) + rows("bias_hh")
        };
        let (input, forget, new, output) = (sigmoid(gate(0)), sigmoid(gate(1)), gate(2).tanh(), sigmoid(gate(3)));
        c = forget * &c + input * new;
        h = output * c.tanh();
        h.shallow_clone()
    };
    inputs.iter().map(step).collect()
}

const PLAIN: Plain = Plain {
    names: &[
        "embedding.weight",
        "lstm.layer0.weight_ih",
        "lstm.layer0.weight_hh",
        "lstm.layer0.bias_ih",
        "lstm.layer0.bias_hh",
        "lstm.layer1.weight_ih",
        "lstm.layer1.weight_hh",
        "lstm.layer1.bias_ih",
        "lstm.layer1.bias_hh",
    ],
    // units are the dimensions of the embedding and the cells, with rows i, H+i, 2H+i and 3H+i of each parameter
    units: || {
        let layer = |names: [&'static str; 4]| Units { count: 5, parameters: names.map(|name| (name, 0)).to_vec() };
        vec![
            Units { count: 3, parameters: vec![("embedding.weight", 1)] },
            layer(["lstm.layer0.weight_ih", "lstm.layer0.weight_hh", "lstm.layer0.bias_ih", "lstm.layer0.bias_hh"]),
            layer(["lstm.layer1.weight_ih", "lstm.layer1.weight_hh", "lstm.layer1.bias_ih", "lstm.layer1.bias_hh"]),
        ]
    },
    features: |body, _, tokens| {
        let one_hot = tokens.one_hot(VOCABULARY).to_kind(Kind::Double); // [T, B, V]
        let inputs: Vec<Tensor> = one_hot.unbind(0).iter().map(|x| x.matmul(&body["embedding.weight"])).collect();
        Tensor::cat(&cells(body, "layer1", &cells(body, "layer0", &inputs)), 0)
    },
    log_prob: classify,
    factor: |_| 1.0,
    observations: 1.0,
};

#[test]
fn next_token_prediction() {
    next_token(Method::alrao()).check();
}

#[test]
fn bounded_updates() {
    for method in [Method::alrao(), Method::alrao_adam()] {
        next_token(Method { max_relative_update: Some(1e-3), ..method }).check();
    }
}

fn next_token(method: Method) -> Case<Text, Categorical> {
    Case {
        build,
        outputs: VOCABULARY,
        likelihood: Categorical,
        input: (&[7, 4], |numbers| (numbers.abs() * 3.0).to_kind(Kind::Int64).remainder(VOCABULARY)),
        target: |tokens| (tokens + 1).remainder(VOCABULARY).flatten(0, 1),
        method,
        plain: PLAIN,
    }
}
