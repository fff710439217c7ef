//! A run's configuration: a TOML file or a built-in configuration, overridden by `--set` and then by other flags. It is
//! checked once and written to the run directory with all defaults.

mod optimizer;

use std::borrow::Cow;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::string::FromUtf8Error;

use alrao_agents::dqn::AgentSettings;
use alrao_agents::frame_stack::stack_frames;
use alrao_agents::inputs::Inputs;
use alrao_agents::q_network::QNetwork;
use alrao_agents::training::{Schedule, TestEpisodes};
use alrao_core::device::{self, DeviceChoice, LIBTORCH};
use alrao_core::method::Method;
use alrao_core::path;
use alrao_core::path::Shown;
use alrao_envs::{Environment, EnvironmentError, EnvironmentSettings, GYMNASIUM_PREFIX, RenderState};
use alrao_plots::RunInfo;
use alrao_tasks::settings::{DataSettings, ModelSettings, SupervisedTask};
use alrao_tasks::training::TrainingSettings;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use strsim::jaro_winkler;
use tch::Device;
use toml::de::DeTable;
use toml::{Table, Value};

use crate::catalog::Catalog;
use crate::program;
use crate::run_files::{RESTORE, is_there, unread};
use crate::usage_error::UsageError;

pub use optimizer::{BaseOptimizer, OptimizerKind, OptimizerSettings};

/// A run's configuration: everything its results depend on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Sections", into = "Sections")]
pub struct Config {
    /// Random seed.
    pub seed: u64,
    /// Device: auto, cpu, cuda or cuda:N; auto is the CPU for agents, else the first GPU if there is one.
    pub device: String,
    /// Number of libtorch threads, which changes the last bits of some results.
    pub threads: u32,
    /// The task.
    pub task: Task,
    /// The optimizer.
    pub optimizer: OptimizerSettings,
    /// The versions in use; written to the run directory, not set by users.
    pub versions: Option<Versions>,
}

/// The task of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// An agent in an environment.
    Agent(Box<AgentTask>),
    /// A supervised task.
    Supervised(SupervisedTask),
}

/// The settings of an agent in an environment.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentTask {
    /// The environment.
    pub environment: EnvironmentSettings,
    /// The training schedule.
    pub schedule: Schedule,
    /// The agent.
    pub agent: AgentSettings,
}

/// A configuration file's sections, for both kinds of tasks.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    #[serde(default)]
    seed: u64,
    #[serde(default = "default_device")]
    device: String,
    #[serde(default = "default_threads")]
    threads: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentSettings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<Schedule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<DataSettings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<ModelSettings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    training: Option<TrainingSettings>,
    #[serde(default)]
    optimizer: OptimizerSettings,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<AgentSettings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    versions: Option<Versions>,
}

impl TryFrom<Sections> for Config {
    type Error = String;

    fn try_from(sections: Sections) -> Result<Self, String> {
        let Sections {
            seed,
            device,
            threads,
            environment,
            schedule,
            data,
            model,
            training,
            optimizer,
            agent,
            versions,
        } = sections;
        let foreign = |sections: &[(&str, bool)], of: &str| match sections.iter().find(|(_, given)| *given) {
            Some((name, _)) => Err(format!("unknown section `{name}` in a configuration with `{of}`")),
            None => Ok(()),
        };
        let task = match (environment, data) {
            (Some(environment), None) => {
                foreign(&[("model", model.is_some()), ("training", training.is_some())], "environment")?;
                let schedule = schedule.ok_or("missing field `schedule.steps`")?;
                Task::Agent(Box::new(AgentTask { environment, schedule, agent: agent.unwrap_or_default() }))
            }
            (None, Some(data)) => {
                foreign(&[("agent", agent.is_some()), ("schedule", schedule.is_some())], "data")?;
                let mut training = training.unwrap_or_default();
                if versions.is_some() {
                    // a run or a sweep that an earlier program wrote, which bounded no update
                    training.max_relative_update.get_or_insert(0.0);
                }
                Task::Supervised(SupervisedTask { data, model: model.unwrap_or_default(), training })
            }
            (None, None) => return Err("missing field `environment.name`, or `data.kind`".into()),
            (Some(_), Some(_)) => {
                return Err("has both `environment` and `data`, but a run has one task: remove one section".into());
            }
        };
        Ok(Config { seed, device, threads, task, optimizer, versions })
    }
}

impl From<Config> for Sections {
    fn from(Config { seed, device, threads, task, optimizer, versions }: Config) -> Self {
        let (mut environment, mut schedule, mut agent) = (None, None, None);
        let (mut data, mut model, mut training) = (None, None, None);
        match task {
            Task::Agent(task) => {
                (environment, schedule, agent) = (Some(task.environment), Some(task.schedule), Some(task.agent));
            }
            Task::Supervised(task) => {
                (data, model, training) = (Some(task.data), Some(task.model), Some(task.training))
            }
        }
        Sections { seed, device, threads, environment, schedule, data, model, training, optimizer, agent, versions }
    }
}

/// The versions on which a run's results depend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// The version of this program.
    pub alrao: String,
    /// The version of libtorch.
    pub libtorch: String,
}

fn default_device() -> String {
    "auto".into()
}

fn default_threads() -> u32 {
    1
}

