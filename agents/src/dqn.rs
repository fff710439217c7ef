//! Deep Q-learning (Mnih et al., 2015) with an Alrao Q-network.
//!
//! The network learns `Q(s, a) ~ y = r + gamma * Q'(s', a*)`, with the sum of n rewards in place of r, where Q' is the
//! target network and `a*` the greedy action of the online network (Double DQN, van Hasselt et al., 2016). Differences
//! from Mnih et al.: the target network follows by a soft update after every update instead of occasional copies (with
//! observations that are vectors, faster at first than at last), returns are scaled, observations normalized, and no
//! learning rate is chosen. Replay may be prioritized.

use std::ops::Bound;

use alrao_core::layers::{Body, NormalizedBody};
use alrao_core::lr_diagnostics::LrDiagnostics;
use alrao_core::memory;
use alrao_core::method::Method;
use alrao_core::network::{ForwardPass, Network};
use alrao_core::optimizer::LrScheduleKind;
use alrao_core::parameters::ParameterBuilder;
use alrao_core::state_dict::StateDict;
use alrao_core::streams::Stream;
use alrao_envs::ObservationSpace;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::Error;
use crate::bodies::Bodies;
use crate::error::within;
use crate::exploration::Exploration;
use crate::inputs::{Inputs, to_inputs};
use crate::mask::argmax;
use crate::obs_normalizer::ObsNormalizer;
use crate::priority::PrioritizedReplaySettings;
use crate::q_network::{QNetwork, QNetworkSettings, to_vec};
use crate::replay::{Batch, End, NStep, ReplayBuffer, Transition};
use crate::return_scale::ReturnScale;
use crate::shape_defaults;

/// Settings of an agent, apart from its environment and its optimizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AgentSettings {
    /// Discount factor.
    pub gamma: f64,
    /// Transitions per batch; by default chosen by the observations' shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Capacity of the replay buffer, in transitions.
    pub buffer_size: usize,
    /// Environments that are stepped together.
    pub num_envs: usize,
    /// Threads that step the environments.
    pub env_threads: usize,
    /// Consecutive observations that the network sees at once.
    pub frame_stack: usize,
    /// Environment steps before the first update, of all environments together.
    pub learning_starts: u64,
    /// Environment steps between updates, of all environments together; by default chosen by the observations' shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_freq: Option<u64>,
    /// Updates every `train_freq` environment steps.
    pub gradient_steps: u64,
    /// Rewards summed before bootstrapping, n, at the start of the training; by default chosen by the observations' shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n_step: Option<usize>,
    /// n at the end of the training, towards which it changes geometrically; by default `n_step`, so that n is constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_n_step: Option<usize>,
    /// Coefficient of the soft update of the target network after each update, at the start of the training, in (0, 1]; by
    /// default chosen by the observations' shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tau: Option<f64>,
    /// `tau` at the end of the training, towards which it changes geometrically; by default `tau` if it is given, so that it
    /// is constant, else chosen by the observations' shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_tau: Option<f64>,
    /// Learning-rate schedule over the whole training.
    pub lr_schedule: LrScheduleKind,
    /// Maximum root mean square of the change of a hidden unit in an update, relative to that of its parameters, now
    /// or initially, whichever is less; 0 for no bound. By default the method's own bound, 0.005 of [`Method::alrao_adam`];
    /// if it has none, 0.01 for vectors if units have random learning rates, else 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_relative_update: Option<f64>,
    /// Whether the online network selects the action that the target network evaluates (double Q-learning).
    pub double_q: bool,
    /// Standard deviation that discounted returns are scaled to, in units of the likelihood's sigma.
    pub return_std: f64,
    /// Whether observations are normalized to mean 0 and standard deviation 1, feature by feature; images are not.
    pub normalize_obs: bool,
    /// Epsilon-greedy exploration.
    pub exploration: Exploration,
    /// Prioritized experience replay.
    pub prioritized_replay: PrioritizedReplaySettings,
    /// The Q-network.
    pub network: QNetworkSettings,
}

