//! Comparison with PyTorch's values in `alrao.json`, written by `alrao.py`: whole steps of an MLP and an LSTM with
//! equal initial values and learning rates, the heads' gradients, and the update rules of `torch.optim`.
//!
//! Five steps in f64 stay within 1e-13 of PyTorch's values; the bound of 1e-10 allows for other processors.

use alrao_core::layers::{Body, Embedding, Lstm, Mlp};
use alrao_core::learner::Learner;
use alrao_core::likelihood::Categorical;
use alrao_core::method::Method;
use alrao_core::network::Network;
use alrao_core::optimizer::{AdamSettings, SgdSettings, UpdateRule};
use alrao_core::parameters::{ParameterBuilder, Weights};
use alrao_core::state_dict::StateDict;
use alrao_core::streams::stream;
use serde_json::Value;
use tch::kind::DOUBLE_CPU;
use tch::{Kind, Tensor};

const BOUND: f64 = 1e-10;

fn goldens(name: &str) -> Value {
    let mut all: Value = serde_json::from_str(include_str!("alrao.json")).unwrap();
    all[name].take()
}

fn vector(golden: &Value) -> Vec<f64> {
    golden.as_array().expect("numbers").iter().map(|number| number.as_f64().unwrap()).collect()
}

fn tensor(golden: &Value) -> Tensor {
    let shape: Vec<i64> = vector(&golden["shape"]).iter().map(|&size| size as i64).collect();
    Tensor::from_slice(&vector(&golden["values"])).view(&shape[..])
}

fn assert_close(name: &str, found: &Tensor, golden: &Value) {
    let expected = tensor(golden);
    assert_eq!(found.size(), expected.size(), "{name}");
    let difference = (found - &expected).abs().max() / expected.abs().max();
    assert!(difference.double_value(&[]) < BOUND, "{name}: {difference}");
}

/// Saves a network and its learner.
fn save<B>(network: &Network<B>, learner: &Learner) -> StateDict {
    let mut tensors = StateDict::default();
    network.save("network", &mut tensors);
    learner.save(network, "learner", &mut tensors);
    tensors
}

/// Converts PyTorch's name of a parameter to ours.
fn our_name(theirs: &str) -> String {
    match theirs.strip_prefix("body.lstm.").and_then(|name| name.strip_suffix("_l0")) {
        Some(name) => format!("network.body.lstm.layer0.{name}"),
        None => format!("network.{theirs}"),
    }
}

fn follow<B: Body>(build: fn(&mut ParameterBuilder) -> B, golden: &Value, as_input: fn(&Tensor) -> Tensor) {
    let method = Method { num_heads: 4, ..Method::alrao() };
    let mut network = Network::new(build, 4, 3, &mut stream(0, "weights"), DOUBLE_CPU).unwrap();
    let mut learner = Learner::new(&method, &network, &mut stream(0, "rates")).unwrap();
    let mut start = save(&network, &learner);
    for (name, value) in golden["initial"].as_object().unwrap() {
        start.insert(our_name(name), &tensor(value));
    }
    let rates = network.parameters().broadcast(&vector(&golden["rates"]));
    network.parameters().save_flat("learner.body.minus_eta", &-rates, &mut start);
    // the heads' learning rates are not random, so they are compared, not set
    let head_rates = network.heads().parameters().broadcast(&vector(&golden["head_rates"]));
    let ours = -network.heads().parameters().load_flat("learner.heads.minus_eta", &start).unwrap();
    assert!(((ours - &head_rates) / &head_rates).abs().max().double_value(&[]) < 1e-12);
    network.load("network", &start).unwrap();
    learner.load(&network, "learner", &start).unwrap();

    for (t, step) in golden["steps"].as_array().unwrap().iter().enumerate() {
        let pass = network.forward(&as_input(&tensor(&step["x"]))).unwrap();
        let classes = tensor(&step["y"]).to_kind(Kind::Int64);
        let report = learner.step(&mut network, &pass, &Categorical, &classes).unwrap();
        assert!((report.loss() - step["loss"].as_f64().unwrap()).abs() < BOUND, "step {t}");
        let log_evidence = Vec::<f64>::try_from(&report.log_evidence).unwrap();
        let found = learner.posterior().into_iter().chain(log_evidence);
        for (found, expected) in found.zip([vector(&step["a"]), vector(&step["log_evidence"])].concat()) {
            assert!((found - expected).abs() < BOUND, "step {t}: {found} {expected}");
        }
        let now = save(&network, &learner);
        for (name, value) in step["after"].as_object().unwrap() {
            let found = now.get(&our_name(name), &tensor(value).size()).unwrap();
            assert_close(&format!("{name} after step {t}"), found, value);
        }
    }
}