/// The problem of a run whose networks had plain ReLUs.
const OLDER: &str = "no agent.max_relative_update: an earlier program wrote this run, and its network would compute other \
                     values in this one; use that program, or train again";

/// The beginning of the last line of a run's configuration.
const CHECKSUM: &str = "# CRC-32C of the lines above: ";

fn checksum_line(above: &str) -> String {
    format!("{:08x}\n", crc32c::crc32c(above.as_bytes()))
}

impl Config {
    /// The file's name in a run directory.
    pub const FILE: &str = "config.toml";

    /// Creates the configuration of an agent in an environment, as `EnvironmentSettings::new("cartpole")`, that is trained
    /// for `steps` environment steps, with all defaults.
    pub fn agent(environment: EnvironmentSettings, steps: u64) -> Config {
        let task = AgentTask { environment, schedule: Schedule::of(steps), agent: AgentSettings::default() };
        Config {
            seed: 0,
            device: default_device(),
            threads: default_threads(),
            task: Task::Agent(Box::new(task)),
            optimizer: OptimizerSettings::default(),
            versions: None,
        }
    }

    /// Reads the file or built-in configuration `source` and applies `sets` (`KEY=VALUE`) in order.
    ///
    /// # Errors
    /// [`UsageError`], naming the file, line and field or the `--set` that is invalid.
    pub fn read(source: impl AsRef<Path>, sets: &[String], catalog: &Catalog) -> Result<Config> {
        let source = source.as_ref();
        let mut table = read_table(source, catalog)?;
        for set in sets {
            apply(&mut table, set)?;
        }
        let config: Config = table.try_into().expect("read once, and after each change");
        if let Task::Agent(task) = &config.task {
            catalog.environments.resolve(&task.environment).map_err(|error| placed(&error, source, sets, catalog))?;
        }
        Ok(config)
    }

    /// Reads the configuration of a run directory, which is as it was [written](Self::of_run_text).
    ///
    /// # Errors
    /// [`UsageError`] if the file is missing, cut or changed, or the run is from an unsupported version.
    pub fn of_run(directory: &Path) -> Result<Config> {
        let path = directory.join(Self::FILE);
        let wrong = |problem: String| Err(UsageError(format!("{}: {problem}", path.shown())).into());
        if directory.is_file() {
            return Err(UsageError(format!("{}: is a file, not a run directory", directory.shown())).into());
        }
        if !is_there(&path).map_err(UsageError::of)? {
            return match directory.join(RunInfo::FILE).exists() {
                true => wrong(format!("is missing; {RESTORE}")),
                false => Err(UsageError(format!("{}: not a run directory (no config.toml)", directory.shown())).into()),
            };
        }
        RunInfo::read(directory).map_err(UsageError::of)?;
        let text = fs::read_to_string(&path).map_err(unread(&path)).map_err(UsageError::of)?;
        match (toml::from_str(&text), text.rsplit_once(CHECKSUM)) {
            (Ok(config), Some((above, checksum))) if checksum == checksum_line(above) => {
                if Config::has_standardized_relus(&config) {
                    Ok(config)
                } else {
                    wrong(OLDER.into())
                }
            }
            (Ok(_), _) => wrong(format!("differs from what alrao wrote, by its checksum; {RESTORE}")),
            (Err(error), _) => {
                let hint = written_by(&text).map_or(format!("It is damaged; {RESTORE}"), |by| other_names(&by));
                wrong(format!("{}\n{hint}", explain(&error)))
            }
        }
    }

    /// Returns false for the runs of earlier programs whose networks would now compute other values; their agents had no
    /// bound on updates.
    fn has_standardized_relus(&self) -> bool {
        match &self.task {
            Task::Agent(task) => {
                let network = &task.agent.network;
                task.agent.max_relative_update.is_some() || network.body != "mlp" || !network.layer_norm
            }
            Task::Supervised(_) => true,
        }
    }

    /// Returns the text of the file in a run directory, which ends in its checksum: a run's settings don't change, and a
    /// file that was cut would mean the defaults.
    ///
    /// # Errors
    /// A value has no place in TOML.
    pub fn of_run_text(&self) -> Result<String> {
        let text = toml::to_string(self)? + "\n";
        let checksum = checksum_line(&text);
        Ok(text + CHECKSUM + &checksum)
    }

    /// Resolves the configuration of this run directory.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), with the file.
    pub fn resolve_run(self, directory: &Path, catalog: &Catalog) -> Result<Config> {
        self.resolve(catalog).with_context(|| directory.join(Self::FILE).shown())
    }

    /// Checks all settings and fills in the defaults.
    ///
    /// # Errors
    /// [`UsageError`] or a setting's error, naming the field.
    pub fn resolve(mut self, catalog: &Catalog) -> Result<Config> {
        if !(1..=1024).contains(&self.threads) {
            return Err(UsageError(format!("threads = {}: must be from 1 to 1024", self.threads)).into());
        }
        match &mut self.task {
            Task::Agent(task) => task.resolve(catalog, &mut self.optimizer)?,
            Task::Supervised(task) => {
                let is_text = matches!(task.data, DataSettings::Text { .. });
                self.optimizer = self.optimizer.resolve(BaseOptimizer::of(is_text))?;
                let method = self.optimizer.method()?;
                task.training.max_relative_update.get_or_insert(method.max_relative_update.unwrap_or(0.0));
                if let Some(folder) = task.data.folder().clone() {
                    task.data.set_folder(&folder);
                }
                task.check().map_err(UsageError::of)?;
                task.check_memory(method.num_heads).map_err(UsageError::of)?;
            }
        }
        Ok(self)
    }