impl Default for AgentSettings {
    fn default() -> Self {
        AgentSettings {
            gamma: 0.99,
            batch_size: None,
            buffer_size: 100_000,
            num_envs: 1,
            env_threads: 1,
            frame_stack: 1,
            learning_starts: 1_000,
            train_freq: None,
            gradient_steps: 1,
            n_step: None,
            final_n_step: None,
            tau: None,
            final_tau: None,
            lr_schedule: LrScheduleKind::Cosine,
            max_relative_update: None,
            double_q: true,
            return_std: 4.0,
            normalize_obs: true,
            exploration: Exploration::default(),
            prioritized_replay: PrioritizedReplaySettings::default(),
            network: QNetworkSettings::default(),
        }
    }
}

impl AgentSettings {
    /// Fills in the defaults that depend on the observations' shape (body, batch size, train frequency, n, `tau` and the
    /// bound on updates) and on the method (the bound).
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid field, or if the body doesn't take these observations.
    pub fn resolve(&self, space: ObservationSpace, bodies: &Bodies, method: &Method) -> Result<Self, Error> {
        let settings = self.with_defaults(space, method);
        settings.check()?;
        let body = bodies.resolve(&settings.network, Inputs::new(space, settings.frame_stack))?.to_owned();
        let network = QNetworkSettings { body, ..settings.network };
        Ok(AgentSettings { network, ..settings })
    }

    /// Returns n once a fraction `progress` of the training is completed, in [0, 1], rounded.
    fn n_step(&self, progress: f64) -> usize {
        let [first, last] = [self.n_step, self.final_n_step].map(|n| n.expect("a default") as f64);
        geometric(first, last, progress).round() as usize
    }

    /// Returns `tau` once a fraction `progress` of the training is completed, in [0, 1].
    fn tau(&self, progress: f64) -> f64 {
        let [first, last] = [self.tau, self.final_tau].map(|tau| tau.expect("a default"));
        geometric(first, last, progress)
    }

    /// Checks that the replay buffer fits the machine's memory, as far as `steps` environment steps fill it.
    ///
    /// # Errors
    /// [`Error::Setting`] if it doesn't.
    pub fn check_memory(&self, space: &ObservationSpace, steps: u64) -> Result<(), Error> {
        match memory::shortage(ReplayBuffer::bytes(self.buffer_size, steps, space, self.prioritized_replay)) {
            None => Ok(()),
            Some(shortage) => {
                let problem = format!("the replay buffer {shortage}: choose a smaller one");
                Err(Error::setting("agent.buffer_size", self.buffer_size, problem))
            }
        }
    }

