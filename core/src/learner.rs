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

use rand::RngExt;
use rand_distr::Distribution;
use tch::{Kind, Tensor};

use crate::Error;
use crate::averaging::{History, ModelAveraging};
use crate::clip::GradClip;
use crate::divergence::{DivergenceMonitor, UpdateGate};
use crate::guard::{FiniteHeads, UnitGuard};
use crate::likelihood::{Likelihood, mixture};
use crate::lr_diagnostics::{LrDiagnostics, exploded_units};
use crate::method::Method;
use crate::network::{ForwardPass, Network};
use crate::optimizer::Optimizer;
use crate::parameters::{Parameters, Weights};
use crate::rates::LrGranularity;
use crate::state_dict::StateDict;
use crate::streams::{Stream, stream};
use crate::units::Units;

/// Learning rates and everything else that learning remembers from step to step.
pub struct Learner {
    method: Method,
    body: ParamGroup,
    heads: ParamGroup,
    averaging: Box<dyn ModelAveraging>,
    history: History,
    /// the size each unit of the body began with, `[units]`
    initial_rms: Vec<f64>,
    updates: u64,
    monitor: DivergenceMonitor,
    /// what rates that are drawn at each step derive from
    rates_seed: u64,
}

/// The part of learning that the body and the heads do alike.
struct ParamGroup {
    optimizer: Box<dyn Optimizer>,
    guard: Option<UnitGuard>,
    clip: Option<GradClip>,
    /// where gradients are written: a flat tensor and its part for each parameter
    grad_buffer: (Tensor, Weights),
}

/// What a step has seen before it differentiates anything.
struct BatchEvaluation {
    /// `g_j`, the gradient of each head's own `-log p_j` with respect to its outputs, `[K, B, A]`
    g: Tensor,
    /// `r_j`, how responsible each head is for each sample, `[K, B, 1]`; a single head has all of it
    r: Option<Tensor>,
    /// as in the [`Report`]
    loss: Tensor,
    log_evidence: Tensor,
    /// the heads that have a part in the step
    finite_heads: FiniteHeads,
    /// whether anything may move
    apply_update: UpdateGate,
}

/// What a step moves along; flat, `[P]` each.
struct Gradients {
    body: Tensor,
    heads: Tensor,
}

/// What a step saw before it changed anything. The numbers stay on the device until they are asked for.
#[derive(Debug)]
pub struct Report {
    /// The mixture's loss, `-log sum_j a_j p_j(y|x)`, mean of the batch, in nats; `[]`.
    pub loss: Tensor,
    /// `log p_j(y|x)`, mean or sum of the batch, in nats; `[K]` f64.
    pub log_evidence: Tensor,
}

impl Report {
    /// The loss as a number; waits for the device.
    pub fn loss(&self) -> f64 {
        self.loss.double_value(&[])
    }
}

impl Learner {
    /// A learner for this network; units' rates are drawn from `rng`.
    ///
    /// # Errors
    /// [`Error::HeadCount`] if the network has another number of heads than the method.
    pub fn new<B>(method: &Method, network: &Network<B>, rng: &mut Stream) -> Result<Self, Error> {
        let (k, expected) = (network.heads().k(), method.num_heads);
        if k != expected {
            return Err(Error::HeadCount { expected, found: k });
        }
        let (body, heads) = (network.parameters(), network.heads().parameters());
        let rates_seed = rng.clone().random();
        let mut draw = |count| method.lr_range.sample_iter(&mut *rng).take(count).collect::<Vec<f64>>();
        let (unit_rates, body_rates) = match method.lr_per {
            LrGranularity::Unit | LrGranularity::UnitResampled => {
                let rates = draw(body.units());
                let spread = body.broadcast(&rates);
                (rates, spread)
            }
            LrGranularity::Parameter => {
                let theta = body.theta();
                let rates = Tensor::from_slice(&draw(theta.numel())).to_kind(theta.kind()).to_device(theta.device());
                (vec![method.lr_range.max(); body.units()], rates)
            }
        };
        let head_rates = method.lr_range.log_spaced(k as usize);
        let group = |parameters: &Parameters, rates: &Tensor, clip| ParamGroup {
            optimizer: method.rule.build(rates),
            guard: method.guarded.then(|| UnitGuard::new(parameters.units())),
            clip,
            grad_buffer: parameters.grad_buffer(),
        };
        Ok(Learner {
            body: group(body, &body_rates, method.max_grad_norm.map(GradClip::global)),
            heads: group(
                heads,
                &heads.broadcast(&head_rates),
                method.max_grad_norm.map(|max_norm| clip_each_head(max_norm, heads)),
            ),
            averaging: method.averaging.build(k, body.theta().device()),
            history: History::default(),
            initial_rms: body.unit_rms(),
            updates: 0,
            rates_seed,
            monitor: DivergenceMonitor::new(method.guarded, &unit_rates, body.theta().device()),
            method: method.clone(),
        })
    }

