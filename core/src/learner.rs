//! One training step (paper, Algorithm 1, lines 8 to 13).
//!
//! | part | loss | learning rate |
//! |---|---|---|
//! | body | the mixture's loss `-log sum_j a_j p_j(y given x)`, Equation 2 | each unit's own `eta` |
//! | head j | its own, `-log p_j(y given x)`, Equation 3, not back-propagated to the body | `eta_j` |
//! | `a` | updated by the Switch from the heads' log-likelihoods | |
//!
//! Both losses share one forward pass: if `g_j` is the gradient of `-log p_j` with respect to `out_j`, the mixture's
//! gradient is `r_j g_j`, where `r_j = a_j p_j / sum_i a_i p_i` is head j's responsibility for the sample.

use rand::RngExt;
use rand_distr::Distribution;
use tch::{Kind, Tensor};

use crate::Error;
use crate::averaging::{History, ModelAveraging};
use crate::clip::GradClip;
use crate::divergence::{DivergenceMonitor, UpdateGate};
use crate::guard::{FiniteHeads, UnitGuard};
use crate::head_losses::HeadLosses;
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
use crate::update_bound::UpdateBound;

/// Training state of a network: learning rates, optimizers, averaging and guards.
pub struct Learner {
    method: Method,
    body: ParamGroup,
    heads: ParamGroup,
    averaging: Box<dyn ModelAveraging>,
    history: History,
    /// root mean square of each unit's initial parameters, `[units]`
    initial_rms: Vec<f64>,
    updates: u64,
    monitor: DivergenceMonitor,
    /// seed of learning rates that are resampled at each update
    rates_seed: u64,
}

/// Optimizer, guard, clipping, bound and gradient buffer of the body or of the heads.
struct ParamGroup {
    optimizer: Box<dyn Optimizer>,
    guard: Option<UnitGuard>,
    clip: Option<GradClip>,
    bound: Option<UpdateBound>,
    /// a flat gradient, `[P]`, and its view for each parameter
    grad_buffer: (Tensor, Weights),
}

/// Losses and evidence of a batch.
struct BatchEvaluation {
    /// `r_j`, each head's responsibility for each sample, `[K, B, 1]`; `None` for a single head
    r: Option<Tensor>,
    /// see [`Report`]
    loss: Tensor,
    log_evidence: Tensor,
    /// the heads that the step does not skip
    finite_heads: FiniteHeads,
    /// whether parameters may change
    apply_update: UpdateGate,
}

/// Flat gradients, `[P]` each.
struct Gradients {
    body: Tensor,
    heads: Tensor,
}

/// Loss and evidence of a step, before its update. The tensors stay on the network's device.
#[derive(Debug)]
pub struct Report {
    /// The mixture's loss, `-log sum_j a_j p_j(y|x)`, averaged over the batch, in nats; `[]`.
    pub loss: Tensor,
    /// `log p_j(y|x)`, averaged or summed over the batch, in nats; `[K]` f64.
    pub log_evidence: Tensor,
}

impl Report {
    /// Returns the loss as a number; synchronizes the device.
    pub fn loss(&self) -> f64 {
        self.loss.double_value(&[])
    }
}

