//! The processes that train a sweep's runs, one each.
//!
//! Each goes on in a run directory that is there already, waits until nobody else trains in it, and ends when its
//! standard input closes: that is how it is told to stop, and how it ends when the sweep's own process is killed. So no
//! run is trained twice at a time, and none outlives its sweep.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

use crate::sweep::directory::{State, SweepDirectory};
use crate::sweep::executor::End;
use crate::sweep::plan::Run;

/// A run's process.
pub struct Job {
    /// The run's place in the sweep.
    pub run: usize,
    process: Child,
}

impl Job {
    /// Starts the process of a run.
    ///
    /// # Errors
    /// The run's directory can't be written, or no process be made.
    pub fn start(sweep: &SweepDirectory, index: usize) -> Result<Self> {
        let run = &sweep.runs[index];
        let log = sweep.prepare(run)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["train", "--in-sweep", "--resume"]).arg(sweep.of(run));
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        Ok(Job { run: index, process: command.spawn().context("a process of `alrao train`")? })
    }

    /// How it ended; none if it hasn't.
    ///
    /// # Errors
    /// The system doesn't tell, or the run's directory can't be read.
    pub fn end(&mut self, sweep: &SweepDirectory) -> Result<Option<End>> {
        match self.process.try_wait()? {
            Some(status) => end(sweep, &sweep.runs[self.run], status).map(Some),
            None => Ok(None),
        }
    }

    /// Has it end, at once.
    ///
    /// # Errors
    /// The system doesn't tell that it did.
    pub fn stop(mut self) -> Result<()> {
        self.process.wait()?; // closes its standard input first
        Ok(())
    }
}

fn end(sweep: &SweepDirectory, run: &Run, status: ExitStatus) -> Result<End> {
    const SENT_BY_SOMEBODY: [i32; 4] = [1, 2, 9, 15]; // SIGHUP, SIGINT, SIGKILL, SIGTERM
    if status.success() && matches!(sweep.state(run)?, State::Done(_)) {
        return Ok(End::Done);
    }
    Ok(match status.signal() {
        Some(signal) if SENT_BY_SOMEBODY.contains(&signal) => End::Stopped,
        _ => {
            sweep.note_failure(run, &status.to_string())?;
            End::Failed
        }
    })
}
