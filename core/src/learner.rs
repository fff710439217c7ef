//! One step of learning (paper, Algorithm 1, lines 8 to 13).
//!
//! | part | learns from | at |
//! |---|---|---|
//! | body | the mixture's loss `-log sum_j a_j p_j(y given x)`, Equation 2 | each unit's own `eta` |
//! | head j | its own loss `-log p_j(y given x)`, Equation 3, none of it reaching the body | `eta_j` |
//! | `a` | the heads' log-likelihoods, by the Switch | |
//!
//! Both losses differentiate the same outputs: with `g_j` the gradient of `-log p_j` with respect to `out_j`, the
//! mixture's is `r_j g_j`, where `r_j = a_j p_j / sum_i a_i p_i` is head j's responsibility for the sample.

use rand_distr::Distribution;
use tch::{Kind, Tensor};

use crate::Error;
use crate::layers::Body;
use crate::likelihood::Likelihood;
use crate::network::{Network, Pass};
use crate::optimizer::{Adam, Optimizer, Sgd};
use crate::rates::RateInterval;
use crate::streams::Stream;
use crate::switch::Switch;
use crate::tensors::Tensors;

/// How a network learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Method {
    /// Random learning rates: one a unit, and K heads with a rate each.
    Alrao {
        /// Where the rates come from.
        interval: RateInterval,
        /// K, the number of heads.
        heads: i64,
    },
    /// Stochastic gradient descent with one rate and one head.
    Sgd {
        /// The rate.
        eta: f64,
    },
    /// Adam with one rate and one head.
    Adam {
        /// The rate.
        eta: f64,
    },
}

impl Default for Method {
    /// The paper's: rates from `[1e-5, 10]`, 10 heads.
    fn default() -> Self {
        Method::Alrao { interval: RateInterval::default(), heads: 10 }
    }
}

impl Method {
    /// K, the number of heads that the network needs.
    pub fn heads(&self) -> i64 {
        match self {
            Method::Alrao { heads, .. } => *heads,
            Method::Sgd { .. } | Method::Adam { .. } => 1,
        }
    }

    /// The interval of rates; a baseline's is a single point.
    fn interval(&self) -> Result<RateInterval, Error> {
        match *self {
            Method::Alrao { interval, .. } => Ok(interval),
            Method::Sgd { eta } | Method::Adam { eta } => RateInterval::new(eta, eta),
        }
    }

    fn optimizer(&self, eta: &Tensor) -> Box<dyn Optimizer> {
        match self {
            Method::Alrao { .. } | Method::Sgd { .. } => Box::new(Sgd::new(eta)),
            Method::Adam { .. } => Box::new(Adam::new(eta)),
        }
    }
}

/// Learning rates and everything else that learning remembers from step to step.
pub struct Learner {
    body: Box<dyn Optimizer>,
    heads: Box<dyn Optimizer>,
    /// `eta_j`, `[K]`
    head_rates: Vec<f64>,
    switch: Switch,
    updates: u64,
}

/// What a step saw before it changed anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The mixture's loss, `-log sum_j a_j p_j(y|x)`, mean of the batch, in nats.
    pub loss: f64,
    /// `log p_j(y|x)`, mean of the batch, `[K]`, in nats.
    pub log_evidence: Vec<f64>,
}

impl Learner {
    /// A learner for this network; units' rates are drawn from `rng`.
    ///
    /// # Errors
    /// [`Error::RateInterval`] if the method's rates are not positive numbers.
    pub fn new<B: Body>(method: &Method, network: &Network<B>, rng: &mut Stream) -> Result<Self, Error> {
        let interval = method.interval()?;
        let unit_rates: Vec<f64> = interval.sample_iter(rng).take(network.parameters().units()).collect();
        let head_rates = interval.spaced(network.heads().k() as usize);
        Ok(Learner {
            body: method.optimizer(&network.parameters().spread(&unit_rates)),
            heads: method.optimizer(&network.heads().parameters().spread(&head_rates)),
            switch: Switch::new(head_rates.len()),
            head_rates,
            updates: 0,
        })
    }

    /// Learns from one batch.
    ///
    /// # Errors
    /// [`Error::Diverged`] if the loss is not finite; the network is as it was.
    pub fn step<B: Body, L: Likelihood>(
        &mut self,
        network: &mut Network<B>,
        pass: &Pass,
        likelihood: &L,
        target: &L::Target,
    ) -> Result<Report, Error> {
        let batch = pass.out.size()[1] as f64;
        let log_p = likelihood.log_prob(&pass.out, target); // [K, B]
        let joint = &log_p + network.a().log().unsqueeze(1); // [K, B]
        let log_mixture = joint.logsumexp([0].as_slice(), true); // [1, B]
        let report = Report {
            loss: -log_mixture.mean(Kind::Double).double_value(&[]),
            log_evidence: to_vec(&log_p.mean_dim([1].as_slice(), false, Kind::Double)),
        };
        if !report.loss.is_finite() {
            return Err(Error::Diverged { loss: report.loss, update: self.updates });
        }

        let responsibility = (joint - log_mixture).exp_(); // [K, B]
        let own = likelihood.gradient(&pass.out, target) / batch; // [K, B, A]
        let heads_gradient = network.heads().parameter_gradient(&pass.z.detach(), &own); // [P]
        let z_gradient = network.heads().feature_gradient(&(own * responsibility.unsqueeze(-1))); // [B, H]
        let surrogate = (&pass.z * z_gradient).sum(None::<Kind>);
        let body_gradient = Tensor::run_backward(&[surrogate], &[&pass.theta], false, false).remove(0); // [P]

        self.body.step(network.parameters_mut().theta_mut(), &body_gradient);
        self.heads.step(network.heads_mut().parameters_mut().theta_mut(), &heads_gradient);
        self.switch.update(&report.log_evidence);
        network.set_a(&self.switch.weights());
        self.updates += 1;
        Ok(report)
    }

    /// The learning rate `eta_j` of each head, `[K]`.
    pub fn head_rates(&self) -> &[f64] {
        &self.head_rates
    }

    /// The Switch's posterior over the heads, `[K]`.
    pub fn posterior(&self) -> Vec<f64> {
        self.switch.weights()
    }

    /// Steps made so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Adds everything learning remembers, as `prefix.*`.
    pub fn save(&self, prefix: &str, tensors: &mut Tensors) {
        self.body.save(&format!("{prefix}.body"), tensors);
        self.heads.save(&format!("{prefix}.heads"), tensors);
        tensors.insert_slice(format!("{prefix}.switch"), &self.switch.state());
        tensors.insert_slice(format!("{prefix}.updates"), &[self.updates as i64]);
    }

    /// Takes back what was saved.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the tensors are of another learner.
    pub fn load(&mut self, prefix: &str, tensors: &Tensors) -> Result<(), Error> {
        let k = self.head_rates.len();
        let state = tensors.get_vec::<f64>(&format!("{prefix}.switch"), 2 * k as i64 + 1)?;
        self.body.load(&format!("{prefix}.body"), tensors)?;
        self.heads.load(&format!("{prefix}.heads"), tensors)?;
        self.switch = Switch::from_state(k, &state).expect("the length was checked");
        self.updates = tensors.get_vec::<i64>(&format!("{prefix}.updates"), 1)?[0] as u64;
        Ok(())
    }
}

fn to_vec(tensor: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(tensor).expect("a vector of f64")
}
