//! Reinforcement learning that needs no learning rate: the toolkit's parts under one name, and its command line.
//!
//! | part | what it is |
//! |---|---|
//! | [`core`] | the method: rates for units, heads, the Switch, one step of learning |
//! | [`envs`] | environments and what wraps them |
//! | [`agents`] | deep Q-learning; [`agents::q_network::QNetwork`] is the part to reuse |
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
pub mod wrong_request;

mod commands;
mod report;
