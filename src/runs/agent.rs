//! Runs that train an agent.

use std::path::Path;

use alrao_agents::Error;
use alrao_agents::inputs::Inputs;
use alrao_agents::q_network::QNetwork;
use alrao_agents::training::{self, DqnEvent, DqnStopReason, DqnTrainer, DqnTrainerState, episode_seeds};
use alrao_core::layers::NormalizedBody;
use alrao_core::network::Network;
use alrao_core::path::Shown;
use alrao_core::state_dict::StateDict;
use alrao_core::units::Units;
use anyhow::Result;
use tch::Device;

use super::episode::Episode;
use super::evaluation_display::EvaluationDisplay;
use super::watchdog::Watchdog;
use super::{Event, StopReason, Trainer};
use crate::catalog::Catalog;
use crate::config::{AgentTask, Config};
use crate::run_directory::load_best;
use crate::summary::{Outcome, Summary};
use crate::usage_error::UsageError;

/// The tensor of the factor on raw rewards, by which the values of the best network are scaled.
const REWARD_FACTOR: &str = "reward_factor";

/// The trainer of an agent's run.
pub struct AgentRun {
    task: Box<AgentTask>,
    catalog: Catalog,
    training: DqnTrainer,
    device: Device,
    _watchdog: Watchdog,
}

impl AgentRun {
    /// Creates the trainer of a configuration, before its first step.
    ///
    /// # Errors
    /// As [`DqnTrainer::new`], but a [`UsageError`] for an invalid setting.
    pub fn new(config: &Config, catalog: &Catalog, device: Device) -> Result<Self> {
        let task = Box::new(config.task.agent()?.clone());
        let make = || task.make(catalog);
        let method = config.method()?;
        let inputs = Inputs::new(make()?.observation_space(), task.agent.frame_stack);
        let body = catalog.bodies.body(&task.agent.network, inputs).map_err(UsageError::of)?;
        let training = DqnTrainer::with_body(&task.schedule, &task.agent, body, &method, &make, config.seed, device);
        let training = training.map_err(|error| match error {
            Error::Setting { .. } | Error::NoActions | Error::Core(alrao_core::Error::Memory { .. }) => {
                UsageError::of(error).into()
            }
            error => anyhow::Error::from(error),
        })?;
        let mut training = training;
        catalog.callbacks.iter().try_for_each(|make| training.add_callback(make()).map_err(UsageError::of))?;
        Ok(AgentRun { training, task, catalog: catalog.clone(), device, _watchdog: Watchdog::start() })
    }
}

impl Trainer for AgentRun {
    type State = DqnTrainerState;

    fn advance(&mut self) -> Result<StopReason> {
        Ok(match self.training.advance()? {
            DqnStopReason::Event(event) => StopReason::Event(Event::Agent(event)),
            DqnStopReason::Checkpoint => StopReason::Checkpoint,
            DqnStopReason::Finished => StopReason::Finished,
        })
    }

    fn checkpoint_when(&mut self, requested: fn() -> bool) {
        self.training.checkpoint_when(requested);
    }

    fn show_evaluations(&mut self, mut display: EvaluationDisplay) {
        self.training.watch_validations(move |progress| display.episodes("validation", progress));
    }

