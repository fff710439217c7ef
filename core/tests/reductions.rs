//! Special cases in which Alrao equals a simpler method, and quantities that must be independent.

use alrao_core::layers::{
    BatchNorm, Body, Conv2d, Conv2dSettings, Embedding, LayerNorm, Linear, Lstm, Mlp, layer_norm,
};
use alrao_core::learner::Learner;
use alrao_core::likelihood::{Gaussian, Huber, Likelihood};
use alrao_core::method::Method;
use alrao_core::network::Network;
use alrao_core::parameters::{ParameterBuilder, Weights};
use alrao_core::rates::LrRange;
use alrao_core::state_dict::StateDict;
use alrao_core::streams::stream;
use tch::Tensor;
use tch::kind::DOUBLE_CPU;

const HUBER: Huber = Huber { sigma: 1.0 };

/// Returns an MLP with 3 inputs, layers of 8 and 6 units, and `k` heads of 2 outputs.
fn mlp(k: i64) -> Network<Mlp> {
    Network::new(|b| Mlp::new(b, 3, &[8, 6], 1.0), k, 2, &mut stream(0, "weights"), DOUBLE_CPU).unwrap()
}

fn method(num_heads: i64, eta_min: f64, eta_max: f64) -> Method {
    Method { num_heads, lr_range: LrRange::new(eta_min, eta_max).unwrap(), ..Method::alrao() }
}

fn learner<B>(method: &Method, network: &Network<B>) -> Learner {
    Learner::new(method, network, &mut stream(0, "rates")).unwrap()
}

fn numbers(shape: &[i64]) -> Tensor {
    (Tensor::arange(shape.iter().product::<i64>(), DOUBLE_CPU) * 0.7).sin().view(shape)
}

fn batch() -> (Tensor, Tensor) {
    (numbers(&[8, 3]), numbers(&[8, 2]).cos())
}

/// Sets these tensors of the network.
fn set<B>(network: &mut Network<B>, values: &[(&str, Tensor)]) {
    let mut tensors = StateDict::default();
    network.save("network", &mut tensors);
    for (name, value) in values {
        tensors.insert(format!("network.{name}"), value);
    }
    network.load("network", &tensors).unwrap();
}

/// Returns the flat parameters of body and heads.
fn thetas<B>(network: &Network<B>) -> (Tensor, Tensor) {
    (network.parameters().theta().copy(), network.heads().parameters().theta().copy())
}

/// Returns the flat parameters of body and heads after one step.
fn after_a_step<L: Likelihood<Target = Tensor>>(
    mut network: Network<Mlp>,
    method: &Method,
    likelihood: &L,
) -> (Tensor, Tensor) {
    let (x, y) = batch();
    let pass = network.forward(&x).unwrap();
    learner(method, &network).step(&mut network, &pass, likelihood, &y).unwrap();
    thetas(&network)
}

/// A linear layer with ReLU; with binary fractions, a few steps have no rounding.
struct Exact(Linear);

impl Body for Exact {
    fn features(&self) -> i64 {
        2
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        self.0.forward(weights, x).relu()
    }
}

/// Without rounding, four equal heads with one learning rate are bit-identical to one head.
#[test]
fn equal_heads_with_equal_rates_equal_sgd() {
    let quarters = |values: &[f64], shape: &[i64]| (Tensor::from_slice(values) / 4.0).view(shape);
    let network = |k: i64| {
        let build = |b: &mut ParameterBuilder| Exact(b.scope("layer", |b| Linear::new(b, 2, 2)));
        let mut network = Network::new(build, k, 1, &mut stream(0, "weights"), DOUBLE_CPU).unwrap();
        let values = [
            ("body.layer.weight", quarters(&[1.0, 2.0, -1.0, 3.0], &[2, 2])),
            ("body.layer.bias", quarters(&[2.0, 1.0], &[2])),
            ("heads.weight", quarters(&[1.0, -2.0], &[1, 1, 2]).repeat([k, 1, 1])),
            ("heads.bias", quarters(&[1.0], &[1, 1]).repeat([k, 1])),
        ];
        set(&mut network, &values);
        network
    };
    let (mut one, mut four) = (network(1), network(4));
    let mut of_one = learner(&Method::sgd(0.25).unwrap(), &one);
    let mut of_four = learner(&method(4, 0.25, 0.25), &four);
    let likelihood = Gaussian { sigma: 1.0 };
    for t in 0..2 {
        let x = quarters(&[1.0, 3.0, -2.0, 2.0, 4.0, 1.0, 2.0, -1.0], &[4, 2]) * f64::from(t + 1);
        let y = quarters(&[4.0, -3.0, 1.0, 2.0], &[4, 1]);
        let before = thetas(&one);
        let (pass, passes) = (one.forward(&x).unwrap(), four.forward(&x).unwrap());
        of_one.step(&mut one, &pass, &likelihood, &y).unwrap();
        of_four.step(&mut four, &passes, &likelihood, &y).unwrap();
        assert!(thetas(&one).0 != before.0 && thetas(&one).1 != before.1);
        assert_eq!(thetas(&one).0, thetas(&four).0, "step {t}");
        let heads = thetas(&four).1;
        for j in 0..4 {
            let head = Tensor::cat(&[heads.narrow(0, 2 * j, 2), heads.narrow(0, 8 + j, 1)], 0);
            assert_eq!(head, thetas(&one).1, "head {j}, step {t}");
        }
        assert_eq!(of_four.posterior(), [0.25; 4]);
    }
}