    /// Resolves the settings, the device on this machine and the versions in use, for a new run directory.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), and if validations are to be recorded without a picture, the device doesn't exist or
    /// libtorch has another version.
    pub fn complete(self, catalog: &Catalog) -> Result<Config> {
        let config = self.resolve(catalog)?;
        if let Task::Agent(task) = &config.task {
            task.check_recording(catalog)?;
        }
        let device = DeviceChoice::of(config.device()?).to_string();
        Ok(Config { device, versions: Some(Versions::in_use()?), ..config })
    }

    /// Completes the configuration for training on another machine: a CUDA device need not exist on this one.
    ///
    /// # Errors
    /// As [`complete`](Self::complete).
    pub fn complete_for_elsewhere(self, catalog: &Catalog) -> Result<Config> {
        let device: DeviceChoice = self.device.parse().map_err(UsageError::of)?;
        if !matches!(device, DeviceChoice::Cuda(_)) {
            return self.complete(catalog);
        }
        let completed = Config { device: DeviceChoice::Cpu.to_string(), ..self }.complete(catalog)?;
        Ok(Config { device: device.to_string(), ..completed })
    }

    /// Returns whether this is the configuration of the same run; its dataset may lie elsewhere.
    pub fn is_same_run(&self, other: &Config) -> bool {
        let mut moved = other.clone();
        if let (Task::Supervised(here), Task::Supervised(there)) = (&self.task, &mut moved.task)
            && let Some(folder) = here.data.folder()
        {
            there.data.set_folder(folder);
        }
        *self == moved
    }

    /// Returns the budget: environment steps or maximum epochs.
    pub fn budget(&self) -> u64 {
        match &self.task {
            Task::Agent(task) => task.schedule.steps,
            Task::Supervised(task) => task.training.max_epochs,
        }
    }

    /// Returns the device to train on.
    ///
    /// # Errors
    /// The device doesn't exist on this machine.
    pub fn device(&self) -> Result<Device> {
        Ok(self.device_choice().and_then(|choice| choice.resolve()).map_err(UsageError::of)?)
    }

    /// Returns the device asked for. For an agent, `auto` is the CPU: a GPU takes longer to launch the kernels of its small
    /// network than a CPU computes.
    fn device_choice(&self) -> Result<DeviceChoice, alrao_core::Error> {
        Ok(match (self.device.parse()?, &self.task) {
            (DeviceChoice::Auto, Task::Agent(_)) => DeviceChoice::Cpu,
            (choice, _) => choice,
        })
    }

    /// Returns the method with the optimizer's settings.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn method(&self) -> Result<Method> {
        self.optimizer.method()
    }
}

impl Task {
    /// Returns the task's name in directory names and `summary.json`.
    pub fn name(&self) -> String {
        match self {
            Task::Agent(task) => task.environment.name.clone(),
            Task::Supervised(task) => task.name(),
        }
    }

    /// Sets the dataset directory.
    ///
    /// # Errors
    /// [`UsageError`] if the task needs no dataset.
    pub fn set_data(&mut self, folder: &Path) -> Result<()> {
        match self {
            Task::Supervised(task) => {
                task.data.set_folder(folder);
                Ok(())
            }
            Task::Agent(_) => Err(UsageError(format!("--data: {} needs no dataset; leave it out", self.name())).into()),
        }
    }

    /// Returns the settings of an agent's task.
    ///
    /// # Errors
    /// [`UsageError`] if the task is supervised.
    pub fn agent(&self) -> Result<&AgentTask> {
        match self {
            Task::Agent(task) => Ok(task),
            Task::Supervised(_) => {
                Err(UsageError(format!("{} is supervised and has no agent; choose the run of an agent", self.name()))
                    .into())
            }
        }
    }
}

impl AgentTask {
    /// Checks all settings, and that the machine has the memory, and fills in the environment's defaults, and the
    /// optimizer's.
    fn resolve(&mut self, catalog: &Catalog, optimizer: &mut OptimizerSettings) -> Result<()> {
        self.agent.check().map_err(UsageError::of)?;
        self.schedule.check().map_err(UsageError::of)?;
        let wrong = |error| {
            let foreign = matches!(error, EnvironmentError::UnknownEnvironment { .. });
            let hint =
                if foreign { " (for a run that another program made, use the program that made it)" } else { "" };
            let section = if matches!(error, EnvironmentError::InEnvironment { .. }) { "" } else { "environment: " };
            UsageError(format!("{section}{error}{hint}"))
        };
        self.environment = catalog.environments.resolve(&self.environment).map_err(wrong)?;
        let environment = self.make(catalog).map_err(wrong)?;
        if environment.num_actions() == 0 {
            let problem = alrao_agents::Error::NoActions;
            return Err(UsageError(format!("environment.name = {}: {problem}", self.environment.name)).into());
        }
        let space = environment.observation_space();
        *optimizer = optimizer.resolve(BaseOptimizer::of(space.image().is_none()))?;
        let method = optimizer.method()?;
        self.agent.check_memory(&space, self.schedule.steps).map_err(UsageError::of)?;
        self.agent = self.agent.resolve(space, &catalog.bodies, &method).map_err(UsageError::of)?;
        self.schedule.updates(&self.agent).map_err(UsageError::of)?;
        let (inputs, network) = (Inputs::new(space, self.agent.frame_stack), &self.agent.network);
        let body = catalog.bodies.body(network, inputs).map_err(UsageError::of)?;
        let actions = environment.num_actions();
        QNetwork::check_memory(inputs, actions, network, body, method.num_heads).map_err(UsageError::of)?;
        Ok(())
    }

