//! Deep Q-learning in Rust without learning-rate tuning: the toolkit's crates under one name, and its command line.
//!
//! | part | what it is |
//! |---|---|
//! | [`core`] | the method: learning rates of units, heads, the Switch, one training step |
//! | [`envs`] | environments and wrappers |
//! | [`agents`] | deep Q-learning; [`agents::q_network::QNetwork`] is reusable on its own |
//! | [`tasks`] | supervised tasks |
//! | [`plots`] | figures from run directories |

pub use alrao_agents as agents;
pub use alrao_core as core;
pub use alrao_envs as envs;
pub use alrao_plots as plots;
pub use alrao_tasks as tasks;

pub mod command_line;
pub mod config;
pub mod figures;
pub mod run_directory;
pub mod run_info;
pub mod runs;
pub mod summary;
pub mod sweep;
pub mod usage_error;

mod commands;
mod report;
