//! Who trains a sweep's runs, as the sweep sees it: [`Local`](super::local::Local) this machine, or
//! [`Slurm`](super::slurm::Slurm) the machines of a cluster.

use anyhow::Result;

/// Who is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ExecutorName {
    /// Processes on this machine.
    #[default]
    Local,
    /// A job array on a cluster that Slurm manages.
    Slurm,
}

/// How a run ended, or what was left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The run is done.
    Done,
    /// Somebody stopped it. It can go on.
    Stopped,
    /// It failed by itself; the run's directory says why.
    Failed,
}

/// Runs being trained; they are told by their places in the sweep.
pub trait Executor {
    /// In a few words, how many at a time, or where.
    fn words(&self) -> String;

    /// Looks what has become of them; those that ended since the last look, and how.
    ///
    /// # Errors
    /// A run's directory can't be read or written, or no process be made.
    fn look(&mut self) -> Result<Vec<(usize, End)>>;

    /// Those that are trained at present.
    fn training(&self) -> Vec<usize>;

    /// Those whose turn has yet to come.
    fn waiting(&self) -> Vec<usize>;

    /// Has nothing more to do with them; what is to be said of those that aren't done.
    ///
    /// # Errors
    /// The system doesn't tell that they ended.
    fn leave(self: Box<Self>) -> Result<Option<String>>;
}