    pub(crate) fn with_defaults(&self, space: ObservationSpace, method: &Method) -> Self {
        let max_relative_update = shape_defaults::max_relative_update(&space, method);
        let n_step = self.n_step.unwrap_or(shape_defaults::n_step(&space));
        let [tau, final_tau] = shape_defaults::tau(&space);
        AgentSettings {
            batch_size: self.batch_size.or(Some(shape_defaults::batch_size(&space))),
            train_freq: self.train_freq.or(Some(shape_defaults::train_freq(&space))),
            n_step: Some(n_step),
            final_n_step: self.final_n_step.or(Some(n_step)),
            tau: self.tau.or(Some(tau)),
            final_tau: self.final_tau.or(self.tau).or(Some(final_tau)),
            max_relative_update: self.max_relative_update.or(Some(max_relative_update)),
            ..self.clone()
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid field.
    pub fn check(&self) -> Result<(), Error> {
        const WIDEST: i64 = 16_384;
        let positive = (Bound::Excluded(0.0), Bound::Excluded(f64::INFINITY));
        let above_zero = (Bound::Excluded(0.0), Bound::Included(1.0));
        within("agent.gamma", self.gamma, 0.0..=1.0)?;
        within("agent.tau", self.tau.unwrap_or(1.0), above_zero)?;
        within("agent.final_tau", self.final_tau.unwrap_or(1.0), above_zero)?;
        within("agent.exploration.initial_eps", self.exploration.initial_eps, 0.0..=1.0)?;
        within("agent.exploration.final_eps", self.exploration.final_eps, 0.0..=1.0)?;
        within("agent.exploration.fraction", self.exploration.fraction, above_zero)?;
        within("agent.exploration.max_repeat", self.exploration.max_repeat, 0..=1_000)?;
        let not_negative = (Bound::Included(0.0), Bound::Excluded(f64::INFINITY));
        within("agent.max_relative_update", self.max_relative_update.unwrap_or(0.0), not_negative)?;
        within("agent.return_std", self.return_std, positive)?;
        within("agent.network.width_factor", self.network.width_factor, (Bound::Excluded(0.0), Bound::Included(16.0)))?;
        within("agent.network.sigma", self.network.sigma, positive)?;
        within("agent.prioritized_replay.alpha", self.prioritized_replay.alpha, 0.0..=1.0)?;
        within("agent.prioritized_replay.beta", self.prioritized_replay.beta, 0.0..=1.0)?;
        within("agent.train_freq", self.train_freq.unwrap_or(1), 1..)?;
        within("agent.gradient_steps", self.gradient_steps, 1..=1_000)?;
        within("agent.n_step", self.n_step.unwrap_or(1), 1..=1_000)?;
        within("agent.final_n_step", self.final_n_step.unwrap_or(1), 1..=1_000)?;
        let batch_size = self.batch_size.unwrap_or(1);
        within("agent.batch_size", batch_size, 1..=65_536)?;
        if self.buffer_size < batch_size {
            let problem = format!("must hold at least a batch of {batch_size}");
            return Err(Error::setting("agent.buffer_size", self.buffer_size, problem));
        }
        within("agent.num_envs", self.num_envs, 1..=10_000)?;
        within("agent.env_threads", self.env_threads, 1..=1_024)?;
        if self.num_envs > self.buffer_size {
            let problem = format!("the replay buffer holds {} transitions; step at most so many", self.buffer_size);
            return Err(Error::setting("agent.num_envs", self.num_envs, problem));
        }
        within("agent.frame_stack", self.frame_stack, 1..=1_000)?;
        let observations = self.buffer_size / self.num_envs;
        if self.frame_stack > observations {
            let problem =
                format!("the replay buffer holds {observations} observations of an environment; stack at most so many");
            return Err(Error::setting("agent.frame_stack", self.frame_stack, problem));
        }
        for (field, n) in [("agent.n_step", self.n_step), ("agent.final_n_step", self.final_n_step)] {
            if let Some(n) = n.filter(|&n| n > observations) {
                let problem = format!(
                    "the replay buffer holds {observations} transitions of an environment; sum at most so many"
                );
                return Err(Error::setting(field, n, problem));
            }
        }
        let hidden = &self.network.hidden_sizes;
        if hidden.is_empty() || hidden.iter().any(|width| !(2..=WIDEST).contains(width)) {
            let problem = format!("needs at least one layer, each of 2 to {WIDEST} units");
            return Err(Error::setting("agent.network.hidden_sizes", format!("{hidden:?}"), problem));
        }
        Ok(())
    }
}

/// An agent: its networks, its replay buffer, and its scales of observations and returns.
pub struct Agent {
    settings: AgentSettings,
    inputs: Inputs,
    batch_size: usize,
    q: QNetwork,
    target: Network<NormalizedBody>,
    replay: ReplayBuffer,
    scales: Scales,
    device: Device,
}

/// Running statistics of observations and returns, and those that the networks use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scales {
    observations: ObsNormalizer,
    /// number of observations in the statistics that the networks use
    observations_used: u64,
    returns: ReturnScale,
    /// factor from raw returns to the networks' scaled returns
    factor: f64,
}

/// Statistics of one update, in raw units of reward.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// The mixture's loss, in nats.
    pub loss: f64,
    /// Largest action value of a state, averaged over the batch.
    pub mean_max_q: f64,
    /// Largest action value in the batch.
    pub max_q: f64,
}

impl Agent {
    /// Creates an agent for observations of a space and `actions` discrete actions. Its initial weights and learning rates
    /// derive from `seed`.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Core`]: the settings are invalid.
    pub fn new(
        space: ObservationSpace,
        actions: usize,
        settings: &AgentSettings,
        method: &Method,
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        let body = Bodies::default().body(&settings.network, Inputs::new(space, settings.frame_stack))?;
        Self::with_body(space, actions, settings, body, method, seed, device)
    }