impl Learner {
    /// Creates the learner of a network and samples the units' learning rates from `rng`.
    ///
    /// # Errors
    /// [`Error::HeadCount`] if the network's number of heads differs from the method's.
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
                let per_element = body.broadcast(&rates);
                (rates, per_element)
            }
            LrGranularity::Parameter => {
                let theta = body.theta();
                let rates = Tensor::from_slice(&draw(theta.numel())).to_kind(theta.kind()).to_device(theta.device());
                (vec![method.lr_range.max(); body.units()], rates)
            }
        };
        let head_rates = method.lr_range.log_spaced(k as usize);
        let group = |parameters: &Parameters, rates: &Tensor, clip, bound| ParamGroup {
            optimizer: method.rule.build(rates),
            guard: method.guarded.then(|| UnitGuard::new(parameters.units())),
            clip,
            bound,
            grad_buffer: parameters.grad_buffer(),
        };
        let initial_rms = body.unit_rms();
        Ok(Learner {
            body: group(
                body,
                &body_rates,
                method.max_grad_norm.map(GradClip::global),
                update_bound(method, body, &initial_rms),
            ),
            heads: group(
                heads,
                &heads.broadcast(&head_rates),
                method.max_grad_norm.map(|max_norm| clip_each_head(max_norm, heads)),
                None,
            ),
            averaging: method.averaging.build(k, body.theta().device()),
            history: History::default(),
            initial_rms,
            updates: 0,
            rates_seed,
            monitor: DivergenceMonitor::new(method.guarded, &unit_rates, body.theta().device()),
            method: method.clone(),
        })
    }

    /// Makes one training step from a forward pass and its targets.
    ///
    /// # Errors
    /// The network's parameters are unchanged, and stay so, if
    /// - the method is unguarded and the loss is non-finite ([`Error::Diverged`]);
    /// - the method is guarded and the likelihoods of all heads ([`Error::NoFiniteHead`]) or the features
    ///   ([`Error::NoFiniteFeatures`]) are non-finite;
    /// - the target doesn't fit the outputs ([`Error::Shape`]), or is no class, which an adaptive softmax needs
    ///   ([`Error::NotClasses`]).
    ///
    /// On a GPU, a later step may return the error for non-finite numbers.
    pub fn step<B, L: Likelihood>(
        &mut self,
        network: &mut Network<B>,
        pass: &ForwardPass,
        likelihood: &L,
        target: &L::Target,
    ) -> Result<Report, Error> {
        let (evaluation, losses) = self.evaluate(network, pass, likelihood, target)?;
        let gradients = self.differentiate(network, pass, &evaluation, losses);
        self.apply(network, gradients, &evaluation);
        Ok(Report { loss: evaluation.loss, log_evidence: evaluation.log_evidence })
    }

    /// Computes the losses and the evidence of a batch (line 8), and what the losses' gradients need.
    fn evaluate<B, L: Likelihood>(
        &mut self,
        network: &Network<B>,
        pass: &ForwardPass,
        likelihood: &L,
        target: &L::Target,
    ) -> Result<(BatchEvaluation, HeadLosses), Error> {
        let (log_p, losses) = HeadLosses::new(network.heads(), pass, likelihood, target)?; // [K, B]
        let log_evidence = self.method.evidence.reduce(&log_p); // [K]
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
        Ok((BatchEvaluation { r, loss, log_evidence, finite_heads, apply_update }, losses))
    }

    /// Computes the gradients of both losses, averaged over the batch.
    fn differentiate<B>(
        &mut self,
        network: &Network<B>,
        pass: &ForwardPass,
        evaluation: &BatchEvaluation,
        mut losses: HeadLosses,
    ) -> Gradients {
        let (heads, batch) = (network.heads(), pass.out.size()[1] as f64);
        let BatchEvaluation { r, finite_heads, .. } = evaluation;

        // Equation 3: head j's gradient, of -log p_j, with constant z
        let mut of_heads = losses.parameter_gradient(heads, &pass.z, finite_heads, &self.heads.grad_buffer); // [P]
        let _ = of_heads.g_div_scalar_(batch);

        // Equation 2: the body's gradient, of -log sum_j a_j p_j, which is that of -sum_j r_j log p_j for constant r_j
        let of_z = losses.feature_gradient(heads, r.as_ref(), finite_heads).g_div_scalar_(batch); // [B, H]
        let of_body = pass.backward(of_z, &self.body.grad_buffer); // [P]

        Gradients { body: of_body, heads: of_heads }
    }

    /// Updates body and heads, each unit and head at its own learning rate (lines 10 and 12), then the averaging
    /// weights (line 13).
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

    /// Resamples the units' learning rates, if the method does so at each update after the first.
    fn resample_lrs(&mut self, body: &Parameters) {
        if self.method.lr_per == LrGranularity::UnitResampled && self.updates > 0 {
            let mut rng = stream(self.rates_seed, &format!("rates of update {}", self.updates));
            let rates: Vec<f64> = self.method.lr_range.sample_iter(&mut rng).take(body.units()).collect();
            self.body.optimizer.set_lrs(&body.broadcast(&rates));
        }
    }

    /// Returns the training method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the posterior over the heads, `[K]`; synchronizes the device.
    pub fn posterior(&self) -> Vec<f64> {
        to_vec(&self.averaging.weights())
    }

    /// Returns the history of the posterior.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Returns the number of updates so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Returns diagnostics of the learning rates; synchronizes the device.
    pub fn diagnose<B>(&self, network: &Network<B>) -> LrDiagnostics {
        LrDiagnostics::new(self.method.lr_range, self.posterior(), &self.rms_ratios(network))
    }

    /// Counts the exploded units of the body, see [`LrDiagnostics::exploded_units`].
    pub fn exploded_units<B>(&self, network: &Network<B>) -> usize {
        exploded_units(&self.rms_ratios(network))
    }

    /// Returns the state of every unit of the body compared with the initial network `first`; `None` unless each unit
    /// has its own, constant learning rate.
    pub fn units<B>(&self, network: &Network<B>, first: &Network<B>) -> Option<Units> {
        let lr_range = self.method.lr_range;
        let own = self.method.lr_per == LrGranularity::Unit && !lr_range.is_single();
        let (_, rates) = self.body.optimizer.state().into_iter().find(|(name, _)| own && *name == "minus_eta")?;
        Some(Units::new(network.parameters(), first.parameters(), &rates))
    }

    /// Returns the root mean square of each unit of the body, divided by its initial value, `[units]`.
    fn rms_ratios<B>(&self, network: &Network<B>) -> Vec<f64> {
        let sizes = network.parameters().unit_rms();
        sizes.iter().zip(&self.initial_rms).map(|(now, first)| now / first).collect()
    }

    /// Prunes all heads but the top-weighted one (paper, section 4.4) and returns its index, if its weight is at least
    /// `min_weight` and there are several heads. Predictions change at most in proportion to the pruned weight.
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

    /// Adds the training state of `network` to `tensors` as `prefix.*`, by the parameters' names.
    pub fn save<B>(&self, network: &Network<B>, prefix: &str, tensors: &mut StateDict) {
        self.body.save(network.parameters(), &format!("{prefix}.body"), tensors);
        self.heads.save(network.heads().parameters(), &format!("{prefix}.heads"), tensors);
        self.averaging.save(&format!("{prefix}.averaging"), tensors);
        self.history.save(&format!("{prefix}.history"), tensors);
        tensors.insert_slice(format!("{prefix}.initial_rms"), &self.initial_rms);
        tensors.insert_slice(format!("{prefix}.updates"), &[self.updates as i64]);
    }

    /// Restores the state written by `save`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the state is another learner's.
    pub fn load<B>(&mut self, network: &Network<B>, prefix: &str, tensors: &StateDict) -> Result<(), Error> {
        self.body.load(network.parameters(), &format!("{prefix}.body"), tensors)?;
        self.heads.load(network.heads().parameters(), &format!("{prefix}.heads"), tensors)?;
        self.averaging.load(&format!("{prefix}.averaging"), tensors)?;
        self.history = History::load(&format!("{prefix}.history"), tensors)?;
        self.initial_rms = tensors.get_vec(&format!("{prefix}.initial_rms"), self.initial_rms.len() as i64)?;
        self.body.bound = update_bound(&self.method, network.parameters(), &self.initial_rms);
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
        let mut step = |theta: &mut Tensor| self.optimizer.step(theta, &gradient, factor);
        apply_update.apply(parameters.theta_mut(), |theta| match &mut self.bound {
            None => step(theta),
            Some(bound) => bound.apply(theta, factor, step),
        });
    }
}