/// One head is an ordinary output layer, trained by autograd through the whole network.
#[test]
fn one_head_equals_an_ordinary_output_layer() {
    let (mut network, eta) = (mlp(1), 0.125);
    let mut learner = learner(&Method::sgd(eta).unwrap(), &network);
    let (shapes, split) = ([vec![8, 3], vec![8], vec![6, 8], vec![6], vec![2, 6], vec![2]], [24, 8, 48, 6, 12, 2]);
    let all = Tensor::cat(&[thetas(&network).0, thetas(&network).1], 0).split_with_sizes(split, 0);
    let mut plain: Vec<Tensor> = all.iter().zip(&shapes).map(|(value, shape)| value.view(&shape[..])).collect();
    let (x, y) = batch();
    for _ in 0..50 {
        let leaves: Vec<Tensor> = plain.iter().map(|value| value.detach().set_requires_grad(true)).collect();
        let layer = |x: &Tensor, i: usize| x.linear(&leaves[i], Some(&leaves[i + 1]));
        let pi = std::f64::consts::PI;
        let standard = |relu: Tensor| (relu - (2.0 * pi).sqrt().recip()) / ((1.0 - pi.recip()) / 2.0).sqrt();
        let hidden = |x: &Tensor, i| standard(layer_norm(&layer(x, i)).relu());
        let z = hidden(&hidden(&x, 0), 2);
        let loss = layer(&z, 4).huber_loss(&y, tch::Reduction::Sum, 1.0) / 8.0;
        let gradients = Tensor::run_backward(&[loss], &leaves, false, false);
        plain = plain.iter().zip(gradients).map(|(value, gradient)| value - gradient * eta).collect();
        let pass = network.forward(&x).unwrap();
        learner.step(&mut network, &pass, &HUBER, &y).unwrap();
    }
    let found = Tensor::cat(&[thetas(&network).0, thetas(&network).1], 0);
    let expected = Tensor::cat(&plain.iter().map(|value| value.flatten(0, -1)).collect::<Vec<_>>(), 0);
    let difference = (found - expected).abs().max().double_value(&[]);
    assert!(difference < 1e-12, "{difference:e}");
}

/// The heads' updates don't depend on the averaging weights, bit for bit; the body's update does.
#[test]
fn the_mixture_does_not_affect_the_heads() {
    let method = method(3, 1e-3, 1.0);
    let with_weights = |a: [f64; 3]| {
        let mut network = mlp(3);
        set(&mut network, &[("a", Tensor::from_slice(&a))]);
        after_a_step(network, &method, &HUBER)
    };
    let (even, uneven) = (with_weights([1.0 / 3.0; 3]), with_weights([0.01, 0.01, 0.98]));
    assert_eq!(even.1, uneven.1);
    assert_ne!(even.0, uneven.0);
}

/// A likelihood that multiplies the first head's gradient by a million.
struct Amplified;

impl Likelihood for Amplified {
    type Target = Tensor;

    fn log_prob(&self, out: &Tensor, y: &Tensor) -> Tensor {
        HUBER.log_prob(out, y)
    }

    fn gradient(&self, out: &Tensor, y: &Tensor) -> Tensor {
        HUBER.gradient(out, y) * Tensor::from_slice(&[1e6, 1.0, 1.0]).view([3, 1, 1])
    }
}

/// The body's update depends neither on the gradient of a head with weight 0 nor on the heads' learning rates, bit for
/// bit.
#[test]
fn a_heads_own_gradient_does_not_affect_the_body() {
    let (rates, a) = (method(3, 1e-3, 1.0), Tensor::from_slice(&[0.0, 0.5, 0.5]));
    let network = || {
        let mut network = mlp(3);
        set(&mut network, &[("a", a.copy())]);
        network
    };
    let (plain, amplified) = (after_a_step(network(), &rates, &HUBER), after_a_step(network(), &rates, &Amplified));
    assert_eq!(plain.0, amplified.0);
    assert_ne!(plain.1, amplified.1);

    let (x, y) = batch();
    let step_at = |eta: f64| {
        let mut network = network();
        let mut learner = learner(&rates, &network);
        let mut tensors = StateDict::default();
        learner.save(&network, "learner", &mut tensors);
        let heads = network.heads().parameters();
        heads.save_flat("learner.heads.minus_eta", &Tensor::full_like(heads.theta(), -eta), &mut tensors);
        learner.load(&network, "learner", &tensors).unwrap();
        let pass = network.forward(&x).unwrap();
        learner.step(&mut network, &pass, &HUBER, &y).unwrap();
        thetas(&network)
    };
    let (frozen, fast) = (step_at(0.0), step_at(10.0));
    assert_eq!(frozen.0, fast.0);
    assert_eq!(frozen.1, thetas(&network()).1);
    assert_ne!(frozen.1, fast.1);
}