    /// Creates an agent whose Q-network has a custom body, see [`QNetwork::with_body`].
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Core`]: the settings or the body are invalid.
    pub fn with_body<B: Body + 'static>(
        space: ObservationSpace,
        actions: usize,
        settings: &AgentSettings,
        body: impl FnOnce(&mut ParameterBuilder, i64) -> B,
        method: &Method,
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        let settings = settings.with_defaults(space, method);
        settings.check()?;
        let inputs = Inputs::new(space, settings.frame_stack);
        let method = &Method { max_relative_update: settings.max_relative_update, ..method.clone() };
        let q = QNetwork::with_body(inputs, actions, &settings.network, body, method, seed, device)?;
        let normalized = if space.image().is_some() { 0 } else { space.len() };
        Ok(Agent {
            inputs,
            batch_size: settings.batch_size.expect("a default"),
            target: q.network().copy(),
            q,
            replay: ReplayBuffer::new(settings.buffer_size, settings.num_envs, inputs, settings.prioritized_replay),
            scales: Scales {
                observations: ObsNormalizer::new(normalized),
                observations_used: 0,
                returns: ReturnScale::new(settings.return_std, settings.gamma, settings.num_envs),
                factor: 1.0,
            },
            settings,
            device,
        })
    }

    /// Returns the network's inputs.
    pub fn inputs(&self) -> Inputs {
        self.inputs
    }

    /// Adds a transition to the replay buffer and to the running statistics; with several environments, they take turns.
    pub fn add(&mut self, transition: Transition) {
        if self.inputs.image().is_none() {
            self.scales.observations.update(&to_inputs(transition.observation));
        }
        self.scales.returns.update(self.replay.next_env(), transition.reward, transition.end != End::NotDone);
        self.replay.add(transition);
    }

    /// Makes one update, from a batch sampled by `rng`; `progress` is the fraction of the training completed, in [0,
    /// 1].
    ///
    /// # Errors
    /// [`Error::Core`] if learning diverged.
    pub fn learn(&mut self, progress: f64, rng: &mut Stream) -> Result<Update, Error> {
        // passes that need autograd turn it on themselves, and libtorch's calls are faster without it
        let _without_autograd = tch::no_grad_guard();
        let AgentSettings { gamma, double_q, .. } = self.settings;
        let n = self.settings.n_step(progress);
        let batch = self.replay.sample(self.batch_size, NStep { n, gamma }, progress, rng, self.device);
        self.update_return_scale();
        self.update_obs_stats();
        let scale = self.scales.factor;
        let (pass, values) = self.training_pass(&batch)?;
        let target_values: Vec<f32> = to_vec(&self.target.mean(&batch.next())?); // [B, A]
        let (values, chooser) = values.split_at(target_values.len());
        let y = td_target(&batch, scale, &target_values, if double_q { chooser } else { &target_values }); // [B]
        let targets = Tensor::from_slice(&y).to_device(self.device);
        let actions = batch.actions.shallow_clone();
        let report = self.q.learn_from(&pass, actions, targets, batch.weights.as_ref())?;
        self.target.soft_update(self.q.network(), self.settings.tau(progress));
        let by_sample = values.chunks_exact(values.len() / y.len());
        if self.settings.prioritized_replay.alpha > 0.0 {
            let actions: Vec<i64> = to_vec(&batch.actions);
            let taken = by_sample.clone().zip(actions).map(|(values, action)| values[action as usize]);
            let errors: Vec<f32> = taken.zip(&y).map(|(taken, y)| taken - y).collect();
            self.replay.set_priorities(&batch.slots, &errors);
        }
        let largest = |(row, values): (usize, &[f32])| values[argmax(values, batch.mask(row, values.len()))];
        let best: Vec<f32> = by_sample.enumerate().map(largest).collect(); // [B]
        Ok(Update {
            loss: report.loss(),
            mean_max_q: best.iter().copied().map(f64::from).sum::<f64>() / best.len() as f64 / scale,
            max_q: f64::from(best.iter().copied().fold(f32::NEG_INFINITY, f32::max)) / scale,
        })
    }

    /// Runs a pass in training mode and returns it with the batch's action values, `[B, A]`; for Double DQN, the values
    /// of the next observations follow, `[2B, A]`.
    fn training_pass(&self, batch: &Batch) -> Result<(ForwardPass, Vec<f32>), Error> {
        let (network, double) = (self.q.network(), self.settings.double_q);
        if double && network.body().same_in_train_and_eval() {
            let pass = self.q.forward(&batch.both)?; // one pass serves both
            let values = to_vec(&network.average(&pass.out));
            return Ok((pass.first(batch.samples()), values));
        }
        let pass = self.q.forward(&batch.observations())?;
        let mut values: Vec<f32> = to_vec(&network.average(&pass.out));
        if double {
            values.extend(to_vec::<f32>(&network.mean(&batch.next())?));
        }
        Ok((pass, values))
    }

    /// Rescales both networks to the current return scale, once it changed by more than 1 %. Predicted raw returns are
    /// unchanged, as in Pop-Art.
    fn update_return_scale(&mut self) {
        const TOLERANCE: f64 = 0.01;
        let change = self.scales.returns.factor() / self.scales.factor;
        if (change - 1.0).abs() > TOLERANCE {
            self.scales.factor *= change;
            self.q.scale_values(change);
            self.target.scale_outputs(change);
        }
    }

    /// Updates the network's observation statistics, once there are 1 % more observations; the next soft update copies
    /// them to the target network.
    fn update_obs_stats(&mut self) {
        let (scales, of_vectors) = (&mut self.scales, self.inputs.image().is_none());
        let observations = scales.observations.count();
        if self.settings.normalize_obs && of_vectors && observations as f64 >= 1.01 * scales.observations_used as f64 {
            scales.observations_used = observations;
            let frames = self.inputs.frame_stack;
            self.q.set_obs_stats(&scales.observations.mean().repeat(frames), &scales.observations.std().repeat(frames));
        }
    }

    /// Returns diagnostics of the learning rates, unless there is only one learning rate.
    pub fn diagnose(&self) -> Option<LrDiagnostics> {
        let (learner, network) = (self.q.learner(), self.q.network());
        let lr_range = learner.method().lr_range;
        (!lr_range.is_single()).then(|| learner.diagnose(network))
    }

    /// Returns the Q-network.
    pub fn q(&self) -> &QNetwork {
        &self.q
    }

    /// Returns the target network, a moving average of the online network; it is also evaluated and checkpointed.
    pub fn target(&self) -> &Network<NormalizedBody> {
        &self.target
    }

    /// Returns the current factor on raw rewards.
    pub fn reward_factor(&self) -> f64 {
        self.scales.factor
    }

    /// Adds the networks to `tensors` and the replay buffer to `replay`; returns the rest of the state.
    pub fn save(&self, tensors: &mut StateDict, replay: &mut StateDict) -> Scales {
        self.q.save("q", tensors);
        self.target.save("target", tensors);
        self.replay.save("replay", replay);
        self.scales.clone()
    }

    /// Restores the state written by `save`.
    ///
    /// # Errors
    /// [`Error::Core`]: the state is another agent's.
    pub fn load(&mut self, tensors: &StateDict, replay: &StateDict, scales: Scales) -> Result<(), Error> {
        self.q.load("q", tensors)?;
        self.target.load("target", tensors)?;
        self.replay.load("replay", replay)?;
        self.scales = scales;
        Ok(())
    }
}

/// Returns the targets of the actions taken, `[B]`, in scaled units, for m <= n steps ahead:
///
/// `y = scale * (r_1 + .. + gamma^(m-1) r_m) + gamma^m * Q'(s_m, a*)`, without the last term if the episode terminated;
/// truncated episodes bootstrap. `target_values` are `Q'(s_m, .)`, `[B, A]`; `a*` is the legal action that maximizes the
/// values of the `chooser`, `[B, A]`: of `Q'` itself, or of the online network for Double DQN.
pub fn td_target(batch: &Batch, scale: f64, target_values: &[f32], chooser: &[f32]) -> Vec<f32> {
    let samples = batch.returns.len();
    let actions = target_values.len() / samples;
    let next_values = target_values.chunks_exact(actions).zip(chooser.chunks_exact(actions)).zip(samples..);
    let next_values =
        next_values.map(|((target_values, chooser), row)| target_values[argmax(chooser, batch.mask(row, actions))]);
    let steps = batch.returns.iter().zip(&batch.discounts);
    steps.zip(next_values).map(|((&r, &discount), next)| (f64::from(r) * scale) as f32 + discount * next).collect()
}

/// Returns `first^(1 - progress) * last^progress`; exactly `first` if both are equal.
fn geometric(first: f64, last: f64, progress: f64) -> f64 {
    first * (last / first).powf(progress)
}

#[cfg(test)]
mod tests {
    use alrao_envs::ObservationShape;