    /// Checks that there is a picture to record, if validations are to be recorded.
    fn check_recording(&self, catalog: &Catalog) -> Result<()> {
        if self.schedule.record {
            let mut environment = self.make(catalog)?;
            environment.reset(0)?;
            self.render_state(environment.as_ref()).context("schedule.record")?;
        }
        Ok(())
    }

    /// Returns the visible state of an instance of the environment that was reset.
    ///
    /// # Errors
    /// [`UsageError`], which says how to add a picture, if the environment has none.
    pub fn render_state(&self, environment: &dyn Environment) -> Result<RenderState, UsageError> {
        let name = &self.environment.name;
        let advice = match name.starts_with(GYMNASIUM_PREFIX) {
            true => "it needs the render mode `rgb_array`",
            false => "have its method `render_state` return a `Scene` of shapes, see docs/custom-environments.md",
        };
        environment.render_state().ok_or_else(|| UsageError(format!("{name} has no picture: {advice}")))
    }

    /// Returns the episodes of a test with the schedule's settings.
    pub fn test_episodes(&self, seed: u64) -> TestEpisodes {
        let Schedule { test_episodes, max_evaluation_steps, .. } = self.schedule;
        TestEpisodes { seed, episodes: test_episodes, max_steps: max_evaluation_steps }
    }

    /// Creates an instance of the environment.
    ///
    /// # Errors
    /// As [`Registry::make`](alrao_envs::Registry::make).
    pub fn make(&self, catalog: &Catalog) -> Result<Box<dyn Environment>, EnvironmentError> {
        catalog.environments.make(&self.environment)
    }

    /// Creates an instance of the environment that returns the inputs of the agent's network: stacked frames.
    ///
    /// # Errors
    /// As [`make`](Self::make).
    pub fn make_stacked(&self, catalog: &Catalog) -> Result<Box<dyn Environment>, EnvironmentError> {
        Ok(stack_frames(self.make(catalog)?, self.agent.frame_stack))
    }
}

impl Config {
    /// Describes the versions of the run.
    pub fn made_by(&self) -> String {
        self.versions.as_ref().map_or("unknown versions".into(), Versions::to_string)
    }
}

impl Versions {
    /// Returns the versions of this process.
    ///
    /// # Errors
    /// [`UsageError`] if libtorch has another version than needed.
    pub fn in_use() -> Result<Self> {
        let path = device::libtorch_path();
        let version = path.as_deref().and_then(Path::parent).and_then(device::libtorch_version);
        let libtorch = match version {
            Some(version) if version.split('+').next() != Some(LIBTORCH) => {
                let path = path.expect("it has a version").shown();
                let problem =
                    format!("{path}: this is libtorch {version}, but alrao needs {LIBTORCH}: install that version");
                return Err(UsageError(problem).into());
            }
            version => version.unwrap_or_else(|| LIBTORCH.into()),
        };
        Ok(Versions { alrao: env!("CARGO_PKG_VERSION").into(), libtorch })
    }
}

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "alrao {} on libtorch {}", self.alrao, self.libtorch)
    }
}

/// Reads a configuration or sweep file, which may be a pipe.
///
/// # Errors
/// [`UsageError`] if it can't be read, or is far too long to be one.
pub fn read_text(path: &Path) -> Result<String> {
    const MOST_BYTES: u64 = 16 << 20;
    let wrong = |problem: String| UsageError(format!("{}: {problem}", path.shown()));
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| wrong(error.to_string()))?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(wrong("longer than 16 MB, so neither a configuration nor a sweep".into()).into());
    }
    let not_text = |error: FromUtf8Error| {
        let line =
            error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1;
        wrong(format!("line {line}: is not UTF-8; save the file as UTF-8 text"))
    };
    Ok(String::from_utf8(bytes).map_err(not_text)?)
}

/// Reads and checks the file or built-in configuration `source`, without filling in defaults.
///
/// # Errors
/// [`UsageError`], naming the file, line and field.
pub fn read_table(source: &Path, catalog: &Catalog) -> Result<Table> {
    let text = text(source, catalog)?;
    let wrong = |error| UsageError(format!("{}: {}", source.shown(), explain(&error)));
    toml::from_str::<Config>(&text).map_err(wrong)?;
    let mut table = toml::from_str(&text).map_err(wrong)?;
    if built_in(source, catalog).is_none() {
        place_data(&mut table, source.parent().unwrap_or(Path::new("")));
    }
    Ok(table)
}

/// Returns the text of a built-in configuration, if `source` is the name of one.
fn built_in<'a>(source: &Path, catalog: &'a Catalog) -> Option<Cow<'a, str>> {
    catalog.configuration(source.to_str()?)
}

/// Makes the dataset directory of a configuration absolute; a relative one lies in `folder`.
pub fn place_data(table: &mut Table, folder: &Path) {
    let data = table.get_mut("data").and_then(|data| data.as_table_mut()?.get_mut("folder"));
    if let Some(Value::String(text)) = data
        && let Ok(placed) = std::path::absolute(folder.join(path::of_text(text)))
    {
        *text = path::to_text(&placed);
    }
}