#[test]
fn an_mlps_steps_match_pytorch() {
    follow(|b| Mlp::new(b, 4, &[6, 5], 1.0), &goldens("mlp"), Tensor::shallow_clone);
}

struct Text {
    embedding: Embedding,
    lstm: Lstm,
}

impl Body for Text {
    fn features(&self) -> i64 {
        4
    }

    /// Computes the features of each token, `[T, B] -> [T*B, H]`.
    fn forward(&self, weights: &Weights, tokens: &Tensor) -> Tensor {
        let x = self.embedding.forward(weights, tokens);
        let start = self.lstm.zero_state(tokens.size()[1], (x.kind(), x.device()));
        self.lstm.forward(weights, &x, &start).0.flatten(0, 1)
    }
}

#[test]
fn an_lstms_steps_match_pytorch() {
    let build = |builder: &mut ParameterBuilder| Text {
        embedding: builder.scope("embedding", |b| Embedding::new(b, 3, 3)),
        lstm: builder.scope("lstm", |b| Lstm::new(b, 3, 4, 1)),
    };
    follow(build, &goldens("lstm"), |tokens| tokens.to_kind(Kind::Int64));
}

#[test]
fn update_rules_match_pytorch() {
    let sgd = |nesterov| UpdateRule::Sgd(SgdSettings { momentum: 0.9, nesterov, weight_decay: 0.01 });
    for (name, rule) in
        [("momentum", sgd(false)), ("nesterov", sgd(true)), ("adam", UpdateRule::Adam(AdamSettings::default()))]
    {
        let golden = goldens(name);
        let mut theta = tensor(&golden["initial"]);
        let mut optimizer = rule.build(&theta.full_like(0.1));
        let steps = golden["gradients"].as_array().unwrap().iter().zip(golden["thetas"].as_array().unwrap());
        for (t, (gradient, expected)) in steps.enumerate() {
            optimizer.step(&mut theta, &tensor(gradient), 1.0);
            assert_close(&format!("{name} after step {t}"), &theta, expected);
        }
    }
}

#[test]
fn heads_and_their_gradients_match_separate_layers() {
    let golden = goldens("heads");
    let heads = alrao_core::heads::Heads::new(4, 5, 3, &mut stream(0, "weights"), DOUBLE_CPU).unwrap();
    let flat = |weight: &str, bias: &str| {
        Tensor::cat(&[tensor(&golden[weight]).flatten(0, -1), tensor(&golden[bias]).flatten(0, -1)], 0)
    };
    heads.parameters().theta().shallow_clone().copy_(&flat("weight", "bias"));
    let (z, gradient) = (tensor(&golden["z"]), tensor(&golden["gradient"]));
    assert_close("outputs", &heads.forward(&z), &golden["out"]);
    assert_close("features", &heads.feature_gradient(&gradient, None), &golden["of_z"]);
    let (of_parameters, parts) = heads.parameters().grad_buffer();
    heads.parameter_gradient(&z, &gradient, &parts);
    let difference = of_parameters - flat("of_weight", "of_bias");
    assert!(difference.abs().max().double_value(&[]) < BOUND);
}
