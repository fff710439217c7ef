//! Runs that train a supervised model.

use alrao_core::network::Network;
use alrao_core::path::Shown;
use alrao_core::state_dict::StateDict;
use alrao_core::units::Units;
use alrao_tasks::Error;
use alrao_tasks::data::{Data, SkippedFile};
use alrao_tasks::model::Model;
use alrao_tasks::settings::SupervisedTask;
use alrao_tasks::training::{SupervisedStopReason, SupervisedTrainer, SupervisedTrainerState};
use anyhow::Result;
use tch::Device;

use super::evaluation_display::EvaluationDisplay;
use super::{Event, StopReason, Trainer};
use crate::config::{Config, OptimizerKind};
use crate::output::note;
use crate::summary::{Outcome, Summary};
use crate::usage_error::UsageError;

/// The trainer of a supervised run.
pub struct SupervisedRun {
    task: SupervisedTask,
    training: SupervisedTrainer,
    device: Device,
}

impl SupervisedRun {
    /// Creates the trainer of a configuration, before its first update.
    ///
    /// # Errors
    /// A setting is invalid.
    pub fn new(config: &Config, task: &SupervisedTask, data: Data, device: Device) -> Result<Self> {
        let method = config.method()?;
        data.notes().iter().for_each(|note| note!("{note}"));
        let network = task.network(&data, &method, config.seed, device).map_err(|error| match error {
            Error::Setting { .. } | Error::Core(alrao_core::Error::Memory { .. }) => UsageError::of(error).into(),
            error => anyhow::Error::from(error),
        })?;
        let training = SupervisedTrainer::new(&task.training, data, network, &method, config.seed, device)?;
        Ok(SupervisedRun { task: task.clone(), training, device })
    }

    /// Reads all test data, so that corrupt files are known before the training.
    ///
    /// # Errors
    /// Too many files are corrupt.
    pub fn check_test_data(&mut self) -> Result<()> {
        self.show_evaluations(EvaluationDisplay::new());
        Ok(self.training.check_test_data()?)
    }
}

impl Trainer for SupervisedRun {
    type State = SupervisedTrainerState;

    fn advance(&mut self) -> Result<StopReason> {
        Ok(match self.training.advance()? {
            SupervisedStopReason::Event(event) => StopReason::Event(Event::Supervised(event)),
            SupervisedStopReason::Checkpoint => StopReason::Checkpoint,
            SupervisedStopReason::Finished => StopReason::Finished,
        })
    }

    fn checkpoint_when(&mut self, requested: fn() -> bool) {
        self.training.checkpoint_when(requested);
    }

    fn show_evaluations(&mut self, mut display: EvaluationDisplay) {
        self.training.watch_evaluations(Box::new(move |split, done, all| display.batches(split, done, all)));
    }

    fn budget_unit(&self) -> &'static str {
        "epochs"
    }

    fn progress(&self) -> f64 {
        self.training.fractional_epochs()
    }

    fn work_done(&self) -> u64 {
        self.training.samples()
    }

    fn work_unit(&self) -> &'static str {
        self.training.data().sample_name()
    }

    fn best(&self) -> StateDict {
        let mut tensors = StateDict::default();
        self.training.eval_network().save("network", &mut tensors);
        tensors
    }

    fn save(&self) -> (Vec<(&'static str, StateDict)>, SupervisedTrainerState) {
        let (learner, state) = self.training.save();
        (vec![("learner", learner)], state)
    }

    fn load(&mut self, read: &dyn Fn(&str) -> Result<StateDict>, state: SupervisedTrainerState) -> Result<()> {
        Ok(self.training.load(&read("learner")?, state)?)
    }

    fn units(&self, config: &Config) -> Result<Option<Units>> {
        let first = self.task.network(self.training.data(), &config.method()?, config.seed, self.device)?;
        Ok(self.training.units(&first))
    }

    fn summary(&self, config: &Config, best: Option<StateDict>, seconds: f64, diverged: bool) -> Result<Summary> {
        let test = best.map(|best| -> Result<_> {
            let network = network(config, &self.task, self.training.data(), &best, self.device)?;
            let mut display = EvaluationDisplay::new();
            let watch = |split, done, all| display.batches(split, done, all);
            let (scores, skipped_files) = self.training.test(&network, watch)?;
            print_skipped(&skipped_files);
            Ok((scores, skipped_files.len()))
        });
        let (test, skipped_by_test) = test.transpose()?.unzip();
        let alrao = config.optimizer.kind == OptimizerKind::Alrao;
        Ok(Summary {
            task: config.task.name(),
            seed: config.seed,
            optimizer: config.optimizer.kind.name().into(),
            seconds,
            diverged: diverged || self.training.best().is_none(),
            outcome: Outcome::Supervised {
                epochs: self.training.epochs(),
                updates: self.training.updates(),
                best: self.training.best(),
                test,
                skipped_files: self.training.skipped_files() + skipped_by_test.unwrap_or(0),
                notes: self.training.data().notes(),
            },
            lr_diagnostics: alrao.then(|| self.training.diagnose()),
        })
    }
}

/// Creates the network of a run and loads its parameters from `tensors`.
///
/// # Errors
/// The tensors are of another network.
pub fn network(
    config: &Config,
    task: &SupervisedTask,
    data: &Data,
    tensors: &StateDict,
    device: Device,
) -> Result<Network<Model>> {
    let mut network = task.network(data, &config.method()?, config.seed, device)?;
    network.load("network", tensors)?;
    Ok(network)
}

/// Prints the files that a test skipped.
pub fn print_skipped(skipped_files: &[SkippedFile]) {
    skipped_files.iter().for_each(|file| note!("{}: {}; skipped", file.path.shown(), file.problem));
}
