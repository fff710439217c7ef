//! A network and the three ways to learn with it that are compared.

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

/// One step of learning.
type Step = Box<dyn FnMut()>;

/// The rate of SGD.
const ETA: f64 = 1e-3;

/// A network with its batch.
pub struct Case {
    pub name: &'static str,
    /// Alrao, SGD by the same code, SGD by tch alone
    steps: [Step; 3],
    times: [Vec<Duration>; 3],
}

impl Case {
    /// Learning to predict `target` from `x` with the body that `body` makes and `outputs` outputs; `plain` makes the
    /// whole network of tch's own layers, from an input to a loss.
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

    /// A step of each; the time of Alrao's.
    pub fn round(&mut self) -> Duration {
        for (step, times) in self.steps.iter_mut().zip(&mut self.times) {
            let start = Instant::now();
            step();
            times.push(start.elapsed());
        }
        *self.times[0].last().expect("just measured")
    }

    /// The median step of each, if there were any.
    pub fn milliseconds(&self) -> Option<[f64; 3]> {
        let median = |times: &Vec<Duration>| {
            let mut times = times.clone();
            times.sort();
            times[times.len() / 2].as_secs_f64() * 1e3
        };
        (!self.times[0].is_empty()).then(|| [0, 1, 2].map(|i| median(&self.times[i])))
    }
}

/// Some numbers, normal with mean 0 and deviation 1, always the same.
pub fn numbers(shape: &[i64]) -> Tensor {
    use rand_distr::{Distribution, StandardNormal};
    let n = shape.iter().product::<i64>() as usize;
    let values: Vec<f32> = StandardNormal.sample_iter(stream(0, "batch")).take(n).collect();
    Tensor::from_slice(&values).view(shape)
}

/// `n` classes out of `classes`.
pub fn classes(n: i64, classes: i64) -> Tensor {
    (Tensor::arange(n, (Kind::Int64, Device::Cpu)) * 7).remainder(classes)
}
