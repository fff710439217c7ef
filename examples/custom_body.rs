//! A custom body for the Q-network, with a layer of its own whose units have learning rates like any others.
//!
//! `cargo run --release --example custom_body -- train cartpole --set agent.network.body=fourier`

use std::process::ExitCode;

use alrao::App;
use alrao::agents::q_network::QNetworkSettings;
use alrao::core::layers::{Body, Linear};
use alrao::core::parameters::{Init, ParameterBuilder, ParameterId, Weights};
use alrao::core::tch::Tensor;

/// `cos(F x + phase)`, a cosine for each unit. A unit's frequencies and its phase learn at one rate.
struct Cosines {
    frequencies: ParameterId,
    phases: ParameterId,
}

impl Cosines {
    fn new(builder: &mut ParameterBuilder, inputs: i64, units: i64) -> Self {
        let frequencies = builder.add("frequencies", &[units, inputs], Init::Uniform(2.0));
        let phases = builder.add("phases", &[units], Init::Uniform(std::f64::consts::PI));
        builder.add_units(units, &[(frequencies, inputs), (phases, 1)]); // each has a row of F and one phase
        Cosines { frequencies, phases }
    }

    /// `[B, inputs] -> [B, units]`
    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        (x.matmul(&weights[self.frequencies].tr()) + &weights[self.phases]).cos()
    }
}

/// A layer of cosines, then a ReLU layer.
struct Fourier {
    cosines: Cosines,
    hidden: Linear,
    features: i64,
}

impl Fourier {
    fn new(builder: &mut ParameterBuilder, inputs: i64, settings: &QNetworkSettings) -> Self {
        let units = settings.hidden_sizes[0];
        let cosines = builder.scope("cosines", |builder| Cosines::new(builder, inputs, units));
        let hidden = builder.scope("hidden", |builder| Linear::new(builder, units, units));
        Fourier { cosines, hidden, features: units }
    }
}

impl Body for Fourier {
    fn features(&self) -> i64 {
        self.features
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        self.hidden.forward(weights, &self.cosines.forward(weights, x)).relu()
    }

    fn same_in_train_and_eval(&self) -> bool {
        true // no noise, no batch statistics
    }
}

/// The built-in environments, with the body `fourier` beside the built-in ones.
pub fn app() -> App {
    App::new().body("fourier", Fourier::new)
}

#[allow(dead_code)] // the tests call `app`
fn main() -> ExitCode {
    app().main()
}