/// Reads the text of a configuration.
fn text(source: &Path, catalog: &Catalog) -> Result<String> {
    let there = |path: &Path| is_there(path).map_err(UsageError::of);
    if let Some(text) = built_in(source, catalog) {
        Ok(text.into_owned())
    } else if !there(source)? {
        Err(unknown(source, catalog).into())
    } else if !source.is_dir() {
        read_text(source)
    } else if there(&source.join(Config::FILE))? {
        Err(run_directory(source).into())
    } else {
        Err(UsageError(format!("{}: is a directory, neither a run's nor a configuration", source.shown())).into())
    }
}

/// Returns the error of an environment's setting, with its `--set` or line.
fn placed(error: &EnvironmentError, source: &Path, sets: &[String], catalog: &Catalog) -> UsageError {
    let field = match error {
        EnvironmentError::UnknownSetting { setting, .. } | EnvironmentError::SettingType { setting, .. } => setting,
        _ => "name",
    };
    let key = |set: &&String| set.split_once('=').map(|(key, _)| key.trim()) == Some(&format!("environment.{field}"));
    let place = match sets.iter().rfind(key) {
        Some(set) => format!("--set {set}"),
        None => text(source, catalog)
            .ok()
            .and_then(|text| line(&text, "environment", field))
            .map_or(source.shown(), |line| format!("{}, line {line}", source.shown())),
    };
    UsageError(format!("{place}: environment: {error}"))
}

/// Finds the line of a section's field in a configuration's text, from 1.
fn line(text: &str, section: &str, field: &str) -> Option<usize> {
    let file = DeTable::parse(text).ok()?;
    let fields = file.get_ref().get(section)?.get_ref().as_table()?;
    let (key, _) = fields.iter().find(|(key, _)| key.get_ref() == field)?;
    Some(text[..key.span().start].matches('\n').count() + 1)
}

/// Applies `KEY=VALUE` to a configuration.
///
/// # Errors
/// [`UsageError`], naming the invalid `--set`.
pub fn apply(table: &mut Table, set: &str) -> Result<(), UsageError> {
    let wrong = |problem: &str| UsageError(format!("--set {set}: {problem}"));
    let (key, text) = set.split_once('=').ok_or_else(|| wrong("must be KEY=VALUE, as in schedule.steps=20000"))?;
    let value = parse_value(text.trim());
    if value.is_str() && text.trim().parse::<i128>().is_ok() {
        return Err(wrong(&format!("integers are at most {}", i64::MAX)));
    }
    insert(table, key.trim(), value).map_err(|problem| wrong(&problem))?;
    if key.trim() == "data.folder" {
        place_data(table, Path::new(""));
    }
    check(table).map_err(|problem| wrong(&problem))
}

/// Sets one field, `section.field`, and creates missing sections.
///
/// # Errors
/// Names a part of the path that is not a section.
pub fn insert(table: &mut Table, key: &str, value: Value) -> Result<(), String> {
    let mut sections: Vec<&str> = key.split('.').collect();
    let field = sections.pop().expect("split gives at least one");
    let mut table = table;
    for section in sections {
        let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
        table = entry.as_table_mut().ok_or_else(|| format!("`{section}` is not a section"))?;
    }
    table.insert(field.into(), value);
    Ok(())
}

/// Checks that a table is a configuration.
///
/// # Errors
/// Names the first field that is unknown, missing or of another type.
pub fn check(table: &Table) -> Result<(), String> {
    table.clone().try_into::<Config>().map(drop).map_err(|error| nearest_first(error.message()))
}

/// Describes an error in a TOML file with its place; for an unknown field, lists the known fields, the nearest first.
pub fn explain(error: &toml::de::Error) -> String {
    let text = error.to_string().replace(error.message(), &nearest_first(error.message()));
    text.trim_end().into()
}

/// Sorts the fields listed in an unknown-field error, the nearest first; leaves other messages unchanged.
pub fn nearest_first(message: &str) -> String {
    let field = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
    let Some((unknown, (_, expected))) =
        field.and_then(|(unknown, rest)| Some((unknown, rest.split_once("expected ")?)))
    else {
        return in_words(message);
    };
    let mut known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    known.sort_by(|a, b| jaro_winkler(b, unknown).total_cmp(&jaro_winkler(a, unknown)));
    format!("unknown field `{unknown}`, expected one of `{}`", known.join("`, `"))
}

/// Names a section or a number as such in an error, not by the program's type.
fn in_words(message: &str) -> String {
    match message.split_once(", expected ") {
        Some((found, of)) if of.starts_with("struct ") || of.contains("tagged enum ") => {
            format!("{found}, expected a section")
        }
        Some((found, "f64")) => format!("{found}, expected a number"),
        Some((found, "i64")) => format!("{found}, expected an integer"),
        Some((found, "u64" | "u32" | "usize")) => format!("{found}, expected an integer of at least 0"),
        _ => message.into(),
    }
}

/// Returns the versions in a configuration that may be invalid otherwise.
fn written_by(text: &str) -> Option<Versions> {
    toml::from_str::<Table>(text).ok()?.remove("versions")?.try_into().ok()
}