    use super::*;

    #[test]
    fn targets_match_values_by_hand() {
        let mut batch = Batch {
            both: Tensor::zeros([6, 1], tch::kind::FLOAT_CPU),
            masks: None,
            actions: Tensor::from_slice(&[0i64, 1, 0]),
            returns: vec![1.0, 2.0, -3.0],
            discounts: vec![0.5, 0.0, 0.25],
            weights: None,
            slots: vec![0, 1, 2],
        };
        let target_values = [4.0, 8.0, 16.0, 32.0, -4.0, -8.0];
        let chooser = [1.0, 0.0, 1.0, 0.0, 0.0, 1.0];
        for (chooser, expected) in [(&chooser, [2.1, 0.2, -2.3]), (&target_values, [4.1, 0.2, -1.3])] {
            let y = td_target(&batch, 0.1, &target_values, chooser);
            assert!(y.iter().zip(expected).all(|(y, expected)| (y - expected).abs() < 1e-6), "{y:?}");
        }
        // the masks of the next states; of the first state, the best action is illegal; the second state is terminal
        let next = [[false, true], [false, false], [true, true]];
        batch.masks = Some([[true; 2]; 3].into_iter().chain(next).flatten().collect());
        let y = td_target(&batch, 0.1, &target_values, &chooser);
        assert!(y.iter().zip([4.1, 0.2, -2.3]).all(|(y, expected)| (y - expected).abs() < 1e-6), "{y:?}");
    }

