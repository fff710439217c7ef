//! A program with environments, bodies and configurations of its own, beside the built-in ones: [`App`].

use std::borrow::Cow;
use std::process::ExitCode;

use alrao_agents::callback::Callback;
use alrao_agents::q_network::QNetworkSettings;
use alrao_core::layers::Body;
use alrao_core::parameters::ParameterBuilder;
use alrao_envs::{EnvSpec, IntoEnvironment};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::catalog::Catalog;
use crate::command_line;
use crate::usage_error::UsageError;

/// A program: what it can train, and its command line.
///
/// ```no_run
/// use alrao::envs::{Environment, EnvironmentError, NoSettings, Step};
/// # struct Catch([f32; 2]);
/// # impl Environment for Catch {
/// #     fn obs_dim(&self) -> usize { 2 }
/// #     fn num_actions(&self) -> usize { 2 }
/// #     fn reset(&mut self, _seed: u64) -> Result<(), EnvironmentError> { Ok(()) }
/// #     fn step(&mut self, _action: usize) -> Result<Step, EnvironmentError> {
/// #         Ok(Step { reward: 0.0, terminated: true, truncated: false })
/// #     }
/// #     fn observation(&self) -> &[f32] { &self.0 }
/// # }
///
/// fn main() -> std::process::ExitCode {
///     alrao::App::new().environment("catch", |_: NoSettings| Catch([0.0; 2])).main()
/// }
/// ```
#[derive(Debug, Default)]
pub struct App {
    catalog: Catalog,
    problem: Option<UsageError>,
}

impl App {
    /// Creates a program with the built-in environments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an environment: `make` creates it from its settings, a struct whose fields `[environment]` and
    /// `--set environment.FIELD=VALUE` set. To give a time limit or a description, add it by [`spec`](Self::spec) instead.
    pub fn environment<S, E>(self, name: &str, make: impl Fn(S) -> E + Send + Sync + 'static) -> Self
    where
        S: Default + Serialize + DeserializeOwned,
        E: IntoEnvironment,
    {
        self.spec(EnvSpec::new(name, make))
    }

    /// Adds an environment by its specification.
    pub fn spec(mut self, spec: EnvSpec) -> Self {
        let added = self.catalog.environments.register(spec).map_err(UsageError::of);
        self.note(added)
    }

    /// Adds a body for Q-networks, which `agent.network.body` names: `new` creates it for inputs of `i64` numbers, from
    /// the settings as far as they concern it.
    pub fn body<B: Body + 'static>(
        mut self,
        name: &str,
        new: impl Fn(&mut ParameterBuilder, i64, &QNetworkSettings) -> B + Send + Sync + 'static,
    ) -> Self {
        let added = self.catalog.bodies.add(name, new).map_err(UsageError::of);
        self.note(added)
    }

    /// Adds a body for Q-networks whose observations are images of at least `smallest` pixels a side: `new` creates it from
    /// the images' channels, height and width.
    pub fn body_for_images<B: Body + 'static>(
        mut self,
        name: &str,
        smallest: i64,
        new: impl Fn(&mut ParameterBuilder, [i64; 3], &QNetworkSettings) -> B + Send + Sync + 'static,
    ) -> Self {
        let added = self.catalog.bodies.add_for_images(name, smallest, new).map_err(UsageError::of);
        self.note(added)
    }

    /// Adds a callback, which `make` creates for each training of an agent.
    pub fn callback<C: Callback + 'static>(mut self, make: impl Fn() -> C + Send + Sync + 'static) -> Self {
        self.catalog.add_callback(make);
        self
    }

    /// Adds a configuration, a TOML text as [`include_str!`] gives it; an environment's takes its name. Without one, an
    /// environment is trained for 50,000 steps.
    pub fn configuration(mut self, name: &str, text: impl Into<Cow<'static, str>>) -> Self {
        let added = self.catalog.add_configuration(name, text);
        self.note(added)
    }

    /// Runs the command line with the arguments of the process.
    pub fn main(self) -> ExitCode {
        command_line::main(self.catalog())
    }

    /// Returns what the program can train.
    ///
    /// # Errors
    /// The first problem found: two environments, bodies or configurations have the same name, or an environment can't be
    /// made with its default settings.
    pub fn catalog(self) -> Result<Catalog, UsageError> {
        self.problem.map_or(Ok(self.catalog), Err)
    }

    fn note(mut self, added: Result<(), UsageError>) -> Self {
        self.problem = self.problem.or(added.err());
        self
    }
}
