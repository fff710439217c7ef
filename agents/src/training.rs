//! The training loop of an agent, one step of its environments at a time.
//!
//! Call [`DqnTrainer::advance`] until it returns [`Finished`](DqnStopReason::Finished); log, draw or save on each
//! [`DqnEvent`]. Every random draw comes from a named stream of the run's seed and [`DqnTrainer::save`] covers the
//! whole state, so a resumed training is bit-identical to one that was never stopped.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZero;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use alrao_core::json::null_as_nan;
use alrao_core::layers::{Body, NormalizedBody};
use alrao_core::method::Method;
use alrao_core::network::Network;
use alrao_core::optimizer::{Decay, LrScheduleKind};
use alrao_core::parameters::ParameterBuilder;
use alrao_core::state_dict::StateDict;
use alrao_core::streams::{Stream, stream};
use alrao_envs::{Environment, EnvironmentError, ObservationBuffer, ObservationRef, VectorEnv, VectorSnapshot};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::Device;

use crate::Error;
use crate::bodies::Bodies;
use crate::callback::{Callback, CallbackError, EndedEpisode, TrainingContext};
use crate::dqn::{Agent, AgentSettings, Scales, Update};
use crate::error::within;
use crate::evaluation::{Episodes, Evaluation, EvaluationProgress, play};
use crate::exploration::{ActionRepeat, Exploration};
use crate::frame_stack::stack_frames;
use crate::inputs::{Inputs, to_inputs};
use crate::mask::{Mask, random_action};
use crate::q_network::greedy_actions;
use crate::ready_callbacks::{StopAtReturn, StopWithoutImprovement};
use crate::replay::{End, Transition};

/// Length of a training run, and intervals of its validations, checkpoints and logs, in environment steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "PartialSchedule")]
pub struct Schedule {
    /// Length of the training.
    pub steps: u64,
    /// Interval of validations; by default a twentieth of `steps`.
    pub validate_every: u64,
    /// Episodes of a validation; by default 100.
    pub validation_episodes: usize,
    /// Episodes of the test; by default 100.
    pub test_episodes: usize,
    /// Environment steps after which an episode of a validation or test is ended; by default 10,000.
    pub max_evaluation_steps: u64,
    /// Interval of checkpoints; by default a tenth of `steps`, at most 10,000.
    pub checkpoint_every: u64,
    /// Minutes between checkpoints, if `checkpoint_every` takes longer; by default 5.
    pub checkpoint_minutes: f64,
    /// Interval of log lines about the updates; by default 500.
    pub log_every: u64,
    /// Mean return of a validation at which the training stops; never by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_at: Option<f64>,
    /// Validations in a row without improvement after which the training stops; never by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u64>,
    /// Whether a run records a GIF of the first episode of each validation.
    pub record: bool,
}

/// A schedule with optional fields, as in configurations.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartialSchedule {
    steps: u64,
    validate_every: Option<u64>,
    validation_episodes: Option<usize>,
    test_episodes: Option<usize>,
    max_evaluation_steps: Option<u64>,
    checkpoint_every: Option<u64>,
    checkpoint_minutes: Option<f64>,
    log_every: Option<u64>,
    stop_at: Option<f64>,
    patience: Option<u64>,
    record: Option<bool>,
}

impl From<PartialSchedule> for Schedule {
    fn from(partial: PartialSchedule) -> Self {
        let default = Schedule::of(partial.steps);
        Schedule {
            steps: partial.steps,
            validate_every: partial.validate_every.unwrap_or(default.validate_every),
            validation_episodes: partial.validation_episodes.unwrap_or(default.validation_episodes),
            test_episodes: partial.test_episodes.unwrap_or(default.test_episodes),
            max_evaluation_steps: partial.max_evaluation_steps.unwrap_or(default.max_evaluation_steps),
            checkpoint_every: partial.checkpoint_every.unwrap_or(default.checkpoint_every),
            checkpoint_minutes: partial.checkpoint_minutes.unwrap_or(default.checkpoint_minutes),
            log_every: partial.log_every.unwrap_or(default.log_every),
            stop_at: partial.stop_at,
            patience: partial.patience,
            record: partial.record.unwrap_or(default.record),
        }
    }
}

