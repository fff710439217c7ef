//! Alrao for supervised networks of your own, without a learning rate: a regression and a classification.
//!
//! `cargo run --release --example supervised` takes a few seconds.

use alrao::core::Error;
use alrao::core::layers::Mlp;
use alrao::core::learner::Learner;
use alrao::core::likelihood::{Categorical, Gaussian};
use alrao::core::method::Method;
use alrao::core::network::Network;
use alrao::core::parameters::ParameterBuilder;
use alrao::core::streams::stream;
use alrao::core::tch::{Device, Kind, Tensor};

const KIND: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Points in the square from -1 to 1, `[n, 2]`.
fn points(n: i64, seed: u64) -> Tensor {
    use rand::RngExt;
    let mut rng = stream(seed, "points");
    let numbers: Vec<f32> = (0..2 * n).map(|_| rng.random_range(-1.0..1.0)).collect();
    Tensor::from_slice(&numbers).view([n, 2])
}

/// An MLP with two hidden layers of 64 units, ten heads of `outputs` outputs, and what it learns by.
fn network(outputs: i64) -> Result<(Network<Mlp>, Learner), Error> {
    let method = Method::alrao();
    let body = |builder: &mut ParameterBuilder| Mlp::new(builder, 2, &[64, 64], 1.0);
    let network = Network::new(body, method.num_heads, outputs, &mut stream(0, "weights"), KIND)?;
    let learner = Learner::new(&method, &network, &mut stream(0, "rates"))?;
    Ok((network, learner))
}

/// Fits `sin(3 x) y`; returns the mean squared error on new points.
pub fn regression(updates: u64) -> Result<f64, Error> {
    let truth = |x: &Tensor| (x.select(1, 0) * 3.0).sin() * x.select(1, 1); // [n]
    let (mut network, mut learner) = network(1)?;
    for update in 0..updates {
        let x = points(64, update);
        let pass = network.forward(&x)?;
        learner.step(&mut network, &pass, &Gaussian { sigma: 1.0 }, &truth(&x).view([64, 1]))?;
    }
    let x = points(1000, u64::MAX);
    let error = network.mean(&x)?.view([1000]) - truth(&x);
    Ok((&error * &error).mean(Kind::Double).double_value(&[]))
}

/// Tells in which quadrant of the square a point lies; returns the accuracy on new points.
pub fn classification(updates: u64) -> Result<f64, Error> {
    let class = |x: &Tensor| {
        let right = x.select(1, 0).gt(0.0).to_kind(Kind::Int64);
        right * 2 + x.select(1, 1).gt(0.0).to_kind(Kind::Int64) // [n]
    };
    let (mut network, mut learner) = network(4)?;
    for update in 0..updates {
        let x = points(64, update);
        let pass = network.forward(&x)?;
        learner.step(&mut network, &pass, &Categorical, &class(&x))?;
    }
    let x = points(1000, u64::MAX);
    let probabilities = Categorical.probabilities(&network.outputs(&x)?, network.a()); // [1000, 4]
    Ok(probabilities.argmax(1, false).eq_tensor(&class(&x)).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]))
}

#[allow(dead_code)] // the tests call the functions above
fn main() -> Result<(), Error> {
    println!("mean squared error {:.4}", regression(2000)?);
    println!("accuracy {:.3}", classification(2000)?);
    Ok(())
}