/// Returns the bound on the body's updates, if the method has one, for units that were `initial_rms` initially.
fn update_bound(method: &Method, body: &Parameters, initial_rms: &[f64]) -> Option<UpdateBound> {
    let max = method.max_relative_update.filter(|max| *max > 0.0)?;
    Some(UpdateBound::new(max, body, initial_rms))
}

/// Clips each head's gradient separately.
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

    /// Returns a batch of 5 samples.
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

    /// Fills the weights of head j with `value`.
    fn fill_head(network: &Network<Mlp>, j: i64, value: f64) {
        let theta = network.heads().parameters().theta();
        let _ = theta.narrow(0, j * 2 * 8, 2 * 8).fill_(value);
    }

    #[test]
    fn a_non_finite_head_is_skipped_and_the_others_are_updated() {
        for value in [f64::NAN, f64::INFINITY] {
            let mut network = network(4);
            let mut learner = learner(&Method { num_heads: 4, ..Method::alrao() }, &network);
            fill_head(&network, 2, value);
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

    /// If all numbers are finite, guarded and unguarded steps are bit-identical.
    #[test]
    fn guards_do_not_change_finite_steps() {
        let (mut unguarded, mut guarded, mut deferred) = (network(4), network(4), network(4));
        let method = Method { num_heads: 4, ..Method::alrao() };
        let mut of_unguarded = learner(&Method { guarded: false, ..method.clone() }, &unguarded);
        let (mut of_guarded, mut of_deferred) = (learner(&method, &guarded), learner(&method, &deferred));
        of_deferred.monitor.defer_checks();
        for _ in 0..100 {
            step(&mut of_unguarded, &mut unguarded).unwrap();
            step(&mut of_guarded, &mut guarded).unwrap();
            step(&mut of_deferred, &mut deferred).unwrap();
        }
        assert_eq!(thetas(&unguarded), thetas(&guarded));
        assert_eq!(thetas(&unguarded), thetas(&deferred));
        assert_eq!(of_unguarded.posterior(), of_guarded.posterior());
    }

    #[test]
    fn a_step_without_a_finite_head_is_an_error_and_changes_nothing() {
        let mut network = network(2);
        let mut learner = learner(&Method { num_heads: 2, ..Method::alrao() }, &network);
        (0..2).for_each(|j| fill_head(&network, j, f64::NAN));
        let before = network.parameters().theta().copy();
        let error = step(&mut learner, &mut network).unwrap_err();
        assert!(matches!(&error, Error::NoFiniteHead { update: 0, largest_rates } if largest_rates.len() == 3));
        assert!(error.to_string().contains("update 0") && error.to_string().contains("lr_max"), "{error}");
        assert_eq!(network.parameters().theta(), &before);
    }

    #[test]
    fn non_finite_features_have_their_own_error() {
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

    /// A deferred check reports the update of the failure, and no later update is applied.
    #[test]
    fn deferred_checks_keep_the_parameters_of_the_failure() {
        let mut network = network(2);
        let mut learner = learner(&Method { num_heads: 2, ..Method::alrao() }, &network);
        learner.monitor.defer_checks();
        (0..10).for_each(|_| drop(step(&mut learner, &mut network).unwrap()));
        (0..2).for_each(|j| fill_head(&network, j, f64::NAN));
        let before = network.parameters().theta().copy();
        let error = (0..200).find_map(|_| step(&mut learner, &mut network).err()).expect("an error");
        assert!(matches!(error, Error::NoFiniteHead { update: 10, .. }), "{error}");
        assert!(learner.updates() > 10);
        assert_eq!(network.parameters().theta(), &before);
    }

    #[test]
    fn one_rate_and_one_head_equal_gradient_descent() {
        let (mut network, eta) = (network(1), 0.01);
        let mut learner = learner(&Method::sgd(eta).unwrap(), &network);
        let (x, y) = batch();
        let before = thetas(&network);
        // the same loss, differentiated by autograd
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

    /// A head far from the target has responsibility 0, so the body's gradient comes from the other head only.
    #[test]
    fn the_body_uses_the_mixtures_loss_and_each_head_its_own() {
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
        assert!(after.narrow(0, 16, 16) != before.narrow(0, 16, 16), "the far head is updated too");
    }

    #[test]
    fn a_step_can_use_the_first_samples_of_a_pass() {
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
    fn pruning_hardly_changes_predictions() {
        let mut network = network(4);
        let mut learner = learner(&Method { num_heads: 4, ..Method::alrao() }, &network);
        (0..300).for_each(|_| drop(step(&mut learner, &mut network).unwrap()));
        let (x, _) = batch();
        let (before, out) = (network.mean(&x).unwrap(), network.outputs(&x).unwrap());
        let a = learner.posterior();
        let pruned = 1.0 - a.iter().copied().fold(0.0, f64::max);
        assert_eq!(learner.prune_heads(&mut network, 1.0), None, "the top weight is below 1");
        assert!(learner.prune_heads(&mut network, 0.5).is_some(), "{a:?}");
        assert_eq!((network.heads().k(), learner.posterior()), (1, vec![1.0]));
        let spread = (out.amax([0].as_slice(), false) - out.amin([0].as_slice(), false)).max().double_value(&[]);
        let change = (network.mean(&x).unwrap() - before).abs().max().double_value(&[]);
        assert!(change <= pruned * spread + 1e-6, "{change} {pruned} {spread}");
        step(&mut learner, &mut network).unwrap();
    }

    #[test]
    fn clipping_bounds_the_update() {
        let method = Method { max_grad_norm: Some(1e-3), ..Method::sgd(1.0).unwrap() };
        let mut network = network(1);
        let mut learner = learner(&method, &network);
        let before = thetas(&network);
        step(&mut learner, &mut network).unwrap();
        let after = thetas(&network);
        for (before, after) in [(before.0, after.0), (before.1, after.1)] {
            let length = (after - before).norm().double_value(&[]);
            assert!((length - 1e-3).abs() < 1e-5, "{length}");
        }
    }

    /// Returns the body's parameters, `[P]`, before and after each of three steps on one batch.
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
    fn learning_rates_are_per_unit_per_parameter_or_resampled() {
        let of = |lr_per| steps(&Method { lr_per, ..Method::alrao() });
        let [unit, parameter, step] =
            [LrGranularity::Unit, LrGranularity::Parameter, LrGranularity::UnitResampled].map(of);
        // the first steps have equal gradients
        let ratio =
            |places: &[Tensor]| Vec::<f32>::try_from((&places[1] - &places[0]) / (&unit[1] - &unit[0])).unwrap();
        assert!(step[1] == unit[1] && step[2] != unit[2], "resampled from the second update on");
        let different = ratio(&parameter).into_iter().filter(|r| r.is_finite() && (r - 1.0).abs() > 0.01).count();
        assert!(different > 40, "{different}");
        let own = network(10).parameters().unit_of_element();
        let of_one: Vec<f32> =
            ratio(&parameter).into_iter().zip(&own).filter(|(_, unit)| **unit == own[0]).map(|(r, _)| r).collect();
        assert!(of_one.windows(2).any(|pair| (pair[0] / pair[1] - 1.0).abs() > 0.01), "{of_one:?}");
        assert!(step[3] == of(LrGranularity::UnitResampled)[3], "determined by the seed");
    }

    #[test]
    fn a_loaded_learner_continues_bit_identically() {
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
    fn errors_name_the_shapes_of_inputs_and_targets() {
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
    fn a_different_number_of_heads_is_an_error() {
        let error = Learner::new(&Method::alrao(), &network(3), &mut stream(0, "rates")).err().unwrap();
        assert!(error.to_string().contains("3 heads") && error.to_string().contains("needs 10"), "{error}");
    }
}