    fn budget_unit(&self) -> &'static str {
        "env steps"
    }

    fn progress(&self) -> f64 {
        self.training.steps() as f64
    }

    fn work_done(&self) -> u64 {
        self.training.steps()
    }

    fn work_unit(&self) -> &'static str {
        "steps"
    }

    fn best(&self) -> StateDict {
        let mut tensors = StateDict::default();
        self.training.eval_network().save("network", &mut tensors);
        tensors.insert_slice(REWARD_FACTOR, &[self.training.agent().reward_factor()]);
        tensors
    }

    fn recording(&self, config: &Config, event: &Event) -> Result<Option<Episode>> {
        let (true, Event::Agent(DqnEvent::Validation { .. })) = (self.task.schedule.record, event) else {
            return Ok(None);
        };
        let seed = episode_seeds(config.seed, "validation", 1)[0];
        Episode::play(&self.task, &self.catalog, self.training.eval_network(), seed).map(Some)
    }

    fn save(&self) -> (Vec<(&'static str, StateDict)>, DqnTrainerState) {
        let (learner, replay, state) = self.training.save();
        (vec![("learner", learner), ("replay", replay)], state)
    }

    fn load(&mut self, read: &dyn Fn(&str) -> Result<StateDict>, state: DqnTrainerState) -> Result<()> {
        Ok(self.training.load(&read("learner")?, &read("replay")?, state)?)
    }

    fn units(&self, config: &Config) -> Result<Option<Units>> {
        let q = self.training.agent().q();
        Ok(q.learner().units(q.network(), first_q(config, &self.catalog, self.device)?.network()))
    }

    fn summary(&self, config: &Config, best: Option<StateDict>, seconds: f64, diverged: bool) -> Result<Summary> {
        let task = &self.task;
        let episodes = task.test_episodes(config.seed);
        let mut display = EvaluationDisplay::new();
        let make = || task.make_stacked(&self.catalog);
        let test = best.map(|best| -> Result<_> {
            let network = network(config, &self.catalog, &best, self.device)?;
            let watch = |progress| display.episodes("test", progress);
            Ok(training::test(&network, &make, episodes, watch)?.summarize())
        });
        let test = test.transpose()?;
        let random = |progress| display.episodes("random policy", progress);
        let random_policy = training::test_random(&make, episodes, random)?.summarize();
        Ok(Summary {
            task: config.task.name(),
            seed: config.seed,
            optimizer: config.optimizer.kind.name().into(),
            seconds,
            diverged,
            outcome: Outcome::Agent {
                steps: self.training.steps(),
                stopped: self.training.stopped().map(Into::into),
                best: self.training.best(),
                test,
                random_policy,
            },
            lr_diagnostics: self.training.agent().diagnose(),
        })
    }
}

/// Creates the Q-network of a configuration and loads its parameters from `tensors`.
///
/// # Errors
/// The tensors are of another network, or the environment can't be created.
pub fn network(
    config: &Config,
    catalog: &Catalog,
    tensors: &StateDict,
    device: Device,
) -> Result<Network<NormalizedBody>> {
    let mut network = first_q(config, catalog, device)?.network().copy();
    network.load("network", tensors)?;
    Ok(network)
}

/// Reads the factor from raw action values to those of the network in `tensors`, the best checkpoint of `run`.
///
/// # Errors
/// [`UsageError`] if there is none.
pub fn reward_factor(tensors: &StateDict, run: &Path) -> Result<f64> {
    let factor = tensors.get_vec(REWARD_FACTOR, 1).map_err(|_| {
        let problem =
            "its best checkpoint doesn't say how returns are scaled, as an earlier alrao wrote it; train again";
        UsageError(format!("{}: {problem}", run.shown()))
    })?;
    Ok(factor[0])
}

/// Plays the episode of this seed, or the run's first test episode, with the greedy policy of its best checkpoint.
///
/// # Errors
/// [`UsageError`] if the run doesn't exist, or its environment has no picture.
pub fn episode(catalog: &Catalog, run: &Path, seed: Option<u64>) -> Result<Episode> {
    let config = Config::of_run(run)?.resolve_run(run, catalog)?;
    tch::set_num_threads(config.threads as i32);
    let network = network(&config, catalog, &load_best(run)?, Device::Cpu)?;
    let seed = seed.unwrap_or(episode_seeds(config.seed, "test", 1)[0]);
    Episode::play(config.task.agent()?, catalog, &network, seed)
}

/// Creates the initial Q-network of a run.
fn first_q(config: &Config, catalog: &Catalog, device: Device) -> Result<QNetwork> {
    let task = config.task.agent()?;
    let environment = task.make(catalog)?;
    let actions = environment.num_actions();
    let inputs = Inputs::new(environment.observation_space(), task.agent.frame_stack);
    let (settings, method) = (&task.agent.network, config.method()?);
    let body = catalog.bodies.body(settings, inputs)?;
    Ok(QNetwork::with_body(inputs, actions, settings, body, &method, config.seed, device)?)
}