/// Explains why a file written by these versions can't be read.
pub fn other_names(versions: &Versions) -> String {
    if versions.alrao == env!("CARGO_PKG_VERSION") {
        return format!("It is damaged; {RESTORE}");
    }
    format!("It was written by {versions}, whose settings have other names: use that version, or train again")
}

/// Parses a TOML value; anything else becomes a string, so that words need no quotes on the command line.
pub fn parse_value(text: &str) -> Value {
    let document: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    let single = document.ok().filter(|table| table.len() == 1); // not text of several lines with other keys
    single.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::String(text.into()))
}

/// Returns the error of a run directory in the place of a configuration.
fn run_directory(source: &Path) -> UsageError {
    let (source, program) = (source.shown(), program::name());
    UsageError(format!(
        "{source}: is a run directory; `{program} train --resume {source}` resumes the run, and `{program} train {source}/{}` \
         trains a new one with its settings",
        Config::FILE
    ))
}

/// Returns the error of a name that is neither a file nor a built-in configuration.
fn unknown(source: &Path, catalog: &Catalog) -> UsageError {
    let source = source.shown();
    let nearest = nearest(catalog.names(), &source).join(", ");
    let id = source.rsplit_once("-v").is_some_and(|(_, version)| version.parse::<u32>().is_ok());
    let gymnasium = if id { format!("; Gymnasium's environment is {GYMNASIUM_PREFIX}{source}") } else { String::new() };
    UsageError(format!(
        "{source}: no such file or built-in configuration; the nearest built-in ones: {nearest}{gymnasium}"
    ))
}

/// Returns the names that contain a shortened one, those that begin with it first, or else the three nearest.
fn nearest<'a>(mut names: Vec<&'a str>, short: &str) -> Vec<&'a str> {
    let mut found: Vec<&str> = names.iter().copied().filter(|name| name.contains(short)).collect();
    if !found.is_empty() {
        found.sort_by_key(|name| !name.starts_with(short));
        return found;
    }
    names.sort_by_key(|name| strsim::damerau_levenshtein(name, short));
    names.truncate(3);
    names
}

#[cfg(test)]
mod tests {
    use alrao_core::optimizer::{AdamSettings, UpdateRule};
    use alrao_core::rates::LrGranularity;

    use super::*;

    fn read(sets: &[&str]) -> Result<Config> {
        read_task("pendulum", sets)?.resolve(&Catalog::builtin())
    }

    fn read_task(name: &str, sets: &[&str]) -> Result<Config> {
        Config::read(name, &sets.iter().map(|set| set.to_string()).collect::<Vec<_>>(), &Catalog::builtin())
    }

    fn message(sets: &[&str]) -> String {
        let error = read(sets).unwrap_err();
        format!("{error:#}")
    }

    #[test]
    fn a_resolved_configuration_round_trips() {
        let copies = read(&["optimizer.kind=adam", "optimizer.num_heads=10"]).unwrap().method().unwrap();
        assert_eq!((copies.num_heads, copies.lr_range.max()), (10, 1e-3));
        let adam = read(&["optimizer.base=adam", "optimizer.lr_per=unit-resampled"]).unwrap().method().unwrap();
        assert_eq!(
            (adam.rule, adam.lr_per, adam.num_heads),
            (UpdateRule::Adam(AdamSettings::default()), LrGranularity::UnitResampled, 10)
        );
        let config = read(&["optimizer.num_heads=3", "agent.network.hidden_sizes=[32, 32]", "device=cpu"]).unwrap();
        assert_eq!(config.method().unwrap().num_heads, 3);
        let again: Config = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
        assert_eq!(again.resolve(&Catalog::builtin()).unwrap(), config);
    }

    #[test]
    fn a_shortened_name_suggests_the_names_that_have_it() {
        let catalog = Catalog::builtin();
        let nearest = |short| nearest(catalog.names(), short);
        assert_eq!(nearest("lunar"), ["lunar-lander", "lunar-lander-continuous"]);
        assert_eq!(nearest("breakout"), ["minatar-breakout"]);
        assert_eq!(nearest("mo"), ["mountain-car", "cifar10-mobilenet"]);
        assert_eq!(nearest("cart-pole")[0], "cartpole");
        assert_eq!(nearest("cart-pole").len(), 3);
    }

    /// Nothing is tuned to an environment except the budget.
    #[test]
    fn built_in_configurations_differ_in_environment_and_budget_only() {
        let pendulum = Config::read("pendulum", &[], &Catalog::builtin()).unwrap();
        for name in Catalog::builtin().configurations() {
            let config = Config::read(name, &[], &Catalog::builtin()).unwrap();
            let Ok(task) = config.task.agent() else { continue };
            assert_eq!(task.environment.name, name);
            assert_eq!(task.schedule, Schedule::of(task.schedule.steps), "{name}");
            let agent = pendulum.task.agent().unwrap().agent.clone();
            let task = Task::Agent(Box::new(AgentTask { agent, ..task.clone() }));
            assert_eq!(config, Config { task, ..pendulum.clone() });
            config.resolve(&Catalog::builtin()).unwrap();
        }
    }

