//! Sweeps: grids of runs, from a sweep file to the table of results.
//!
//! [`plan`] expands a sweep file into runs, [`directory`] stores them and reads their states, [`jobs`] starts a process of
//! `alrao train` for each run of an [`executor`]: [`local`] or [`slurm`]. [`view`] shows the progress, [`table`] aggregates
//! the results and compares them with the [`paper`]'s. [`sources`] finds the runs to plot.

pub mod directory;
pub mod executor;
pub mod jobs;
pub mod local;
pub mod paper;
pub mod plan;
pub mod slurm;
pub mod sources;
pub mod table;
pub mod view;