    #[test]
    fn the_shape_of_observations_chooses_defaults() {
        let resolved = |settings: AgentSettings, space| {
            let AgentSettings { batch_size, train_freq, n_step, final_n_step, tau, final_tau, network, .. } =
                settings.resolve(space, &Bodies::default(), &Method::alrao()).unwrap();
            let (n_steps, taus) = ([n_step, final_n_step].map(Option::unwrap), [tau, final_tau].map(Option::unwrap));
            (batch_size.unwrap(), train_freq.unwrap(), n_steps, taus, network.body)
        };
        let image = ObservationSpace::pixels(ObservationShape::ChannelsLast([10, 10, 4]));
        assert_eq!(
            resolved(AgentSettings::default(), ObservationSpace::vector(8)),
            (128, 2, [2, 2], [0.1, 0.02], "mlp".into())
        );
        assert_eq!(resolved(AgentSettings::default(), image), (32, 4, [5, 5], [0.005; 2], "minatar-cnn".into()));
        let given = AgentSettings {
            batch_size: Some(8),
            train_freq: Some(2),
            n_step: Some(3),
            tau: Some(0.1),
            ..Default::default()
        };
        assert_eq!(resolved(given, image), (8, 2, [3, 3], [0.1; 2], "minatar-cnn".into()));
    }

    #[test]
    fn units_with_random_learning_rates_have_bounded_updates() {
        let bound = |space, method: Method, given| {
            let settings = AgentSettings { max_relative_update: given, ..Default::default() };
            let agent = Agent::new(space, 2, &settings, &method, 0, Device::Cpu).unwrap();
            agent.q().learner().method().max_relative_update
        };
        let (vector, image) =
            (ObservationSpace::vector(3), ObservationSpace::pixels(ObservationShape::ChannelsLast([10, 10, 4])));
        let sgd = || Method::sgd(0.1).unwrap();
        assert_eq!(bound(vector, Method::alrao(), None), Some(0.01));
        assert_eq!(bound(vector, Method::alrao_adam(), None), Some(0.005));
        assert_eq!(bound(image, Method::alrao(), None), Some(0.0));
        assert_eq!(bound(vector, sgd(), None), Some(0.0));
        assert_eq!(bound(vector, Method::alrao(), Some(0.0)), Some(0.0));
        assert_eq!(bound(vector, sgd(), Some(0.2)), Some(0.2));
        assert_eq!(bound(image, Method { max_relative_update: Some(0.3), ..Method::alrao() }, None), Some(0.3));
    }

