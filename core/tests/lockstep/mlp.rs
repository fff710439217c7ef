//! The multilayer perceptron with each likelihood, each update rule, a schedule, and summed evidence.

use std::f64::consts::PI;

use alrao_core::layers::Mlp;
use alrao_core::likelihood::{Categorical, Gaussian, Huber};
use alrao_core::method::{Evidence, Method};
use alrao_core::optimizer::{AdamSettings, Decay, LrSchedule, SgdSettings, UpdateRule};
use alrao_core::parameters::ParameterBuilder;
use tch::{Kind, Tensor};

use crate::densities::{SIGMA, classes, classify, gaussian, huber};
use crate::reference::{Units, Values};
use crate::{Case, Plain};

fn build(builder: &mut ParameterBuilder) -> Mlp {
    Mlp::new(builder, 5, &[9, 4], 1.0)
}

const PLAIN: Plain = Plain {
    names: &["layer0.weight", "layer0.bias", "layer1.weight", "layer1.bias"],
    units: || {
        let layer = |count, weight, bias| Units { count, parameters: vec![(weight, 0), (bias, 0)] };
        vec![layer(9, "layer0.weight", "layer0.bias"), layer(4, "layer1.weight", "layer1.bias")]
    },
    features: |body, _, x| {
        let z = layer(body, "layer0", x);
        layer(body, "layer1", &z)
    },
    log_prob: classify,
    factor: |_| 1.0,
    observations: 1.0,
};

fn layer(body: &Values, name: &str, x: &Tensor) -> Tensor {
    let z = x.matmul(&body[&format!("{name}.weight")].tr()) + &body[&format!("{name}.bias")];
    let mean = z.mean_dim([1].as_slice(), true, Kind::Double);
    let variance = (&z - &mean).square().mean_dim([1].as_slice(), true, Kind::Double);
    let relu = ((z - mean) / (variance + 1e-5).sqrt()).clamp_min(0.0);
    // the mean and standard deviation of the ReLU of a standard normal variable
    (relu - (2.0 * PI).sqrt().recip()) / ((1.0 - PI.recip()) / 2.0).sqrt()
}

fn regressor<L>(likelihood: L, log_prob: fn(&Tensor, &Tensor) -> Tensor, method: Method) -> Case<Mlp, L> {
    Case {
        build,
        outputs: 3,
        likelihood,
        input: (&[8, 5], Tensor::shallow_clone),
        // errors are about as large as sigma, so both parts of Huber's density occur
        target: |x| x.narrow(1, 0, 3) * 1.5 * SIGMA,
        method,
        plain: Plain { log_prob, ..PLAIN },
    }
}

fn classifier(method: Method) -> Case<Mlp, Categorical> {
    Case { target: |x| classes(&x.narrow(1, 0, 3)), ..regressor(Categorical, classify, method) }
}

#[test]
fn classification() {
    classifier(Method::alrao()).check();
}

#[test]
fn huber_regression() {
    regressor(Huber { sigma: SIGMA }, huber, Method::alrao()).check();
}

#[test]
fn gaussian_regression() {
    regressor(Gaussian { sigma: SIGMA }, gaussian, Method::alrao()).check();
}

#[test]
fn momentum_and_weight_decay() {
    for nesterov in [false, true] {
        let rule = UpdateRule::Sgd(SgdSettings { momentum: 0.9, nesterov, weight_decay: 0.01 });
        classifier(Method { rule, ..Method::alrao() }).check();
    }
}

#[test]
fn adam() {
    let rule = UpdateRule::Adam(AdamSettings::default());
    classifier(Method { rule, ..Method::alrao() }).check();
}

#[test]
fn learning_rate_schedule() {
    let schedule = LrSchedule { warm_up: 10, decay: Decay::Step { every: 7, factor: 0.5 } };
    let mut case = classifier(Method { lr_schedule: schedule, ..Method::alrao() });
    // from update 0: 0.1 of the learning rates, then 0.2, ...
    case.plain.factor = |t| ((t + 1) as f64 / 10.0).min(1.0) * 0.5f64.powi((t / 7) as i32);
    case.check();
}

#[test]
fn bounded_updates() {
    let schedule = LrSchedule { warm_up: 10, decay: Decay::Constant };
    let sgd = |momentum| UpdateRule::Sgd(SgdSettings { momentum, nesterov: false, weight_decay: 0.01 });
    for rule in [sgd(0.0), sgd(0.9), UpdateRule::Adam(AdamSettings::default())] {
        let mut case =
            classifier(Method { max_relative_update: Some(1e-3), lr_schedule: schedule, rule, ..Method::alrao() });
        case.plain.factor = |t| ((t + 1) as f64 / 10.0).min(1.0);
        case.check();
    }
}

#[test]
fn evidence_summed_over_the_batch() {
    let mut case = classifier(Method { evidence: Evidence::Sum, ..Method::alrao() });
    case.plain.observations = 8.0;
    case.check();
}