impl Schedule {
    /// Returns the default schedule of a training run of `steps` environment steps.
    pub fn of(steps: u64) -> Self {
        Schedule {
            steps,
            validate_every: steps.div_ceil(20).max(1),
            validation_episodes: 100,
            test_episodes: 100,
            max_evaluation_steps: 10_000,
            checkpoint_every: steps.div_ceil(10).clamp(1, 10_000),
            checkpoint_minutes: 5.0,
            log_every: 500,
            stop_at: None,
            patience: None,
            record: false,
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first invalid field.
    pub fn check(&self) -> Result<(), Error> {
        const MAX_EPISODES: usize = 10_000; // each has its own environment
        within("schedule.steps", self.steps, 1..)?;
        within("schedule.validate_every", self.validate_every, 1..)?;
        within("schedule.validation_episodes", self.validation_episodes, 1..=MAX_EPISODES)?;
        within("schedule.test_episodes", self.test_episodes, 1..=MAX_EPISODES)?;
        within("schedule.max_evaluation_steps", self.max_evaluation_steps, 1..)?;
        within("schedule.checkpoint_every", self.checkpoint_every, 1..)?;
        within("schedule.checkpoint_minutes", self.checkpoint_minutes, (Bound::Excluded(0.0), Bound::Unbounded))?;
        within("schedule.log_every", self.log_every, 1..)?;
        let finite = (Bound::Excluded(f64::NEG_INFINITY), Bound::Excluded(f64::INFINITY));
        within("schedule.stop_at", self.stop_at.unwrap_or(0.0), finite)?;
        within("schedule.patience", self.patience.unwrap_or(1), 1..)?;
        Ok(())
    }

    /// Returns the number of updates of an agent with these settings, which are [resolved](AgentSettings::resolve).
    ///
    /// # Errors
    /// [`Error::Setting`] if there are none.
    pub fn updates(&self, settings: &AgentSettings) -> Result<u64, Error> {
        let (learning_starts, train_freq) = (settings.learning_starts, settings.train_freq.expect("resolved"));
        let before = learning_starts / train_freq;
        let updates = (self.steps / train_freq).saturating_sub(before).saturating_mul(settings.gradient_steps);
        if updates == 0 {
            let problem = format!(
                "there are no updates with agent.learning_starts = {learning_starts} and agent.train_freq = {train_freq}; the \
                 first is at step {}",
                before.saturating_add(1).saturating_mul(train_freq)
            );
            return Err(Error::setting("schedule.steps", self.steps, problem));
        }
        Ok(updates)
    }
}

/// Something to log.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum DqnEvent {
    /// A training episode ended.
    Episode {
        /// Environment steps so far.
        step: u64,
        /// Episodes so far, including this episode.
        episode: u64,
        /// Return of the episode, in raw units.
        #[serde(rename = "return")]
        episode_return: f64,
        /// Length of the episode, in environment steps.
        length: u64,
        /// Whether it reached a terminal state rather than being truncated.
        terminated: bool,
        /// Probability of a random action at the end of the episode.
        epsilon: f64,
    },
    /// Means over the updates since the last such event.
    Update {
        /// Environment steps so far.
        step: u64,
        /// Updates so far.
        updates: u64,
        /// The mixture's loss, in nats.
        loss: f64,
        /// Largest action value of a state, averaged over states, in raw units of return.
        mean_max_q: f64,
        /// Largest action value, in raw units of return.
        max_q: f64,
        /// Factor on raw rewards.
        reward_factor: f64,
        /// The Switch's posterior over the heads, `[K]`.
        posterior: Vec<f64>,
        /// Units of the body that exploded: non-finite weights, or grown 100-fold.
        exploded_units: usize,
    },
    /// Validation of the greedy policy.
    Validation {
        /// Environment steps so far.
        step: u64,
        /// Statistics of the returns, in raw units.
        #[serde(flatten)]
        evaluation: Evaluation,
        /// Whether no earlier validation was better.
        best: bool,
    },
    /// A metric that a [callback](Callback) recorded.
    Metric {
        /// Environment steps so far.
        step: u64,
        /// The metric's name.
        name: String,
        /// The metric's value.
        value: f64,
    },
}

/// Reason why [`DqnTrainer::advance`] returned.
#[derive(Clone, Debug, PartialEq)]
pub enum DqnStopReason {
    /// There is an event to log.
    Event(DqnEvent),
    /// It is time to [`save`](DqnTrainer::save).
    Checkpoint,
    /// All environment steps are done.
    Finished,
}

/// Trains an agent in its environment.
pub struct DqnTrainer {
    schedule: Schedule,
    agent: Agent,
    exploration: Exploration,
    learning_starts: u64,
    train_freq: u64,
    gradient_steps: u64,
    environments: VectorEnv,
    validation_environments: Vec<Box<dyn Environment>>,
    validation_seeds: Vec<u64>,
    progress: Progress,
    saved: Instant,
    checkpoint_requested: fn() -> bool,
    watch: Box<dyn FnMut(EvaluationProgress)>,
    callbacks: Vec<Box<dyn Callback>>,
    pending: VecDeque<DqnStopReason>,
}

/// State of a training run, apart from tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Progress {
    step: u64,
    /// whether the validation after this step was interrupted, so that a checkpoint is from before it
    #[serde(default, skip_serializing_if = "is_false")]
    validation_due: bool,
    /// why a callback stopped the training
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    episode: u64,
    running: Vec<RunningEpisode>,
    best: Option<BestValidation>,
    sums: Sums,
    action_repeat: ActionRepeat,
    exploration: Stream,
    replay: Stream,
}