    /// Learns from one batch.
    ///
    /// # Errors
    /// The network's parameters are as they were, and stay so, if
    /// - the method isn't guarded and the loss is not finite ([`Error::Diverged`]);
    /// - it is, and no head has a finite likelihood ([`Error::NoFiniteHead`]), or already the features are not finite
    ///   ([`Error::NoFiniteFeatures`]);
    /// - the target doesn't fit the outputs ([`Error::Shape`]).
    ///
    /// On a GPU the error may come some steps later.
    pub fn step<B, L: Likelihood>(
        &mut self,
        network: &mut Network<B>,
        pass: &ForwardPass,
        likelihood: &L,
        target: &L::Target,
    ) -> Result<Report, Error> {
        let mut evaluation = self.evaluate(network, pass, likelihood, target)?;
        let gradients = self.differentiate(network, pass, &mut evaluation);
        self.apply(network, gradients, &evaluation);
        Ok(Report { loss: evaluation.loss, log_evidence: evaluation.log_evidence })
    }

    /// What the heads predict at `z` (line 8), and what that says about each of them.
    fn evaluate<B, L: Likelihood>(
        &mut self,
        network: &Network<B>,
        pass: &ForwardPass,
        likelihood: &L,
        target: &L::Target,
    ) -> Result<BatchEvaluation, Error> {
        likelihood.check(&pass.out, target)?;
        let (log_p, g) = likelihood.log_prob_and_gradient(&pass.out, target); // [K, B], [K, B, A]
        let log_evidence = self.method.evidence.of(&log_p); // [K]
        let finite_heads = FiniteHeads::new(self.method.guarded, &log_evidence);
        let (log_p, log_evidence) =
            (finite_heads.mask(log_p, f64::NEG_INFINITY), finite_heads.mask(log_evidence, f64::NEG_INFINITY));
        let (log_mixture, r) = if network.heads().k() == 1 {
            (log_p, None)
        } else {
            let a = if finite_heads.all() { network.a().shallow_clone() } else { self.averaging.weights() };
            let (log_mixture, r) = mixture(&log_p, &a); // [B], [K, B]
            (log_mixture, Some(r.unsqueeze(-1)))
        };
        let loss = -log_mixture.mean(None::<Kind>);
        let maybe_non_finite = !(self.method.guarded && finite_heads.all());
        let apply_update = self.monitor.check(self.updates, maybe_non_finite, &loss, &pass.z)?;
        Ok(BatchEvaluation { g: finite_heads.mask(g, 0.0), r, loss, log_evidence, finite_heads, apply_update })
    }

