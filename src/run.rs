//! A run from code: [`Run`] creates it in a directory, trains, resumes and evaluates it, and loads its policy.

use std::path::{Path, PathBuf};

use alrao_agents::evaluation::Evaluation;
use alrao_agents::q_network::greedy_actions;
use alrao_agents::training::{self, TestEpisodes};
use alrao_core::layers::NormalizedBody;
use alrao_core::network::Network;
use anyhow::Result as Anyhow;
use tch::{Device, Tensor};

use crate::catalog::Catalog;
use crate::config::Config;
use crate::error::Error;
use crate::run_directory::{RunDirectory, load_best, read_summary};
use crate::runs::{self, agent};
use crate::summary::Summary;

/// A run and its directory.
///
/// ```no_run
/// use alrao::envs::EnvironmentSettings;
/// use alrao::{Catalog, Config, Run};
///
/// let mut config = Config::agent(EnvironmentSettings::new("cartpole"), 20_000);
/// config.seed = 1;
/// let run = Run::create("runs/mine", config, &Catalog::builtin())?;
/// let summary = run.train()?; // after a crash: `Run::open`, then `train`
/// println!("{}, over 1000 episodes {:?}", summary.outcome.describe(), run.evaluate(1000, 7)?.returns);
/// let policy = run.policy()?;
/// let action = policy.action(&[0.0, 0.1, 0.0, -0.1])?;
/// # Ok::<(), alrao::Error>(())
/// ```
#[derive(Debug)]
pub struct Run {
    path: PathBuf,
    config: Config,
    catalog: Catalog,
}

impl Run {
    /// Creates a run of this configuration in a new directory.
    ///
    /// # Errors
    /// [`Error::Usage`] before anything is written, if a setting or the device is invalid, or the directory exists;
    /// [`Error::Failed`] if it can't be written.
    pub fn create(path: impl AsRef<Path>, config: Config, catalog: &Catalog) -> Result<Self, Error> {
        let create = || -> Anyhow<Self> {
            let config = config.complete(catalog)?;
            let directory = RunDirectory::create(path.as_ref(), &config, None)?;
            Ok(Run { path: directory.path().to_path_buf(), config, catalog: catalog.clone() })
        };
        create().map_err(Error::from)
    }

    /// Opens a run that was created before.
    ///
    /// # Errors
    /// [`Error::Usage`] if it is not a run directory, or its environment is not in the catalog.
    pub fn open(path: impl AsRef<Path>, catalog: &Catalog) -> Result<Self, Error> {
        let config = Config::of_run(path.as_ref()).and_then(|config| config.resolve_run(path.as_ref(), catalog));
        Ok(Run { path: path.as_ref().to_path_buf(), config: config?, catalog: catalog.clone() })
    }

    /// Returns the run's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Trains and tests the run, from its last checkpoint if there is one; the result is bit-identical to that of an
    /// uninterrupted run. A finished run is left unchanged. Sets libtorch's number of threads for the whole process.
    ///
    /// # Errors
    /// [`Error::Usage`] if another process trains the run; else [`Error::Failed`] with the error that stopped it.
    pub fn train(&self) -> Result<Summary, Error> {
        Ok(runs::resume(&self.path, &self.catalog)?)
    }

    /// Returns the final metrics; none before the run has finished.
    ///
    /// # Errors
    /// [`Error::Failed`] if the file is corrupt.
    pub fn summary(&self) -> Result<Option<Summary>, Error> {
        Ok(read_summary(&self.path)?)
    }

    /// Evaluates the best checkpoint's greedy policy on `episodes` episodes, whose seeds derive from `seed`.
    ///
    /// # Errors
    /// [`Error::Usage`] if the run is not an agent's, or has no best checkpoint; [`Error::Failed`] if the environment
    /// fails.
    pub fn evaluate(&self, episodes: usize, seed: u64) -> Result<Evaluation, Error> {
        let evaluate = || -> Anyhow<Evaluation> {
            let task = self.config.task.agent()?;
            let network = agent::network(&self.config, &self.catalog, &load_best(&self.path)?, Device::Cpu)?;
            let episodes = TestEpisodes { episodes, ..task.test_episodes(seed) };
            Ok(training::test(&network, &|| task.make_stacked(&self.catalog), episodes, |_| {})?.summarize())
        };
        evaluate().map_err(Error::from)
    }

    /// Loads the best checkpoint's greedy policy, on the CPU.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn policy(&self) -> Result<Policy, Error> {
        let load = || -> Anyhow<Policy> {
            let best = load_best(&self.path)?;
            let network = agent::network(&self.config, &self.catalog, &best, Device::Cpu)?;
            Ok(Policy { network, reward_factor: agent::reward_factor(&best, &self.path)? })
        };
        load().map_err(Error::from)
    }
}

/// The greedy policy of a trained agent.
pub struct Policy {
    network: Network<NormalizedBody>,
    /// factor from raw action values to the network's
    reward_factor: f64,
}

impl Policy {
    /// Returns the action with the largest value for an observation, `[obs_dim]`, as the network's inputs: a `u8` divided by
    /// 255, a `bool` as 0 or 1, and `agent.frame_stack` observations in a row, oldest first.
    ///
    /// # Errors
    /// [`Error::Usage`] if the observation has another length.
    pub fn action(&self, observation: &[f32]) -> Result<usize, Error> {
        Ok(self.actions(observation, 1)?[0])
    }

    /// Returns the legal action with the largest value for an observation, as [`action`](Self::action) with a mask, see
    /// [`Environment::action_mask`](alrao_envs::Environment::action_mask).
    ///
    /// # Errors
    /// [`Error::Usage`] if the observation or the mask has another length.
    pub fn legal_action(&self, observation: &[f32], mask: Option<&[bool]>) -> Result<usize, Error> {
        Ok(greedy_actions(&self.network, observation, &[mask]).map_err(Error::usage)?[0])
    }

    /// Returns the actions for `n` observations as the network's inputs, in one slice.
    ///
    /// # Errors
    /// [`Error::Usage`] if the observations have another length.
    pub fn actions(&self, observations: &[f32], n: usize) -> Result<Vec<usize>, Error> {
        greedy_actions(&self.network, observations, &vec![None; n]).map_err(Error::usage)
    }

    /// Returns the actions' values for `n` observations as the network's inputs, in one slice: `[n, num_actions]`, in raw
    /// units of reward.
    ///
    /// # Errors
    /// [`Error::Usage`] if the observations have another length.
    pub fn q_values(&self, observations: &[f32], n: usize) -> Result<Vec<f32>, Error> {
        let observations = Tensor::from_slice(observations).view([n as i64, -1]);
        let values = self.network.mean(&observations).map_err(Error::usage)? / self.reward_factor;
        Ok(Vec::try_from(values.flatten(0, -1)).expect("values of f32"))
    }
}