/// The episode of an environment that has not ended.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct RunningEpisode {
    #[serde(rename = "return")]
    episode_return: f64,
    length: u64,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The best validation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestValidation {
    /// Environment steps before the validation.
    pub step: u64,
    /// Mean return.
    #[serde(rename = "return", deserialize_with = "null_as_nan")]
    pub mean_return: f64,
}

/// Sums over the updates since the last log line.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Sums {
    updates: u64,
    loss: f64,
    mean_max_q: f64,
    max_q: Option<f64>,
}

/// State of a [`DqnTrainer`] besides its tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DqnTrainerState {
    progress: Progress,
    environments: Option<VectorSnapshot>,
    /// the states of the callbacks, by name
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    callbacks: BTreeMap<String, Value>,
    scales: Scales,
}

impl DqnTrainer {
    /// Creates the trainer of an agent in environments made by `make`. Every random draw derives from `seed`.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Core`]: the settings are invalid; [`Error::NoActions`], [`Error::Environment`]: the
    /// environment's actions are not discrete, or it failed.
    pub fn new(
        schedule: &Schedule,
        settings: &AgentSettings,
        method: &Method,
        make: &(dyn Fn() -> Result<Box<dyn Environment>, EnvironmentError> + Sync),
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        let inputs = Inputs::new(make()?.observation_space(), settings.frame_stack);
        let body = Bodies::default().body(&settings.network, inputs)?;
        Self::with_body(schedule, settings, body, method, make, seed, device)
    }

