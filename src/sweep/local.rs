//! The local executor: trains runs in processes on this machine, several in parallel.

use std::collections::VecDeque;

use anyhow::Result;

use crate::message::message;
use crate::output::note;
use crate::sweep::directory::SweepDirectory;
use crate::sweep::executor::{End, Executor};
use crate::sweep::jobs::Job;

/// The local executor.
pub struct Local<'a> {
    sweep: &'a SweepDirectory,
    waiting: VecDeque<usize>,
    jobs: Vec<Job>,
    at_a_time: usize,
}

impl<'a> Local<'a> {
    /// Creates an executor of these runs, `jobs` in parallel; by default as many as the cores allow.
    pub fn new(sweep: &'a SweepDirectory, runs: Vec<usize>, jobs: Option<u32>) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let at_a_time = jobs.map_or_else(|| cores() / sweep.most_threads() as usize, |jobs| jobs as usize).max(1);
        Local { sweep, waiting: runs.into(), jobs: Vec::new(), at_a_time }
    }
}

impl Executor for Local<'_> {
    fn describe(&self) -> String {
        format!("{} in parallel", self.at_a_time)
    }

    fn poll(&mut self) -> Result<Vec<(usize, End)>> {
        let mut ended = Vec::new();
        for mut job in std::mem::take(&mut self.jobs) {
            match job.end(self.sweep)? {
                Some(end) => ended.push((job.run, end)),
                None => self.jobs.push(job),
            }
        }
        while self.jobs.len() < self.at_a_time
            && let Some(run) = self.waiting.pop_front()
        {
            match Job::start(self.sweep, run) {
                Ok(job) => self.jobs.push(job),
                Err(error) => {
                    note!("{}: can't be started: {}", self.sweep.runs[run].name, message(&error));
                    ended.push((run, End::Failed));
                }
            }
        }
        Ok(ended)
    }

    fn training(&self) -> Vec<usize> {
        self.jobs.iter().map(|job| job.run).collect()
    }

    fn waiting(&self) -> Vec<usize> {
        self.waiting.iter().copied().collect()
    }

    /// Has the runs save their checkpoints and exit.
    fn detach(mut self: Box<Self>) -> Result<Option<String>> {
        self.jobs.iter_mut().for_each(Job::request_stop);
        self.jobs.into_iter().try_for_each(Job::stop)?;
        Ok(None)
    }
}
