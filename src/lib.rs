//! Deep Q-learning in Rust without learning-rate tuning: the toolkit's crates under one name, and its command line.
//!
//! | part | what it is |
//! |---|---|
//! | [`core`] | the method: learning rates of units, heads, the Switch, one training step |
//! | [`envs`] | environments and wrappers |
//! | [`agents`] | deep Q-learning; [`agents::q_network::QNetwork`] is reusable on its own |
//! | [`tasks`] | supervised tasks |
//! | [`plots`] | figures from run directories |

pub use app::App;
pub use catalog::Catalog;
pub use config::Config;
pub use error::Error;
pub use run::{Policy, Run};

pub use alrao_agents as agents;
pub use alrao_core as core;
pub use alrao_envs as envs;
pub use alrao_plots as plots;
pub use alrao_tasks as tasks;

mod app;
mod catalog;
pub mod config;
mod error;
pub mod figures;
mod program;
mod run;
pub mod run_directory;
pub mod run_info;
pub mod runs;
pub mod summary;
pub mod sweep;
pub mod usage_error;

mod command_line;
mod commands;
mod report;

/// The allocator of programs that use this crate, which also serves libtorch, because it replaces `malloc`. It keeps freed
/// memory for the tensors of the next step, as configured in `.cargo/config.toml`: fetching new pages from the system takes
/// a large part of a step.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
