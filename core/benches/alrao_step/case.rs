//! A network with the three implementations of its training step that are compared.

use std::time::{Duration, Instant};

use alrao_core::layers::Body;
use alrao_core::learner::Learner;
use alrao_core::likelihood::Likelihood;
use alrao_core::method::Method;
use alrao_core::network::Network;
use alrao_core::parameters::ParameterBuilder;
use alrao_core::streams::stream;
use tch::nn::{self, OptimizerConfig};
use tch::{Device, Kind, Tensor};

/// One training step.
type Step = Box<dyn FnMut()>;

/// Learning rate of SGD.
const ETA: f64 = 1e-3;

/// A network, its batch and the measured times.
pub struct Case {
    pub name: &'static str,
    /// Alrao, SGD by this crate, SGD by tch
    steps: [Step; 3],
    times: [Vec<Duration>; 3],
}

impl Case {
    /// Creates the case of predicting `target` from `x` with the body that `body` makes and `outputs` outputs; `plain`
    /// makes the same network from tch's layers and returns a function that computes the loss.
    pub fn new<B, L, F>(
        name: &'static str,
        body: impl Fn(&mut ParameterBuilder) -> B,
        outputs: i64,
        (x, likelihood, target): (Tensor, L, Tensor),
        plain: impl FnOnce(nn::Path) -> F,
    ) -> Self
    where
        B: Body + 'static,
        L: Likelihood<Target = Tensor> + Copy + 'static,
        F: Fn(&Tensor, &Tensor) -> Tensor + 'static,
    {
        let ours = |method: Method| -> Step {
            let float = (Kind::Float, Device::Cpu);
            let network = Network::new(&body, method.num_heads, outputs, &mut stream(0, "weights"), float);
            let mut network = network.expect("a network");
            let mut learner = Learner::new(&method, &network, &mut stream(0, "rates")).expect("a learner");
            let (x, target) = (x.shallow_clone(), target.shallow_clone());
            Box::new(move || {
                let pass = network.forward(&x).unwrap();
                learner.step(&mut network, &pass, &likelihood, &target).expect("a step");
            })
        };
        let variables = nn::VarStore::new(Device::Cpu);
        let loss = plain(variables.root());
        let mut sgd = nn::Sgd::default().build(&variables, ETA).expect("an optimizer");
        let by_tch = {
            let (x, target) = (x.shallow_clone(), target.shallow_clone());
            Box::new(move || sgd.backward_step(&loss(&x, &target)))
        };
        let steps: [Step; 3] = [ours(Method::alrao()), ours(Method::sgd(ETA).expect("a rate")), by_tch];
        Case { name, steps, times: Default::default() }
    }

    /// Makes a step of each and returns the time of Alrao's.
    pub fn round(&mut self) -> Duration {
        for (step, times) in self.steps.iter_mut().zip(&mut self.times) {
            let start = Instant::now();
            step();
            times.push(start.elapsed());
        }
        *self.times[0].last().expect("just measured")
    }

    /// Returns the median time of each step in milliseconds, if any was measured.
    pub fn milliseconds(&self) -> Option<[f64; 3]> {
        let median = |times: &Vec<Duration>| {
            let mut times = times.clone();
            times.sort();
            times[times.len() / 2].as_secs_f64() * 1e3
        };
        (!self.times[0].is_empty()).then(|| [0, 1, 2].map(|i| median(&self.times[i])))
    }
}

/// Returns standard normal numbers of a fixed seed.
pub fn numbers(shape: &[i64]) -> Tensor {
    use rand_distr::{Distribution, StandardNormal};
    let n = shape.iter().product::<i64>() as usize;
    let values: Vec<f32> = StandardNormal.sample_iter(stream(0, "batch")).take(n).collect();
    Tensor::from_slice(&values).view(shape)
}

/// Returns `n` classes below `classes`.
pub fn classes(n: i64, classes: i64) -> Tensor {
    (Tensor::arange(n, (Kind::Int64, Device::Cpu)) * 7).remainder(classes)
}