    #[test]
    fn agents_of_vectors_and_language_models_use_adams_rule_by_default() {
        let resolved = |task: &str, sets: &[&str]| {
            let mut config = read_task(task, sets).unwrap();
            let _ = config.task.set_data(Path::new("data"));
            config.resolve(&Catalog::builtin()).unwrap()
        };
        for (task, expected) in [
            ("acrobot", Method::alrao_adam()),
            ("mountain-car", Method::alrao_adam()),
            ("ptb-char", Method::alrao_adam()),
            ("minatar-breakout", Method::alrao()),
            ("cifar10-vgg19", Method::alrao()),
        ] {
            assert_eq!(resolved(task, &[]).method().unwrap(), expected, "{task}");
            assert_eq!(resolved(task, &["optimizer.base=sgd"]).method().unwrap(), Method::alrao(), "{task}");
        }
        let bound = |sets: &[&str]| resolved("pendulum", sets).task.agent().unwrap().agent.max_relative_update;
        assert_eq!((bound(&[]), bound(&["optimizer.base=sgd"])), (Some(5e-3), Some(1e-2)));
    }

    #[test]
    fn agents_train_on_the_cpu_unless_a_gpu_is_asked_for() {
        let choice = |task: &str, sets: &[&str]| read_task(task, sets).unwrap().device_choice().unwrap();
        assert_eq!(choice("acrobot", &[]), DeviceChoice::Cpu);
        assert_eq!(choice("minatar-breakout", &["device=cuda:1"]), DeviceChoice::Cuda(1));
        assert_eq!(choice("ptb-char", &[]), DeviceChoice::Auto);
    }

    #[test]
    fn supervised_runs_of_earlier_programs_keep_unbounded_updates() {
        let bound = |text: &str| {
            let config: Config = toml::from_str(text).unwrap();
            let Task::Supervised(task) = config.resolve(&Catalog::builtin()).unwrap().task else { unreachable!() };
            task.training.max_relative_update
        };
        let text = "[data]\nkind = \"text\"\nfolder = \"data\"\nsymbol = \"word\"\n[optimizer]\nbase = \"adam\"\n";
        assert_eq!(bound(text), Some(5e-3));
        assert_eq!(bound(&format!("{text}[versions]\nalrao = \"0.1.0\"\nlibtorch = \"2.11.0\"\n")), Some(0.0));
    }

    #[test]
    fn baselines_need_one_or_two_settings() {
        assert_eq!(read(&["optimizer.kind=adam"]).unwrap().method().unwrap(), Method::adam(1e-3).unwrap());
        let sgd = read(&["optimizer.kind=sgd", "optimizer.lr=0.1"]).unwrap();
        assert_eq!(sgd.method().unwrap(), Method::sgd(0.1).unwrap());
        assert!(message(&["optimizer.kind=sgd"]).contains("optimizer.lr"));
        assert!(message(&["optimizer.lr=0.1"]).contains("optimizer.lr"));
        assert!(message(&["optimizer.kind=adam", "optimizer.lr_per=unit-resampled"]).contains("optimizer.lr_per"));
    }

    #[test]
    fn the_error_of_an_unknown_field_lists_known_fields_the_nearest_first() {
        for (set, nearest) in [
            ("agent.batch=64", "`batch`, expected one of `batch_size`, "),
            ("agent.double=true", "`double`, expected one of `double_q`, "),
            ("optimizer.eta_min=1", "`eta_min`, expected one of `lr_min`, "),
            ("agent.network.hidden=[8]", "`hidden`, expected one of `hidden_sizes`, "),
            ("agent.prioritised_replay.alpha=1", "`prioritised_replay`, expected one of `prioritized_replay`, "),
        ] {
            let message = message(&[set]);
            assert!(message.contains(&format!("--set {set}: unknown field {nearest}")), "{message}");
        }
        let message = message(&["agent.priority.alpha=1"]);
        assert!(message.contains("`prioritized_replay`") && message.contains("`gamma`"), "{message}");
    }

    #[test]
    fn the_error_of_a_renamed_field_names_the_version_that_wrote_the_run() {
        let run = tempfile::tempdir().unwrap();
        let text = "[environment]\nname = \"pendulum\"\n[optimizer]\neta_min = 1\n[versions]\nalrao = \"0.0.7\"\n\
                    libtorch = \"2.11.0\"\n";
        fs::write(run.path().join("config.toml"), text).unwrap();
        let info = crate::run_info::run_info(&read(&[]).unwrap()).unwrap();
        fs::write(run.path().join("run.json"), serde_json::to_string(&info).unwrap()).unwrap();
        let message = Config::of_run(run.path()).unwrap_err().to_string();
        let words =
            ["config.toml", "line 4", "`eta_min`, expected one of `lr_min`", "written by alrao 0.0.7 on libtorch"];
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }

    /// Before updates were bounded, MLPs had plain ReLUs.
    #[test]
    fn a_run_whose_network_would_compute_other_values_is_refused() {
        let run = tempfile::tempdir().unwrap();
        let of_run = |change: fn(&mut AgentSettings)| {
            let mut config = read(&[]).unwrap();
            let Task::Agent(task) = &mut config.task else { unreachable!("a pendulum") };
            change(&mut task.agent);
            fs::write(run.path().join("config.toml"), config.of_run_text().unwrap()).unwrap();
            let info = crate::run_info::run_info(&config).unwrap();
            fs::write(run.path().join("run.json"), serde_json::to_string(&info).unwrap()).unwrap();
            Config::of_run(run.path()).map_err(|error| error.to_string())
        };
        assert!(of_run(|_| ()).is_ok());
        let refused = of_run(|agent| agent.max_relative_update = None).unwrap_err();
        assert!(refused.contains("config.toml: no agent.max_relative_update: an earlier program wrote"), "{refused}");
        let same = |agent: &mut AgentSettings| (agent.max_relative_update, agent.network.layer_norm) = (None, false);
        assert!(of_run(same).is_ok());
    }

