//! Many runs beside each other: from a sweep file to their table.
//!
//! [`plan`] multiplies a sweep file out into runs, [`directory`] keeps them and knows how far each has got, [`jobs`] makes
//! a process of `alrao train` of each, [`view`] shows them, [`table`] compares what came out by [`statistics`].

pub mod directory;
pub mod jobs;
pub mod plan;
pub mod statistics;
pub mod table;
pub mod view;
