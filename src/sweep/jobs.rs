//! The processes that train a sweep's runs, one for each run.
//!
//! A process resumes an existing run directory, waits until no other process trains in it, and saves a checkpoint and exits
//! when its standard input closes, because the sweep stops it or was killed itself. So no run is trained twice at a time or outlives its
//! sweep.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGKILL, SIGTERM};

use crate::message::message;
use crate::output::note;
use crate::sweep::directory::{State, SweepDirectory};
use crate::sweep::executor::End;
use crate::sweep::plan::Run;

/// The process of a run.
pub struct Job {
    /// The run's index in the sweep.
    pub run: usize,
    process: Child,
}

impl Job {
    /// Starts the process of a run.
    ///
    /// # Errors
    /// The run's directory can't be written, or the process can't be started.
    pub fn start(sweep: &SweepDirectory, index: usize) -> Result<Self> {
        let run = &sweep.runs[index];
        let log = sweep.prepare(run)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["train", "--in-sweep", "--resume"]).arg(sweep.of(run));
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        Ok(Job { run: index, process: command.spawn().context("can't start the process of a run")? })
    }

    /// Returns how the process ended; none if it still runs.
    ///
    /// # Errors
    /// The process's status or the run's directory can't be read.
    pub fn end(&mut self, sweep: &SweepDirectory) -> Result<Option<End>> {
        match self.process.try_wait()? {
            Some(status) => end(sweep, &sweep.runs[self.run], status).map(Some),
            None => Ok(None),
        }
    }

    /// Closes the process's standard input, on which it saves a checkpoint and exits.
    pub fn request_stop(&mut self) {
        drop(self.process.stdin.take());
    }

    /// Has the process save a checkpoint and exit, and waits for it.
    ///
    /// # Errors
    /// The process can't be waited for.
    pub fn stop(mut self) -> Result<()> {
        self.process.wait()?; // closes its standard input first
        Ok(())
    }
}

fn end(sweep: &SweepDirectory, run: &Run, status: ExitStatus) -> Result<End> {
    const SENT_BY_SOMEBODY: [i32; 4] = [SIGHUP, SIGINT, SIGKILL, SIGTERM];
    if status.success() && matches!(sweep.state(run)?, State::Done(_)) {
        return Ok(End::Done);
    }
    let noticed = status.code().map(|code| code - 128); // the exit code of a run that was stopped
    Ok(match status.signal().or(noticed) {
        Some(signal) if SENT_BY_SOMEBODY.contains(&signal) => End::Stopped,
        _ => {
            if let Err(error) = sweep.note_failure(run, &status.to_string()) {
                note!("{}: failed ({status}); can't record it: {}", run.name, message(&error));
            }
            End::Failed
        }
    })
}
