//! Deep Q-learning in Rust without learning-rate tuning: the toolkit's crates under one name, and its command line.
//!
//! | part | what it is |
//! |---|---|
//! | [`core`] | the method: learning rates of units, heads, the Switch, one training step |
//! | [`envs`] | environments and wrappers |
//! | [`agents`] | deep Q-learning; [`agents::q_network::QNetwork`] is reusable on its own |
//! | [`tasks`] | supervised tasks |
//! | [`plots`] | figures from run directories |
//!
//! [`App`] is a program with environments of its own, [`Run`] a run from code. Both are of the feature `app`, which is on by
//! default and brings the built-in environments and figures; without it this crate is the libraries above, but for
//! `plots`, and needs neither SDL2 nor Box2D. The feature `jemalloc`, on by default, has the allocator of programs.

#[cfg(feature = "app")]
pub use app::App;
#[cfg(feature = "app")]
pub use catalog::Catalog;
#[cfg(feature = "app")]
pub use config::Config;
#[cfg(feature = "app")]
pub use error::Error;
#[cfg(feature = "app")]
pub use run::{Policy, Run};

pub use alrao_agents as agents;
pub use alrao_core as core;
pub use alrao_envs as envs;
#[cfg(feature = "app")]
pub use alrao_plots as plots;
pub use alrao_tasks as tasks;

#[cfg(feature = "app")]
mod app;
#[cfg(feature = "app")]
mod catalog;
#[cfg(feature = "app")]
pub mod checkpoint;
#[cfg(feature = "app")]
mod command_line;
#[cfg(feature = "app")]
mod commands;
#[cfg(feature = "app")]
pub mod config;
#[cfg(feature = "app")]
pub mod dataset;
#[cfg(feature = "app")]
mod error;
#[cfg(feature = "app")]
mod export;
#[cfg(feature = "app")]
pub mod figures;
#[cfg(feature = "app")]
mod message;
#[cfg(feature = "app")]
mod output;
#[cfg(feature = "app")]
mod output_file;
#[cfg(feature = "app")]
mod program;
#[cfg(feature = "app")]
mod report;
#[cfg(feature = "app")]
mod run;
#[cfg(feature = "app")]
pub mod run_directory;
#[cfg(feature = "app")]
mod run_files;
#[cfg(feature = "app")]
pub mod run_info;
#[cfg(feature = "app")]
pub mod runs;
#[cfg(feature = "app")]
mod seed;
#[cfg(feature = "app")]
pub mod summary;
#[cfg(feature = "app")]
pub mod sweep;
#[cfg(feature = "app")]
pub mod usage_error;

/// The allocator of programs that use this crate, which also serves libtorch, because it replaces `malloc`. It keeps freed
/// memory for the tensors of the next step, as configured in `.cargo/config.toml`: fetching new pages from the system takes
/// a large part of a step.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
