//! Many runs beside each other: from a sweep file to their table.
//!
//! [`plan`] multiplies a sweep file out into runs, [`directory`] keeps them and knows how far each has got, [`jobs`] makes
//! a process of `alrao train` of each, for an [`executor`]: [`local`] or [`slurm`]. [`view`] shows them, [`table`] compares
//! what came out, and that with the [`paper`]'s figures. [`sources`] are what can be drawn.

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
