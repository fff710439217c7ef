//! The multilayer perceptron.

use alrao_core::layers::Mlp;
use alrao_core::likelihood::Huber;
use alrao_core::method::Method;
use alrao_core::parameters::ParameterBuilder;
use tch::{Kind, Tensor};

use crate::reference::{Units, Values};
use crate::{Case, Plain};

fn build(builder: &mut ParameterBuilder) -> Mlp {
    Mlp::new(builder, 5, &[16, 12])
}

const PLAIN: Plain = Plain {
    names: &["layer0.weight", "layer0.bias", "layer1.weight", "layer1.bias"],
    units: || {
        let layer = |count, weight, bias| Units { count, parameters: vec![(weight, 0), (bias, 0)] };
        vec![layer(16, "layer0.weight", "layer0.bias"), layer(12, "layer1.weight", "layer1.bias")]
    },
    features: |body, _, x| {
        let z = layer(body, "layer0", x);
        layer(body, "layer1", &z)
    },
    log_prob: |_, _| unreachable!("named by each case"),
    factor: |_| 1.0,
};

fn layer(body: &Values, name: &str, x: &Tensor) -> Tensor {
    let z = x.matmul(&body[&format!("{name}.weight")].tr()) + &body[&format!("{name}.bias")];
    let mean = z.mean_dim([1].as_slice(), true, Kind::Double);
    let variance = (&z - &mean).square().mean_dim([1].as_slice(), true, Kind::Double);
    ((z - mean) / (variance + 1e-5).sqrt()).clamp_min(0.0)
}

/// Of all outputs together; `h(u)` is `u^2/2` up to 1 and `|u| - 1/2` from there on.
fn huber(out: &Tensor, y: &Tensor) -> Tensor {
    let sigma = 0.5f64;
    let u = ((out - y) / sigma).abs();
    let h = (u.square() / 2.0).where_self(&u.le(1.0), &(&u - 0.5));
    let z = (2.0 * std::f64::consts::PI).sqrt() * 0.682_689_492_137_085_9 + 2.0 * (-0.5f64).exp();
    -(h + (z * sigma).ln()).sum_dim_intlist([1].as_slice(), false, Kind::Double)
}

fn regressor(method: Method) -> Case<Mlp, Huber> {
    Case {
        build,
        outputs: 3,
        likelihood: Huber { sigma: 0.5 },
        target: |random| random.shallow_clone(),
        input: &[5],
        method,
        plain: Plain { log_prob: huber, ..PLAIN },
    }
}

#[test]
fn regression() {
    let case = regressor(Method::alrao());
    eprintln!("{:e}", case.largest_difference(Kind::Double));
    eprintln!("{:e}", case.largest_difference(Kind::Float));
}
