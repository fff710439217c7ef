//! The interface of executors, which train a sweep's runs: [`Local`](super::local::Local) on this machine,
//! [`Slurm`](super::slurm::Slurm) on a cluster.

use anyhow::Result;

/// The name of an executor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ExecutorName {
    /// Processes on this machine.
    #[default]
    Local,
    /// A job array on a cluster that Slurm manages.
    Slurm,
}

/// How the training of a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The run finished.
    Done,
    /// The run was stopped and can be resumed.
    Stopped,
    /// The run failed; its directory contains the reason.
    Failed,
}

/// An executor of runs, which are identified by their index in the sweep.
pub trait Executor {
    /// Describes how the runs are trained, in a few words.
    fn describe(&self) -> String;

    /// Polls the runs, and returns those that ended since the last call.
    ///
    /// # Errors
    /// A run's directory can't be read or written, or a process can't be started.
    fn poll(&mut self) -> Result<Vec<(usize, End)>>;

    /// Returns the runs in training.
    fn training(&self) -> Vec<usize>;

    /// Returns the waiting runs.
    fn waiting(&self) -> Vec<usize>;

    /// Stops or detaches the remaining runs; returns a message about them.
    ///
    /// # Errors
    /// A process can't be waited for.
    fn detach(self: Box<Self>) -> Result<Option<String>>;
}