    /// The gradients of both losses, means over the batch.
    fn differentiate<B>(
        &mut self,
        network: &Network<B>,
        pass: &ForwardPass,
        evaluation: &mut BatchEvaluation,
    ) -> Gradients {
        let (heads, batch) = (network.heads(), pass.out.size()[1] as f64);
        let BatchEvaluation { g, r, finite_heads, .. } = evaluation;

        // Equation 3: head j's, of -log p_j, where z is a constant
        heads.parameter_gradient(&pass.z.detach(), g, &self.heads.grad_buffer.1);
        let of_heads = self.heads.grad_buffer.0.g_div_scalar_(batch); // [P]

        // Equation 2: the body's, of -log sum_j a_j p_j, whose gradient with respect to out_j is r_j g_j. In place: where
        // there is a prediction at each time step, a new tensor of this size costs more than the product
        if let Some(r) = r {
            let _ = g.g_mul_(r);
        }
        let of_z = finite_heads.feature_gradient(heads, g).g_div_scalar_(batch); // [B, H]
        let of_body = pass.backward(of_z, &self.body.grad_buffer); // [P]

        Gradients { body: of_body, heads: of_heads }
    }

    /// Body and heads move, each unit and head at its own rate (lines 10 and 12), then the averaging weights (line 13).
    fn apply<B>(&mut self, network: &mut Network<B>, gradients: Gradients, evaluation: &BatchEvaluation) {
        self.resample_lrs(network.parameters());
        let factor = self.method.lr_schedule.factor(self.updates);
        self.body.step(network.parameters_mut(), gradients.body, &evaluation.apply_update, factor);
        self.heads.step(network.heads_mut().parameters_mut(), gradients.heads, &evaluation.apply_update, factor);
        if network.heads().k() > 1 {
            self.averaging.update(&evaluation.log_evidence);
            network
                .set_a(&evaluation.finite_heads.renormalize(self.averaging.weights()), !evaluation.finite_heads.all());
        }
        self.updates += 1;
        self.history.record(self.updates, || self.averaging.weights());
    }

    /// Other rates for the units, where each step has its own; those of the first were drawn at the beginning.
    fn resample_lrs(&mut self, body: &Parameters) {
        if self.method.lr_per == LrGranularity::UnitResampled && self.updates > 0 {
            let mut rng = stream(self.rates_seed, &format!("rates of update {}", self.updates));
            let rates: Vec<f64> = self.method.lr_range.sample_iter(&mut rng).take(body.units()).collect();
            self.body.optimizer.set_lrs(&body.broadcast(&rates));
        }
    }

    /// How the network learns.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The posterior over the heads, `[K]`; waits for the device.
    pub fn posterior(&self) -> Vec<f64> {
        to_vec(&self.averaging.weights())
    }

    /// The posterior over time.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Steps made so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// What the run says about learning rates.
    pub fn diagnose<B>(&self, network: &Network<B>) -> LrDiagnostics {
        LrDiagnostics::new(self.method.lr_range, self.posterior(), &self.rms_ratios(network))
    }

    /// Counts the units of the body that exploded, as [`LrDiagnostics`] counts them.
    pub fn exploded_units<B>(&self, network: &Network<B>) -> usize {
        exploded_units(&self.rms_ratios(network))
    }

    /// What became of every unit of the body, which began as that of `first`; `None` where units have no rates of their
    /// own, or they change from step to step.
    pub fn units<B>(&self, network: &Network<B>, first: &Network<B>) -> Option<Units> {
        let lr_range = self.method.lr_range;
        let own = self.method.lr_per == LrGranularity::Unit && lr_range.min() < lr_range.max();
        let (_, rates) = self.body.optimizer.state().into_iter().find(|(name, _)| own && *name == "minus_eta")?;
        Some(Units::new(network.parameters(), first.parameters(), &rates))
    }

    /// The size of each unit of the body as a multiple of that it began with, `[units]`.
    fn rms_ratios<B>(&self, network: &Network<B>) -> Vec<f64> {
        let sizes = network.parameters().unit_rms();
        sizes.iter().zip(&self.initial_rms).map(|(now, first)| now / first).collect()
    }