/// Four heads that hardly change, one of which is right from the start.
#[test]
fn the_posterior_finds_the_one_good_head() {
    let mut network = mlp(4);
    let mut learner = learner(&method(4, 1e-9, 1e-9), &network);
    let bias = Tensor::full([4, 2], 5.0, DOUBLE_CPU);
    let _ = bias.get(2).fill_(0.0);
    let weight = Tensor::zeros([4, 2, 6], DOUBLE_CPU);
    set(&mut network, &[("heads.bias", bias), ("heads.weight", weight)]);
    let x = batch().0;
    for _ in 0..200 {
        let pass = network.forward(&x).unwrap();
        learner.step(&mut network, &pass, &HUBER, &Tensor::zeros([8, 2], DOUBLE_CPU)).unwrap();
    }
    let a = learner.posterior();
    assert!(a[2] > 0.99, "{a:?}");
    assert_eq!(Vec::<f64>::try_from(network.a()).unwrap(), a);
    // predictions are the heads' mean under these weights
    let (out, mean) = (network.outputs(&x).unwrap(), network.mean(&x).unwrap());
    let expected = (0..4).map(|j| out.get(j) * a[j as usize]).reduce(|sum, out| sum + out).unwrap();
    assert!((mean - expected).abs().max().double_value(&[]) < 1e-14);
}

/// A body with one layer of every type.
struct Everything;

impl Body for Everything {
    fn features(&self) -> i64 {
        1
    }

    fn forward(&self, _: &Weights, _: &Tensor) -> Tensor {
        unreachable!("only the learning rates are used")
    }
}

fn everything(builder: &mut ParameterBuilder) -> Everything {
    builder.scope("linear", |b| Linear::new(b, 3, 4));
    builder.scope("conv", |b| Conv2d::new(b, 4, 6, 3, Conv2dSettings { groups: 2, ..Default::default() }));
    builder.scope("batch_norm", |b| BatchNorm::new(b, 6));
    builder.scope("layer_norm", |b| LayerNorm::new(b, 5));
    builder.scope("embedding", |b| Embedding::new(b, 7, 3));
    builder.scope("lstm", |b| Lstm::new(b, 3, 5, 2));
    Everything
}

/// Returns the learning rates of all elements for a run's seed.
fn rates(seed: u64) -> Vec<f64> {
    let network = Network::new(everything, 2, 1, &mut stream(0, "weights"), DOUBLE_CPU).unwrap();
    let learner = Learner::new(&method(2, 1e-5, 10.0), &network, &mut stream(seed, "rates")).unwrap();
    let mut tensors = StateDict::default();
    learner.save(&network, "learner", &mut tensors);
    let minus_eta = network.parameters().load_flat("learner.body.minus_eta", &tensors).unwrap();
    Vec::<f64>::try_from(-minus_eta).unwrap()
}

/// Section 4.3: units are the rows of a linear layer, the filters of a convolution, the channels of a normalization,
/// the dimensions of an embedding, the cells of an LSTM. Two elements have equal learning rates if and only if they
/// share a unit.
#[test]
fn the_parameters_of_a_unit_share_a_rate_in_every_layer() {
    let rows = |n: usize, columns: usize| (0..n).flat_map(move |row| vec![row; columns]).collect::<Vec<_>>();
    let gates = |cells: usize, columns: usize| rows(cells, columns).repeat(4);
    let layers = [
        [rows(4, 3), rows(4, 1)].concat(),
        [rows(6, 2 * 9), rows(6, 1)].concat(),
        rows(6, 1).repeat(2),
        rows(5, 1).repeat(2),
        rows(3, 1).repeat(7),
        [gates(5, 3), gates(5, 5), gates(5, 1), gates(5, 1)].concat(),
        [gates(5, 5), gates(5, 5), gates(5, 1), gates(5, 1)].concat(),
    ];
    let unit: Vec<(usize, usize)> =
        layers.iter().enumerate().flat_map(|(i, units)| units.iter().map(move |&unit| (i, unit))).collect();
    let rates = rates(0);
    assert_eq!(rates.len(), unit.len());
    for e in 0..rates.len() {
        for f in 0..e {
            assert_eq!(rates[e] == rates[f], unit[e] == unit[f], "elements {f} and {e}: {:?} {:?}", unit[f], unit[e]);
        }
    }
}

#[test]
fn learning_rates_are_determined_by_the_seed() {
    assert_eq!(rates(0), rates(0));
    assert!(rates(0).iter().zip(rates(1)).all(|(first, second)| *first != second));
    assert!(rates(0).iter().all(|eta| (1e-5..=10.0).contains(eta)));
}
