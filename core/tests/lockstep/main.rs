//! Whole training steps compared with a plain reference: body, heads and Switch, 30 steps with different batches.
//!
//! Both sides get equal initial values, inputs and learning rates, and share nothing else. After each step, a tensor's
//! difference is divided by the reference's largest absolute value.
//!
//! The bounds: rounding errors are 1e-16 in f64, and correct code with another order of operations was measured within
//! 6e-13 of the reference (1.3e-6 in f32). A wrong learning rate, sign, factor or a missing term changes a tensor in
//! proportion to learning rate times gradient. The largest learning rates are 1 or 10, so at the first step the
//! difference exceeds the bound of 1e-10 by many orders of magnitude.
//!
//! With learning rates up to 10, units and heads overshoot, which amplifies rounding errors by a factor of 1.3 to 2 per
//! step. Over the paper's interval the bound holds for 10 steps; up to rates of 1 it does for 30, and in f32, which has
//! 2e9 times less room, up to 0.1.

mod cnn;
mod densities;
mod lstm;
mod mlp;
mod reference;

use alrao_core::layers::Body;
use alrao_core::learner::Learner;
use alrao_core::likelihood::Likelihood;
use alrao_core::method::Method;
use alrao_core::network::Network;
use alrao_core::optimizer;
use alrao_core::parameters::ParameterBuilder;
use alrao_core::rates::LrRange;
use alrao_core::state_dict::StateDict;
use alrao_core::streams::stream;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use reference::{Reference, Rule, Units, Values, linear};
use tch::{Device, Kind, Tensor};

/// A network and a task for both sides.
struct Case<B, L> {
    build: fn(&mut ParameterBuilder) -> B,
    outputs: i64,
    likelihood: L,
    /// the shape of random numbers, and a function that makes a batch of them
    input: (&'static [i64], fn(&Tensor) -> Tensor),
    /// makes a batch's targets
    target: fn(&Tensor) -> Tensor,
    method: Method,
    plain: Plain,
}

/// The reference's definition of a case.
struct Plain {
    /// names of the body's parameters and buffers
    names: &'static [&'static str],
    units: fn() -> Vec<Units>,
    /// computes the features of a batch, `[B, H]`, from the body's values, and updates the buffers in the second
    /// argument
    features: fn(&Values, &mut Values, &Tensor) -> Tensor,
    /// `[B, A] -> [B]`
    log_prob: fn(&Tensor, &Tensor) -> Tensor,
    factor: fn(u64) -> f64,
    /// number of observations of the Switch per batch
    observations: f64,
}

impl<B: Body, L: Likelihood<Target = Tensor>> Case<B, L> {
    /// Checks that both sides stay close.
    fn check(mut self) {
        let runs = [(Kind::Double, 10.0, 10, 1e-10), (Kind::Double, 1.0, 30, 1e-10), (Kind::Float, 0.1, 30, 1e-5)];
        for (kind, eta_max, steps, bound) in runs {
            self.method.lr_range = LrRange::new(1e-5, eta_max).unwrap();
            let (name, difference) = self.largest_difference(kind, steps);
            println!("{kind:?} up to {eta_max}: {difference:.1e} in {name}");
            assert!(difference < bound, "{kind:?} up to {eta_max}: {name} differs by {difference:e}");
        }
    }