    /// Creates the trainer of an agent whose Q-network has a custom body, see
    /// [`QNetwork::with_body`](crate::q_network::QNetwork::with_body).
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Core`]: the settings or the body are invalid; [`Error::NoActions`],
    /// [`Error::Environment`]: the environment's actions are not discrete, or it failed.
    pub fn with_body<B: Body + 'static>(
        schedule: &Schedule,
        settings: &AgentSettings,
        body: impl FnOnce(&mut ParameterBuilder, i64) -> B,
        method: &Method,
        make: &(dyn Fn() -> Result<Box<dyn Environment>, EnvironmentError> + Sync),
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        schedule.check()?;
        let environment = make()?;
        let (space, actions) = (environment.observation_space(), environment.num_actions());
        let settings = &settings.with_defaults(space, method);
        settings.check()?;
        let updates = schedule.updates(settings)?;
        if actions == 0 {
            return Err(Error::NoActions);
        }
        let mut method = method.clone();
        if settings.lr_schedule == LrScheduleKind::Cosine {
            method.lr_schedule.decay = Decay::Cosine { updates };
        }
        let agent = Agent::with_body(space, actions, settings, body, &method, seed, device)?;
        let make_stacked = || Ok(stack_frames(make()?, settings.frame_stack));
        let num_envs = settings.num_envs;
        let [nonzero, threads] = [num_envs, settings.env_threads].map(|count| NonZero::new(count).expect("checked"));
        let episode_seed = move |env, episode| episode_seed(seed, episode * num_envs as u64 + env as u64);
        let mut environments = VectorEnv::new(nonzero, threads, |_| make_stacked(), episode_seed)?;
        environments.reset()?;
        let progress = Progress {
            step: 0,
            validation_due: false,
            stopped: None,
            episode: 0,
            running: vec![RunningEpisode::default(); num_envs],
            best: None,
            sums: Sums::default(),
            action_repeat: ActionRepeat::new(num_envs),
            exploration: stream(seed, "exploration"),
            replay: stream(seed, "replay"),
        };
        let validation_environments =
            (0..schedule.validation_episodes).map(|_| make_stacked()).collect::<Result<_, EnvironmentError>>()?;
        Ok(DqnTrainer {
            agent,
            exploration: settings.exploration,
            learning_starts: settings.learning_starts,
            train_freq: settings.train_freq.expect("a default"),
            gradient_steps: settings.gradient_steps,
            environments,
            validation_environments,
            validation_seeds: episode_seeds(seed, "validation", schedule.validation_episodes),
            progress,
            saved: Instant::now(),
            checkpoint_requested: || false,
            watch: Box::new(|_| {}),
            callbacks: ready_callbacks(schedule),
            pending: VecDeque::new(),
            schedule: schedule.clone(),
        })
    }

    /// Trains until there is an event, a checkpoint is due, or the training is finished.
    ///
    /// # Errors
    /// [`Error::Core`] if learning diverged, [`Error::Environment`] if the environment failed.
    pub fn advance(&mut self) -> Result<DqnStopReason, Error> {
        while self.pending.is_empty() && (!self.is_over() || self.progress.validation_due) {
            self.step()?;
        }
        Ok(self.pending.pop_front().unwrap_or(DqnStopReason::Finished))
    }

    /// Has `requested` called after each step of the environments, also of validations; if it returns true, a checkpoint is due. A
    /// validation under way is broken off for it, and made again when the training goes on.
    pub fn checkpoint_when(&mut self, requested: fn() -> bool) {
        self.checkpoint_requested = requested;
    }

    /// Adds a callback, which is called after those that were added before.
    ///
    /// # Errors
    /// [`Error::DuplicateCallback`] if there is a callback of this name; `stop_at` and `patience` are those of the schedule.
    pub fn add_callback(&mut self, callback: Box<dyn Callback>) -> Result<(), Error> {
        if self.callbacks.iter().any(|other| other.name() == callback.name()) {
            return Err(Error::DuplicateCallback { name: callback.name().into() });
        }
        self.callbacks.push(callback);
        Ok(())
    }

    /// Returns why a callback stopped the training, if one did.
    pub fn stopped(&self) -> Option<&str> {
        self.progress.stopped.as_deref()
    }

    /// Has `watch` called before each environment step of a validation.
    pub fn watch_validations(&mut self, watch: impl FnMut(EvaluationProgress) + 'static) {
        self.watch = Box::new(watch);
    }

    /// Returns the best validation so far.
    pub fn best(&self) -> Option<BestValidation> {
        self.progress.best
    }

    /// Returns the network that is evaluated and, after the best validation, checkpointed: the target network.
    pub fn eval_network(&self) -> &Network<NormalizedBody> {
        self.agent.target()
    }

    /// Returns the agent.
    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    /// Returns the environment steps so far.
    pub fn steps(&self) -> u64 {
        self.progress.step
    }

    /// Returns the whole state: the networks' tensors, the replay buffer's, and the rest. Call it at a
    /// [`DqnStopReason::Checkpoint`], after all events were returned.
    pub fn save(&self) -> (StateDict, StateDict, DqnTrainerState) {
        assert!(self.pending.is_empty(), "events would be lost");
        let (mut tensors, mut replay) = (StateDict::default(), StateDict::default());
        let scales = self.agent.save(&mut tensors, &mut replay);
        let (progress, environments) = (self.progress.clone(), self.environments.snapshot());
        let callbacks = self.callbacks.iter().map(|callback| (callback.name().into(), callback.save())).collect();
        (tensors, replay, DqnTrainerState { progress, environments, callbacks, scales })
    }

    /// Restores the state written by `save`; the settings must be equal.
    ///
    /// # Errors
    /// [`Error::Core`], [`Error::Environment`]: the state is another network's or environment's; [`Error::Callback`]: there
    /// are other callbacks than at the checkpoint, or one can't restore its state.
    pub fn load(&mut self, tensors: &StateDict, replay: &StateDict, state: DqnTrainerState) -> Result<(), Error> {
        self.agent.load(tensors, replay, state.scales)?;
        if let Some(snapshot) = &state.environments {
            self.environments.restore(snapshot)?;
        }
        self.progress = state.progress;
        let step = self.progress.step;
        let mut states = state.callbacks;
        for callback in &mut self.callbacks {
            let name = callback.name().to_string();
            let state = states.remove(&name).ok_or_else(|| "the checkpoint has no state of it".into());
            state.and_then(|state| callback.load(state)).map_err(|source| Error::Callback { name, step, source })?;
        }
        match states.into_keys().next() {
            Some(name) => {
                Err(Error::Callback { name, step, source: "the checkpoint has its state: add it again".into() })
            }
            None => Ok(()),
        }
    }

    /// Steps the environments, with the updates, validations and checkpoints that are due; after a validation that was broken
    /// off, makes this validation first.
    fn step(&mut self) -> Result<(), Error> {
        if !self.progress.validation_due {
            self.learn()?;
        }
        if self.progress.validation_due {
            self.progress.validation_due = !self.validate()?;
        }
        if self.is_over() && !self.progress.validation_due {
            if self.progress.sums.updates > 0 {
                self.emit_update();
            }
            self.call(|callback, training| callback.on_training_end(training))?;
        }
        let minutes = self.saved.elapsed().as_secs_f64() / 60.0;
        if self.is_due(self.schedule.checkpoint_every)
            || minutes >= self.schedule.checkpoint_minutes
            || self.progress.validation_due
            || (self.checkpoint_requested)()
        {
            self.call(|callback, training| callback.on_checkpoint(training))?;
            self.saved = Instant::now();
            self.pending.push_back(DqnStopReason::Checkpoint);
        }
        Ok(())
    }

    /// Returns whether all steps are done, or a callback stopped the training.
    fn is_over(&self) -> bool {
        self.progress.step == self.schedule.steps || self.progress.stopped.is_some()
    }

    /// Calls all callbacks, emits their metrics and notes a stop.
    fn call(
        &mut self,
        mut call: impl FnMut(&mut dyn Callback, &mut TrainingContext<'_>) -> Result<(), CallbackError>,
    ) -> Result<(), Error> {
        let step = self.progress.step;
        let (agent, budget) = (&self.agent, self.schedule.steps);
        let mut training = TrainingContext { step, budget, agent, metrics: Vec::new(), stopped: None };
        for callback in &mut self.callbacks {
            let called = catch_unwind(AssertUnwindSafe(|| call(callback.as_mut(), &mut training)));
            let result = called.unwrap_or_else(|panic| Err(format!("panicked: {}", panic_message(&*panic)).into()));
            result.map_err(|source| Error::Callback { name: callback.name().into(), step, source })?;
        }
        let TrainingContext { metrics, stopped, .. } = training;
        self.progress.stopped = self.progress.stopped.take().or(stopped);
        for (name, value) in metrics {
            self.emit(DqnEvent::Metric { step, name, value });
        }
        Ok(())
    }

    /// Returns whether the last step of the environments reached or passed a multiple of `every`, or ended the training.
    fn is_due(&self, every: u64) -> bool {
        let Progress { step, running, .. } = &self.progress;
        self.is_over() || step % every < running.len() as u64
    }

    /// Steps the environments, with the updates due, and notes whether a validation is due. The transitions of the last step
    /// that exceed the schedule are dropped.
    fn learn(&mut self) -> Result<(), Error> {
        if self.progress.step == 0 {
            self.call(|callback, training| callback.on_training_start(training))?;
        }
        let epsilon = match self.progress.action_repeat.is_active(&self.exploration) {
            true => 1.0,
            false => self.exploration.epsilon(self.progress.step, self.schedule.steps),
        };
        let actions = self.choose_actions(epsilon)?;
        let inputs = self.agent.inputs();
        let newest = |env: usize, stacks: ObservationRef<'_>| {
            let start = env * inputs.len();
            stacks.slice(start + inputs.newest().start..start + inputs.len()).to_buffer()
        };
        let stacks = self.environments.typed_observations();
        let before: Vec<ObservationBuffer> = (0..actions.len()).map(|env| newest(env, stacks)).collect();
        let mask = |env| self.environments.action_mask(env).map(<[bool]>::to_vec);
        let masks: Vec<Option<Vec<bool>>> = (0..actions.len()).map(mask).collect();
        self.environments.step(&actions)?;
        let left = (self.schedule.steps - self.progress.step) as usize;
        for (env, ((action, before), mask)) in actions.into_iter().zip(before).zip(masks).enumerate().take(left) {
            let step = self.environments.steps()[env];
            let (observation, mask, reward, end) = (before.as_ref(), mask.as_deref(), step.reward, End::of(&step));
            let next = newest(env, self.environments.typed_final_observations());
            let (next, next_mask) = (next.as_ref(), self.environments.final_action_mask(env));
            self.agent.add(Transition { observation, mask, action, reward, next, next_mask, end });
            self.finish_step(env, reward, end, epsilon)?;
        }
        self.call(|callback, training| callback.on_step(training))?;
        self.progress.validation_due =
            self.is_due(self.schedule.validate_every) && self.progress.step > self.learning_starts;
        Ok(())
    }

    /// Chooses an action for each environment: a random one with probability `epsilon`, else the greedy one, by one pass for
    /// all.
    fn choose_actions(&mut self, epsilon: f64) -> Result<Vec<usize>, Error> {
        let (rng, count) = (&mut self.progress.exploration, self.environments.num_actions());
        let repeat = &mut self.progress.action_repeat;
        let masks: Vec<Mask> = (0..self.progress.running.len()).map(|env| self.environments.action_mask(env)).collect();
        let mut explore = |env: usize| {
            if repeat.is_active(&self.exploration) {
                Some(repeat.action(env, &self.exploration, count, masks[env], rng))
            } else if rng.random::<f64>() < epsilon {
                Some(random_action(count, masks[env], rng))
            } else {
                None
            }
        };
        let random: Vec<Option<usize>> = (0..masks.len()).map(&mut explore).collect();
        let (len, stacks) = (self.agent.inputs().len(), self.environments.typed_observations());
        let (mut inputs, mut of_inputs) = (Vec::new(), Vec::new());
        for env in (0..masks.len()).filter(|&env| random[env].is_none()) {
            inputs.extend_from_slice(&to_inputs(stacks.slice(env * len..(env + 1) * len)));
            of_inputs.push(masks[env]);
        }
        let greedy = match of_inputs.is_empty() {
            true => Vec::new(),
            false => greedy_actions(self.agent.q().network(), &inputs, &of_inputs)?,
        };
        let mut greedy = greedy.into_iter();
        Ok(random.into_iter().map(|random| random.or_else(|| greedy.next()).expect("an action")).collect())
    }

    /// Counts an environment's step, makes the updates due and emits its events.
    fn finish_step(&mut self, env: usize, reward: f64, end: End, epsilon: f64) -> Result<(), Error> {
        let running = &mut self.progress.running[env];
        running.episode_return += reward;
        running.length += 1;
        self.progress.step += 1;
        let step = self.progress.step;
        if step > self.learning_starts && step.is_multiple_of(self.train_freq) {
            let progress = step as f64 / self.schedule.steps as f64;
            for _ in 0..self.gradient_steps {
                let update = self.agent.learn(progress, &mut self.progress.replay)?;
                self.progress.sums.add(update);
            }
        }
        if end != End::NotDone {
            self.finish_episode(env, end, epsilon)?;
        }
        let logged = step == self.schedule.steps || step.is_multiple_of(self.schedule.log_every);
        if logged && self.progress.sums.updates > 0 {
            self.emit_update();
        }
        Ok(())
    }

    /// Emits the event of an environment's ended episode.
    fn finish_episode(&mut self, env: usize, end: End, epsilon: f64) -> Result<(), Error> {
        let progress = &mut self.progress;
        progress.episode += 1;
        let RunningEpisode { episode_return, length } = std::mem::take(&mut progress.running[env]);
        progress.action_repeat.end_episode(env, episode_return);
        let (step, episode, terminated) = (progress.step, progress.episode, end == End::Terminated);
        self.emit(DqnEvent::Episode { step, episode, episode_return, length, terminated, epsilon });
        let ended = EndedEpisode { episode_return, length, terminated };
        self.call(|callback, training| callback.on_episode_end(training, ended))
    }

    fn emit(&mut self, event: DqnEvent) {
        self.pending.push_back(DqnStopReason::Event(event));
    }

    fn emit_update(&mut self) {
        let Sums { updates, loss, mean_max_q, max_q } = std::mem::take(&mut self.progress.sums);
        let (learner, network) = (self.agent.q().learner(), self.agent.q().network());
        self.emit(DqnEvent::Update {
            step: self.progress.step,
            updates: learner.updates(),
            loss: loss / updates as f64,
            mean_max_q: mean_max_q / updates as f64,
            max_q: max_q.expect("there was an update"),
            reward_factor: self.agent.reward_factor(),
            posterior: learner.posterior(),
            exploded_units: learner.exploded_units(network),
        });
    }

    /// Validates, and returns whether it was done; it is broken off if a checkpoint is requested.
    fn validate(&mut self) -> Result<bool, Error> {
        let step = self.progress.step;
        let go_on = |progress| {
            (self.watch)(progress);
            !(self.checkpoint_requested)()
        };
        let policy =
            |observations: &[f32], masks: &[Mask]| Ok(greedy_actions(self.agent.target(), observations, masks)?);
        let max_steps = self.schedule.max_evaluation_steps;
        let played = play(&mut self.validation_environments, &self.validation_seeds, max_steps, go_on, policy)?;
        let Some((returns, at_limit)) = played else { return Ok(false) };
        let evaluation = Evaluation { at_limit, ..Evaluation::of(&returns) };
        let mean_return = evaluation.returns.mean;
        let best = self.progress.best.is_none_or(|best| mean_return >= best.mean_return);
        if best {
            self.progress.best = Some(BestValidation { step, mean_return });
        }
        self.emit(DqnEvent::Validation { step, evaluation, best });
        self.call(|callback, training| callback.on_validation(training, &evaluation))?;
        Ok(true)
    }
}

impl Sums {
    fn add(&mut self, update: Update) {
        self.updates += 1;
        self.loss += update.loss;
        self.mean_max_q += update.mean_max_q;
        self.max_q = Some(self.max_q.map_or(update.max_q, |max_q| max_q.max(update.max_q)));
    }
}

/// Returns the callbacks that a schedule asks for.
fn ready_callbacks(schedule: &Schedule) -> Vec<Box<dyn Callback>> {
    let stop_at = schedule.stop_at.map(|threshold| Box::new(StopAtReturn { threshold }) as Box<dyn Callback>);
    let patience = schedule.patience.map(|patience| Box::new(StopWithoutImprovement::new(patience)) as _);
    stop_at.into_iter().chain(patience).collect()
}

/// Returns the message of a panic.
fn panic_message(panic: &dyn std::any::Any) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Returns the seed of the `index`-th episode of a training.
fn episode_seed(seed: u64, index: u64) -> u64 {
    let mut rng = stream(seed, "episodes");
    rng.advance(index.into()); // a seed is one draw
    rng.random()
}

/// Returns the seeds of `episodes` episodes; different purposes share none.
pub fn episode_seeds(seed: u64, purpose: &str, episodes: usize) -> Vec<u64> {
    let mut rng = stream(seed, purpose);
    (0..episodes).map(|_| rng.random()).collect()
}

/// Fresh episodes of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestEpisodes {
    /// The run's seed, from which the episodes' seeds derive.
    pub seed: u64,
    /// Number of episodes.
    pub episodes: usize,
    /// Environment steps after which an episode is ended.
    pub max_steps: u64,
}

/// Tests the greedy policy of `network` on fresh episodes; `watch` is called before each environment step. The environments
/// return the network's inputs, see [`stack_frames`].
///
/// # Errors
/// [`Error::Environment`] if the environment fails.
pub fn test<B: Body>(
    network: &Network<B>,
    make: &dyn Fn() -> Result<Box<dyn Environment>, EnvironmentError>,
    episodes: TestEpisodes,
    watch: impl FnMut(EvaluationProgress),
) -> Result<Episodes, Error> {
    test_policy(make, episodes, watch, |observations, masks| Ok(greedy_actions(network, observations, masks)?))
}

/// Tests the random policy on fresh episodes; `watch` is called before each environment step.
///
/// # Errors
/// [`Error::Environment`] if the environment fails.
pub fn test_random(
    make: &dyn Fn() -> Result<Box<dyn Environment>, EnvironmentError>,
    episodes: TestEpisodes,
    watch: impl FnMut(EvaluationProgress),
) -> Result<Episodes, Error> {
    let actions = make()?.num_actions();
    let mut rng = stream(episodes.seed, "random policy");
    test_policy(make, episodes, watch, |_, masks| {
        Ok(masks.iter().map(|mask| random_action(actions, *mask, &mut rng)).collect())
    })
}

fn test_policy(
    make: &dyn Fn() -> Result<Box<dyn Environment>, EnvironmentError>,
    TestEpisodes { seed, episodes, max_steps }: TestEpisodes,
    mut watch: impl FnMut(EvaluationProgress),
    policy: impl FnMut(&[f32], &[Mask]) -> Result<Vec<usize>, Error>,
) -> Result<Episodes, Error> {
    let mut environments = (0..episodes).map(|_| make()).collect::<Result<Vec<_>, _>>()?;
    let go_on = |progress| {
        watch(progress);
        true
    };
    let seeds = episode_seeds(seed, "test", episodes);
    let played = play(&mut environments, &seeds, max_steps, go_on, policy)?;
    let (returns, at_limit) = played.expect("it went on");
    Ok(Episodes { seeds, returns, at_limit })
}