    /// Throws all heads away but the heaviest (paper, section 4.4), if it has at least this weight; says which it was
    /// then. The network's predictions change by no more than the weight that is dropped.
    pub fn prune_heads<B>(&mut self, network: &mut Network<B>, min_weight: f64) -> Option<i64> {
        let a = self.posterior();
        let best = (0..a.len()).max_by(|&i, &j| a[i].total_cmp(&a[j])).expect("a head");
        if a.len() == 1 || a[best] < min_weight {
            return None;
        }
        let kept = network.prune_to_head(best as i64);
        self.heads.optimizer.select(&kept);
        if let Some(guard) = &mut self.heads.guard {
            guard.reset(1);
        }
        self.heads.clip =
            self.method.max_grad_norm.map(|max_norm| clip_each_head(max_norm, network.heads().parameters()));
        self.heads.grad_buffer = network.heads().parameters().grad_buffer();
        let device = network.a().device();
        self.averaging = self.method.averaging.build(1, device);
        Some(best as i64)
    }

    /// Adds everything learning remembers of the network that it has been learning with, as `prefix.*`; what it
    /// remembers of a parameter by that parameter's name.
    pub fn save<B>(&self, network: &Network<B>, prefix: &str, tensors: &mut StateDict) {
        self.body.save(network.parameters(), &format!("{prefix}.body"), tensors);
        self.heads.save(network.heads().parameters(), &format!("{prefix}.heads"), tensors);
        self.averaging.save(&format!("{prefix}.averaging"), tensors);
        self.history.save(&format!("{prefix}.history"), tensors);
        tensors.insert_slice(format!("{prefix}.initial_rms"), &self.initial_rms);
        tensors.insert_slice(format!("{prefix}.updates"), &[self.updates as i64]);
    }

    /// Takes back what was saved.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the tensors are of another learner.
    pub fn load<B>(&mut self, network: &Network<B>, prefix: &str, tensors: &StateDict) -> Result<(), Error> {
        self.body.load(network.parameters(), &format!("{prefix}.body"), tensors)?;
        self.heads.load(network.heads().parameters(), &format!("{prefix}.heads"), tensors)?;
        self.averaging.load(&format!("{prefix}.averaging"), tensors)?;
        self.history = History::load(&format!("{prefix}.history"), tensors)?;
        self.initial_rms = tensors.get_vec(&format!("{prefix}.initial_rms"), self.initial_rms.len() as i64)?;
        self.updates = tensors.get_vec::<i64>(&format!("{prefix}.updates"), 1)?[0] as u64;
        Ok(())
    }
}

impl ParamGroup {
    fn save(&self, parameters: &Parameters, prefix: &str, tensors: &mut StateDict) {
        for (name, flat) in self.optimizer.state() {
            parameters.save_flat(&format!("{prefix}.{name}"), &flat, tensors);
        }
        tensors.insert_slice(format!("{prefix}.steps"), &[self.optimizer.steps()]);
    }

    fn load(&mut self, parameters: &Parameters, prefix: &str, tensors: &StateDict) -> Result<(), Error> {
        for (name, mut flat) in self.optimizer.state() {
            flat.copy_(&parameters.load_flat(&format!("{prefix}.{name}"), tensors)?);
        }
        self.optimizer.set_steps(tensors.get_vec::<i64>(&format!("{prefix}.steps"), 1)?[0]);
        Ok(())
    }

    fn step(&mut self, parameters: &mut Parameters, mut gradient: Tensor, apply_update: &UpdateGate, factor: f64) {
        if let Some(guard) = &mut self.guard {
            gradient = guard.zero_non_finite(gradient, || parameters.unit_of_element());
        }
        if let Some(clip) = &self.clip {
            gradient = clip.clip(gradient);
        }
        apply_update.apply(parameters.theta_mut(), |theta| self.optimizer.step(theta, &gradient, factor));
    }
}

/// A bound on each head's gradient.
fn clip_each_head(max_norm: f64, heads: &Parameters) -> GradClip {
    GradClip::per_unit(max_norm, &heads.unit_of_element(), heads.theta())
}