    /// Returns the largest difference over all steps, of tensors, losses and averaging weights, with its name.
    fn largest_difference(&self, kind: Kind, steps: u64) -> (String, f64) {
        tch::set_num_threads(1); // small tensors
        let mut rng = stream(3, "weights");
        let place = (kind, Device::Cpu);
        let mut network = Network::new(self.build, self.method.num_heads, self.outputs, &mut rng, place).unwrap();
        let mut learner = Learner::new(&self.method, &network, &mut stream(3, "rates")).unwrap();
        let mut reference = self.reference(&network);
        let mut draws = StandardNormal.sample_iter(stream(3, "data"));
        let mut normal = |shape: &[i64]| {
            let numbers: Vec<f64> = draws.by_ref().take(shape.iter().product::<i64>() as usize).collect();
            Tensor::from_slice(&numbers).view(shape).to_kind(kind)
        };
        let mut largest = (String::new(), 0.0);
        for step in 0..steps {
            let x = self.input.1(&normal(self.input.0));
            let y = (self.target)(&x);
            let (plain_x, plain_y) = (double(&x), double(&y));
            let pass = network.forward(&x).unwrap();
            let report = learner.step(&mut network, &pass, &self.likelihood, &y).unwrap();
            let loss = reference.step(
                |body, buffers| (self.plain.features)(body, buffers, &plain_x),
                |out| (self.plain.log_prob)(out, &plain_y),
                &Tensor::from(1.0),
                (self.plain.factor)(step),
                self.plain.observations,
            );
            let found = saved(&network);
            let mut differences = vec![("loss".into(), (report.loss() - loss).abs() / loss.abs().max(1.0))];
            for (name, value) in &reference.body {
                differences.push((name.clone(), relative_difference(&found(&format!("body.{name}")), value)));
            }
            for (j, head) in reference.heads.iter().enumerate() {
                for (name, value) in &head.values {
                    let found = found(&format!("heads.{name}")).get(j as i64);
                    differences.push((format!("head {j} {name}"), relative_difference(&found, value)));
                }
            }
            for (a, expected) in learner.posterior().iter().zip(reference.switch.posterior()) {
                differences.push(("a".into(), (a - expected).abs()));
            }
            for (name, difference) in differences {
                assert!(difference.is_finite(), "{name} at step {step}: {difference}");
                if difference > largest.1 {
                    largest = (format!("{name} at step {step}"), difference);
                }
            }
        }
        largest
    }

    fn reference(&self, network: &Network<B>) -> Reference {
        let saved = saved(network);
        let lr_range = self.method.lr_range;
        let (low, high) = (lr_range.min(), lr_range.max());
        let mut rng = stream(3, "rates");
        // log eta is uniform between log eta_min and log eta_max (section 4.1)
        let rates = std::iter::repeat_with(move || low * (high / low).powf(rng.random::<f64>()));
        let body = self.plain.names.iter().map(|name| (name.to_string(), saved(&format!("body.{name}"))));
        let part = |name: &str, j| (name.to_string(), saved(&format!("heads.{name}")).get(j).copy());
        let heads = (0..self.method.num_heads).map(|j| ["weight", "bias"].map(|name| part(name, j)).into()).collect();
        let rule = match self.method.rule {
            optimizer::UpdateRule::Sgd(rule) => {
                Rule::Sgd { momentum: rule.momentum, nesterov: rule.nesterov, weight_decay: rule.weight_decay }
            }
            optimizer::UpdateRule::Adam(_) => Rule::Adam,
        };
        let units = (self.plain.units)();
        let mut reference = Reference::new(body.collect(), units, rates, (heads, linear), (low, high), rule);
        reference.max_relative_update = self.method.max_relative_update;
        reference
    }
}

/// Returns copies, in f64, of a network's saved tensors, by name.
fn saved<B>(network: &Network<B>) -> impl Fn(&str) -> Tensor + use<B> {
    let mut tensors = StateDict::default();
    network.save("network", &mut tensors);
    move |name| {
        let of_rank = |rank: usize| tensors.get(&format!("network.{name}"), &vec![-1; rank]).ok();
        double((0..=4).find_map(of_rank).unwrap_or_else(|| panic!("no {name}")))
    }
}

/// Converts floating-point tensors to f64; copies classes.
fn double(tensor: &Tensor) -> Tensor {
    if tensor.kind() == Kind::Int64 { tensor.copy() } else { tensor.to_kind(Kind::Double) }
}

fn relative_difference(found: &Tensor, expected: &Tensor) -> f64 {
    let largest = |tensor: &Tensor| tensor.abs().max().double_value(&[]);
    assert_eq!(found.size(), expected.size());
    largest(&(found - expected)) / largest(expected).max(1e-3)
}