    #[test]
    fn cuda_devices_of_other_machines_are_not_checked() {
        let device = |set: &str| {
            let elsewhere = Config::read("pendulum", &[set.to_string()], &Catalog::builtin())?
                .complete_for_elsewhere(&Catalog::builtin())?;
            anyhow::Ok(elsewhere.device)
        };
        assert_eq!(device("device=cuda:7").unwrap(), "cuda:7");
        assert_eq!(device("device=cpu").unwrap(), "cpu");
        assert!(device("device=tpu").is_err());
    }

    #[test]
    fn errors_name_the_invalid_setting() {
        for (sets, words) in [
            (["schedule.stepz=1"], &["--set schedule.stepz=1", "unknown field `stepz`", "`steps`"][..]),
            (["schedule.steps=many"], &["--set schedule.steps=many", "string \"many\""]),
            (["agent=1"], &["--set agent=1: invalid type: integer `1`, expected a section"]),
            (["agent.gamma=x"], &["string \"x\", expected a number"]),
            (["schedule.steps=-3"], &["integer `-3`, expected an integer of at least 0"]),
            (["optimizer.num_heads=1.5"], &["floating point `1.5`, expected an integer"]),
            (["environment=x"], &["--set environment=x: ", "expected a section"]),
            (["schedule.steps.x=1"], &["`steps` is not a section"]),
            (["schedule.steps"], &["KEY=VALUE"]),
            (["optimizer.lr_min=100"], &["lr_min = 1e2", "lr_max = 1e1"]),
            (["optimizer.lr_max=1e39"], &["32-bit", "lr_max = 1e39"]),
            (["agent.gamma=0.5\nagent.tau=0.3"], &["--set agent.gamma=0.5", "expected a number"]),
            (["agent.train_freq=100000"], &["schedule.steps = 50000: there are no updates", "first is at step 100000"]),
            (["optimizer.num_heads=0"], &["optimizer.num_heads"]),
            (["optimizer.max_grad_norm=0"], &["optimizer.max_grad_norm = 0", "above 0"]),
            (["schedule.steps=1000"], &["schedule.steps = 1000", "agent.learning_starts"]),
            (["schedule.steps=1001"], &["schedule.steps = 1001", "agent.train_freq = 2; the first is at step 1002"]),
            (["environment.name=pendulm"], &["did you mean `pendulum`"]),
            (
                ["environment.torque=3"],
                &["--set environment.torque=3", "environment: `torque`", "`torques`", "`reward_scale`"],
            ),
            (["environment.torques=many"], &["environment: torques = \"many\"", "invalid type"]),
            (["environment.torques=1"], &["environment: torques = 1", "at least 2"]),
            (["environment.torques=9223372036854775807"], &["environment: torques = 9", "at most 1000000"]),
        ] {
            let message = message(&sets);
            assert!(words.iter().all(|word| message.contains(word)), "{sets:?}: {message}");
        }
        let folder = tempfile::tempdir().unwrap();
        let of_file = |path: &Path| format!("{:#}", read_table(path, &Catalog::builtin()).unwrap_err());
        assert!(of_file(folder.path()).ends_with(": is a directory, neither a run's nor a configuration"));
        let file = folder.path().join("agent.toml");
        std::os::unix::fs::symlink("/nowhere", &file).unwrap();
        assert!(of_file(&file).ends_with("agent.toml: links to /nowhere, which isn't there; mount or restore it"));
        fs::remove_file(&file).unwrap();
        fs::write(&file, b"# a\n# caf\xe9\n").unwrap();
        assert!(of_file(&file).ends_with("agent.toml: line 2: is not UTF-8; save the file as UTF-8 text"));
        let message = format!("{:#}", Config::read("pendlum", &[], &Catalog::builtin()).unwrap_err());
        assert!(message.contains("pendlum") && message.contains("nearest built-in ones: pendulum"), "{message}");
        let message = format!("{:#}", Config::read("ALE/Pong-v5", &[], &Catalog::builtin()).unwrap_err());
        assert!(message.ends_with("Gymnasium's environment is gymnasium:ALE/Pong-v5"), "{message}");
    }

    #[test]
    fn errors_in_a_file_name_the_line() {
        let path = tempfile::tempdir().unwrap().keep().join("mine.toml");
        fs::write(&path, "[environment]\nname = \"pendulum\"\n[schedule]\nsteps = \"many\"\n").unwrap();
        let read = || Config::read(path.to_str().unwrap(), &[], &Catalog::builtin());
        let message = format!("{:#}", read().unwrap_err());
        assert!(message.contains("mine.toml") && message.contains("line 4") && message.contains("steps"), "{message}");
        fs::write(&path, "[schedule]\nsteps = 5000\n[environment]\nname = \"pendulum\"\n\ntorque = 3\n").unwrap();
        let message = format!("{:#}", read().unwrap_err());
        assert!(message.contains("mine.toml, line 6") && message.contains("`torque`"), "{message}");
    }
}