fn to_vec(a: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(a).expect("a vector of f64")
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::layers::Mlp;
    use crate::likelihood::Huber;
    use crate::rates::LrRange;

    const HUBER: Huber = Huber { sigma: 1.0 };

    fn network(k: i64) -> Network<Mlp> {
        let float = (Kind::Float, Device::Cpu);
        Network::new(|b| Mlp::new(b, 3, &[8, 8], 1.0), k, 2, &mut stream(0, "weights"), float).unwrap()
    }

    fn learner(method: &Method, network: &Network<Mlp>) -> Learner {
        Learner::new(method, network, &mut stream(0, "rates")).unwrap()
    }

    /// A batch of 5.
    fn batch() -> (Tensor, Tensor) {
        let numbers = |n: i64| (Tensor::arange(n, (Kind::Float, Device::Cpu)) * 0.7).sin();
        (numbers(15).view([5, 3]), numbers(10).view([5, 2]))
    }

    fn step(learner: &mut Learner, network: &mut Network<Mlp>) -> Result<Report, Error> {
        let (x, y) = batch();
        let pass = network.forward(&x).unwrap();
        learner.step(network, &pass, &HUBER, &y)
    }

    fn thetas(network: &Network<Mlp>) -> (Tensor, Tensor) {
        (network.parameters().theta().copy(), network.heads().parameters().theta().copy())
    }

    /// Spoils the parameters of head j.
    fn spoil_head(network: &Network<Mlp>, j: i64, value: f64) {
        let theta = network.heads().parameters().theta();
        let _ = theta.narrow(0, j * 2 * 8, 2 * 8).fill_(value);
    }

    #[test]
    fn a_spoilt_head_is_left_out_and_the_others_go_on() {
        for value in [f64::NAN, f64::INFINITY] {
            let mut network = network(4);
            let mut learner = learner(&Method { num_heads: 4, ..Method::alrao() }, &network);
            spoil_head(&network, 2, value);
            let before = thetas(&network);
            let report = step(&mut learner, &mut network).unwrap();
            assert!(report.loss().is_finite());
            assert_eq!(network.a().double_value(&[2]), 0.0);
            assert!((network.a().sum(Kind::Float).double_value(&[]) - 1.0).abs() < 1e-6);
            let (x, _) = batch();
            assert_eq!(network.mean(&x).unwrap().isfinite().all().int64_value(&[]), 1);
            let after = thetas(&network);
            let moved = |j: i64| after.1.narrow(0, j * 16, 16) != before.1.narrow(0, j * 16, 16);
            assert_eq!([moved(0), moved(1), moved(3)], [true; 3]);
            let finite = network.parameters().theta().isfinite().all().int64_value(&[]) == 1;
            assert!(finite && after.0 != before.0);
        }
    }

    /// What the guarded way computes where all is finite is what the unguarded way computes, to the bit.
    #[test]
    fn guards_change_nothing_where_all_is_finite() {
        let (mut free, mut guarded, mut lagging) = (network(4), network(4), network(4));
        let method = Method { num_heads: 4, ..Method::alrao() };
        let mut of_free = learner(&Method { guarded: false, ..method.clone() }, &free);
        let (mut of_guarded, mut of_lagging) = (learner(&method, &guarded), learner(&method, &lagging));
        of_lagging.monitor.defer_checks();
        for _ in 0..100 {
            step(&mut of_free, &mut free).unwrap();
            step(&mut of_guarded, &mut guarded).unwrap();
            step(&mut of_lagging, &mut lagging).unwrap();
        }
        assert_eq!(thetas(&free), thetas(&guarded));
        assert_eq!(thetas(&free), thetas(&lagging));
        assert_eq!(of_free.posterior(), of_guarded.posterior());
    }

    #[test]
    fn without_a_sound_head_the_step_says_so_and_changes_nothing() {
        let mut network = network(2);
        let mut learner = learner(&Method { num_heads: 2, ..Method::alrao() }, &network);
        (0..2).for_each(|j| spoil_head(&network, j, f64::NAN));
        let before = network.parameters().theta().copy();
        let error = step(&mut learner, &mut network).unwrap_err();
        assert!(matches!(&error, Error::NoFiniteHead { update: 0, largest_rates } if largest_rates.len() == 3));
        assert!(error.to_string().contains("update 0") && error.to_string().contains("lr_max"), "{error}");
        assert_eq!(network.parameters().theta(), &before);
    }

    #[test]
    fn features_that_are_no_numbers_are_told_from_heads() {
        let mut network = network(2);
        let mut learner = learner(&Method { num_heads: 2, ..Method::alrao() }, &network);
        let _ = network.parameters().theta().shallow_clone().fill_(f64::NAN);
        assert!(matches!(step(&mut learner, &mut network), Err(Error::NoFiniteFeatures { .. })));
    }

    #[test]
    fn an_unguarded_run_diverges() {
        let mut network = network(1);
        let mut learner = learner(&Method::sgd(1e30).unwrap(), &network);
        let diverged = (0..10).find_map(|_| step(&mut learner, &mut network).err());
        assert!(matches!(diverged, Some(Error::Diverged { .. })), "{diverged:?}");
    }

    /// The monitor that looks once in a while reports the step of the failure, and nothing has moved since.
    #[test]
    fn a_lagging_watch_keeps_the_parameters_of_the_failure() {
        let mut network = network(2);
        let mut learner = learner(&Method { num_heads: 2, ..Method::alrao() }, &network);
        learner.monitor.defer_checks();
        (0..10).for_each(|_| drop(step(&mut learner, &mut network).unwrap()));
        (0..2).for_each(|j| spoil_head(&network, j, f64::NAN));
        let before = network.parameters().theta().copy();
        let error = (0..200).find_map(|_| step(&mut learner, &mut network).err()).expect("it notices");
        assert!(matches!(error, Error::NoFiniteHead { update: 10, .. }), "{error}");
        assert!(learner.updates() > 10);
        assert_eq!(network.parameters().theta(), &before);
    }

    #[test]
    fn equal_rates_and_one_head_are_plain_gradient_descent() {
        let (mut network, eta) = (network(1), 0.01);
        let mut learner = learner(&Method::sgd(eta).unwrap(), &network);
        let (x, y) = batch();
        let before = thetas(&network);
        // the same loss, differentiated by autograd all the way
        let (body, weights) = network.parameters().leaf();
        let z = crate::layers::Body::forward(network.body(), &weights, &x);
        let (head, out) = {
            let leaf = before.1.copy().set_requires_grad(true);
            let (w, b) = (leaf.narrow(0, 0, 16).view([2, 8]), leaf.narrow(0, 16, 2));
            (leaf, z.linear(&w, Some(&b)).unsqueeze(0))
        };
        let loss = -HUBER.log_prob(&out, &y).mean(Kind::Float);
        let gradients = Tensor::run_backward(&[loss], &[&body, &head], false, false);
        step(&mut learner, &mut network).unwrap();
        let after = thetas(&network);
        for ((before, after), gradient) in [(before.0, after.0), (before.1, after.1)].iter().zip(&gradients) {
            let difference = (before - gradient * eta - after).abs().max().double_value(&[]);
            assert!(difference < 1e-7, "{difference}");
        }
    }

    /// A head far from the target gets no responsibility; what the body learns is the other head's gradient alone.
    #[test]
    fn the_body_learns_from_the_mixture_and_heads_from_themselves() {
        let network = network(2);
        let (x, y) = batch();
        let far = |network: &Network<Mlp>| {
            let bias = network.heads().parameters().theta().narrow(0, 2 * 16 + 2, 2);
            let _ = bias.shallow_clone().fill_(1e4);
        };
        let method = Method { num_heads: 2, lr_range: LrRange::new(0.01, 0.01).unwrap(), ..Method::alrao() };
        far(&network);
        let mut with_both = network.copy();
        let mut learner = learner(&method, &with_both);
        let pass = with_both.forward(&x).unwrap();
        learner.step(&mut with_both, &pass, &HUBER, &y).unwrap();

        let mut alone = network.copy();
        let mut of_alone = self::learner(&method, &alone);
        of_alone.averaging.update(&Tensor::from_slice(&[0.0, -100.0]));
        assert!(of_alone.prune_heads(&mut alone, 0.5).is_some());
        let pass = alone.forward(&x).unwrap();
        of_alone.step(&mut alone, &pass, &HUBER, &y).unwrap();
        let difference = (with_both.parameters().theta() - alone.parameters().theta()).abs().max();
        assert!(difference.double_value(&[]) < 1e-7);
        let (before, after) = (thetas(&network).1, thetas(&with_both).1);
        assert!(after.narrow(0, 16, 16) != before.narrow(0, 16, 16), "the far head learns too");
    }

    #[test]
    fn a_pass_of_more_samples_can_be_learnt_from_in_part() {
        let (x, y) = batch();
        let more = Tensor::cat(&[&x, &(&x * 3.0)], 0);
        let learn = |pass: &dyn Fn(&Network<Mlp>) -> ForwardPass| {
            let mut network = network(4);
            let mut learner = learner(&Method { num_heads: 4, ..Method::alrao() }, &network);
            let pass = pass(&network);
            learner.step(&mut network, &pass, &HUBER, &y).unwrap();
            thetas(&network)
        };
        let alone = learn(&|network| network.forward(&x).unwrap());
        let part = learn(&|network| network.forward(&more).unwrap().first(5));
        for (alone, part) in [(alone.0, part.0), (alone.1, part.1)] {
            assert!((alone - part).abs().max().double_value(&[]) < 1e-6);
        }
    }

    #[test]
    fn the_best_head_alone_predicts_almost_the_same() {
        let mut network = network(4);
        let mut learner = learner(&Method { num_heads: 4, ..Method::alrao() }, &network);
        (0..300).for_each(|_| drop(step(&mut learner, &mut network).unwrap()));
        let (x, _) = batch();
        let (before, out) = (network.mean(&x).unwrap(), network.outputs(&x).unwrap());
        let a = learner.posterior();
        let dropped = 1.0 - a.iter().copied().fold(0.0, f64::max);
        assert_eq!(learner.prune_heads(&mut network, 1.0), None, "not that concentrated");
        assert!(learner.prune_heads(&mut network, 0.5).is_some(), "{a:?}");
        assert_eq!((network.heads().k(), learner.posterior()), (1, vec![1.0]));
        let spread = (out.amax([0].as_slice(), false) - out.amin([0].as_slice(), false)).max().double_value(&[]);
        let change = (network.mean(&x).unwrap() - before).abs().max().double_value(&[]);
        assert!(change <= dropped * spread + 1e-6, "{change} {dropped} {spread}");
        step(&mut learner, &mut network).unwrap();
    }

    #[test]
    fn clipped_gradients_move_no_parameter_further() {
        let method = Method { max_grad_norm: Some(1e-3), ..Method::sgd(1.0).unwrap() };
        let mut network = network(1);
        let mut learner = learner(&method, &network);
        let before = thetas(&network);
        step(&mut learner, &mut network).unwrap();
        let after = thetas(&network);
        for (before, after) in [(before.0, after.0), (before.1, after.1)] {
            let way = (after - before).norm().double_value(&[]);
            assert!((way - 1e-3).abs() < 1e-5, "{way}");
        }
    }

    /// Where the body is after each of three steps from the same gradient-making batch.
    fn steps(method: &Method) -> Vec<Tensor> {
        let mut network = network(10);
        let mut learner = Learner::new(method, &network, &mut stream(0, "rates")).unwrap();
        let x = (Tensor::arange(12, tch::kind::FLOAT_CPU) * 0.7).sin().view([4, 3]);
        let y = (Tensor::arange(8, tch::kind::FLOAT_CPU) * 1.3).sin().view([4, 2]);
        let mut places = vec![network.parameters().theta().copy()];
        for _ in 0..3 {
            let pass = network.forward(&x).unwrap();
            learner.step(&mut network, &pass, &HUBER, &y).unwrap();
            places.push(network.parameters().theta().copy());
        }
        places
    }

    #[test]
    fn rates_are_of_units_of_parameters_or_of_steps() {
        let of = |lr_per| steps(&Method { lr_per, ..Method::alrao() });
        let [unit, parameter, step] =
            [LrGranularity::Unit, LrGranularity::Parameter, LrGranularity::UnitResampled].map(of);
        // the first step is along the same gradient
        let ratio =
            |places: &[Tensor]| Vec::<f32>::try_from((&places[1] - &places[0]) / (&unit[1] - &unit[0])).unwrap();
        assert!(step[1] == unit[1] && step[2] != unit[2], "drawn anew from the second step on");
        let different = ratio(&parameter).into_iter().filter(|r| r.is_finite() && (r - 1.0).abs() > 0.01).count();
        assert!(different > 40, "{different}");
        let own = network(10).parameters().unit_of_element();
        let of_one: Vec<f32> =
            ratio(&parameter).into_iter().zip(&own).filter(|(_, unit)| **unit == own[0]).map(|(r, _)| r).collect();
        assert!(of_one.windows(2).any(|pair| (pair[0] / pair[1] - 1.0).abs() > 0.01), "{of_one:?}");
        assert!(step[3] == of(LrGranularity::UnitResampled)[3], "of the seed alone");
    }

    #[test]
    fn a_saved_learner_goes_on_to_the_same_bits() {
        let method = Method { num_heads: 3, ..Method::alrao() };
        let (mut network, mut again) = (network(3), self::network(3));
        let (mut learner, mut of_again) = (learner(&method, &network), self::learner(&method, &again));
        (0..5).for_each(|_| drop(step(&mut learner, &mut network).unwrap()));
        let mut tensors = StateDict::default();
        network.save("network", &mut tensors);
        learner.save(&network, "learner", &mut tensors);
        again.load("network", &tensors).unwrap();
        of_again.load(&again, "learner", &tensors).unwrap();
        step(&mut learner, &mut network).unwrap();
        step(&mut of_again, &mut again).unwrap();
        assert_eq!(thetas(&network), thetas(&again));
        assert_eq!(learner.posterior(), of_again.posterior());
        assert_eq!(learner.diagnose(&network), of_again.diagnose(&again));
    }

    #[test]
    fn targets_that_do_not_fit_are_refused_by_their_shape() {
        let mut network = network(1);
        let mut learner = learner(&Method::sgd(0.1).unwrap(), &network);
        let (x, y) = batch();
        let pass = network.forward(&x).unwrap();
        let error = learner.step(&mut network, &pass, &HUBER, &y.narrow(0, 0, 4)).unwrap_err().to_string();
        let wide = Tensor::zeros([5, 4], (Kind::Float, Device::Cpu));
        let of_input = network.forward(&wide).err().unwrap().to_string();
        assert!(
            of_input.contains("inputs") && of_input.contains("[-1, 3]") && of_input.contains("[5, 4]"),
            "{of_input}"
        );
        assert!(error.contains("targets") && error.contains("[5, 2]") && error.contains("[4, 2]"), "{error}");
    }

    #[test]
    fn a_network_with_other_heads_is_refused() {
        let error = Learner::new(&Method::alrao(), &network(3), &mut stream(0, "rates")).err().unwrap();
        assert!(error.to_string().contains("3 heads") && error.to_string().contains("needs 10"), "{error}");
    }
}