    #[test]
    fn n_and_tau_change_geometrically_over_the_training() {
        let resolved = |settings: AgentSettings| settings.with_defaults(ObservationSpace::vector(3), &Method::alrao());
        let n = |n_step, final_n_step| {
            let settings = resolved(AgentSettings { n_step, final_n_step, ..Default::default() });
            [0.0, 0.25, 0.5, 0.75, 1.0].map(|progress| settings.n_step(progress))
        };
        let tau = |tau, final_tau| {
            let settings = resolved(AgentSettings { tau, final_tau, ..Default::default() });
            [0.0, 0.5, 1.0].map(|progress| (settings.tau(progress) * 1e6).round() / 1e6)
        };
        assert_eq!(tau(Some(0.4), Some(0.1)), [0.4, 0.2, 0.1]);
        assert_eq!(tau(Some(0.3), None), [0.3; 3]);
        assert_eq!(tau(None, Some(0.025)), [0.1, 0.05, 0.025]);
        assert_eq!(n(Some(8), Some(2)), [8, 6, 4, 3, 2]); // 8, 5.7, 4, 2.8, 2
        assert_eq!(n(Some(1), Some(16)), [1, 2, 4, 8, 16]);
        assert_eq!(n(Some(7), None), [7; 5]);
        assert_eq!(n(None, Some(8)), [2, 3, 4, 6, 8]); // 2, 2.8, 4, 5.7, 8
    }

    #[test]
    fn errors_name_the_invalid_setting() {
        let bad = [
            (AgentSettings { gamma: 1.5, ..Default::default() }, "agent.gamma"),
            (AgentSettings { buffer_size: 10, batch_size: Some(11), ..Default::default() }, "agent.buffer_size"),
            (AgentSettings { tau: Some(0.0), ..Default::default() }, "agent.tau"),
            (AgentSettings { final_tau: Some(1.5), ..Default::default() }, "agent.final_tau"),
            (AgentSettings { return_std: f64::NAN, ..Default::default() }, "agent.return_std"),
            (AgentSettings { train_freq: Some(0), ..Default::default() }, "agent.train_freq"),
            (AgentSettings { batch_size: Some(0), ..Default::default() }, "agent.batch_size"),
            (AgentSettings { frame_stack: 0, ..Default::default() }, "agent.frame_stack"),
            (AgentSettings { num_envs: 0, ..Default::default() }, "agent.num_envs"),
            (AgentSettings { env_threads: 0, ..Default::default() }, "agent.env_threads"),
            (AgentSettings { num_envs: 129, buffer_size: 128, ..Default::default() }, "agent.num_envs"),
            (
                AgentSettings { num_envs: 64, frame_stack: 3, buffer_size: 128, ..Default::default() },
                "agent.frame_stack",
            ),
            (AgentSettings { frame_stack: 9, buffer_size: 8, ..Default::default() }, "agent.frame_stack"),
            (AgentSettings { gradient_steps: 0, ..Default::default() }, "agent.gradient_steps"),
            (AgentSettings { n_step: Some(0), ..Default::default() }, "agent.n_step"),
            (AgentSettings { num_envs: 64, n_step: Some(3), buffer_size: 128, ..Default::default() }, "agent.n_step"),
            (AgentSettings { final_n_step: Some(9), buffer_size: 8, ..Default::default() }, "agent.final_n_step"),
            (AgentSettings { max_relative_update: Some(-0.1), ..Default::default() }, "agent.max_relative_update"),
            (AgentSettings { final_n_step: Some(0), ..Default::default() }, "agent.final_n_step"),
            (
                AgentSettings {
                    prioritized_replay: PrioritizedReplaySettings { alpha: 2.0, beta: 0.4 },
                    ..Default::default()
                },
                "agent.prioritized_replay.alpha",
            ),
        ];
        for (settings, field) in bad {
            assert!(settings.check().unwrap_err().to_string().starts_with(field));
        }
    }
}
