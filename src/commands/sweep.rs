//! `alrao sweep`: every run of a sweep trained, several at a time, and their table.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::command_line::{SweepRequest, WrongRequest};
use crate::config::Versions;
use crate::run_directory::free_name;
use crate::sweep::directory::{State, SweepDirectory};
use crate::sweep::jobs::{End, Job};
use crate::sweep::plan;
use crate::sweep::table::{Table, TableFormat};
use crate::sweep::view::View;

/// From one look at the processes to the next.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`] or a setting's error if the request can't be met, with nothing made; else that runs failed or were
/// stopped, or what kept the sweep from going on.
pub fn sweep(request: &SweepRequest) -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let sweep = directory(request)?;
    let _lock = sweep.lock()?;

    let (mut waiting, mut failed) = (VecDeque::new(), 0);
    for (index, run) in sweep.runs.iter().enumerate() {
        match sweep.state(run)? {
            State::Done(_) => {}
            State::Failed(_) if !request.retry_failed => failed += 1,
            _ => waiting.push_back(index),
        }
    }
    let at_a_time = request.jobs.map_or_else(|| cores() / most_threads(&sweep), |jobs| jobs as usize).max(1);
    let mut view = View::new(&sweep, sweep.runs.len() - waiting.len(), at_a_time);

    let (mut jobs, mut stopped): (Vec<Job>, usize) = (Vec::new(), 0);
    let stop = || stop.load(Ordering::Relaxed);
    while !stop() && (!waiting.is_empty() || !jobs.is_empty()) {
        while jobs.len() < at_a_time
            && let Some(run) = waiting.pop_front()
        {
            jobs.push(Job::start(&sweep, run)?);
        }
        std::thread::sleep(LOOK_EVERY);
        for mut job in std::mem::take(&mut jobs) {
            let Some(end) = job.end(&sweep)? else {
                jobs.push(job);
                continue;
            };
            view.ended(job.run)?;
            failed += usize::from(end == End::Failed);
            stopped += usize::from(end == End::Stopped);
        }
        view.look(&jobs.iter().map(|job| job.run).collect::<Vec<_>>(), waiting.iter().copied());
    }
    stopped += jobs.len() + waiting.len();
    jobs.into_iter().try_for_each(Job::stop)?;
    view.finish();

    print!("{}", Table::of(&sweep)?.write(TableFormat::Markdown));
    let go_on = format!("alrao sweep --resume {}", sweep.path().display());
    match (stopped, failed) {
        (0, 0) => Ok(()),
        (0, _) => bail!("{failed} runs failed; their process.log says why; try them again by `{go_on} --retry-failed`"),
        _ => bail!("stopped with {stopped} runs to go and {failed} failed; go on by `{go_on}`"),
    }
}

/// The directory that is asked for, made if it is a new one.
fn directory(request: &SweepRequest) -> Result<SweepDirectory> {
    let Some(path) = &request.resume else {
        let source = request.sweep.as_deref().expect("required by the command line");
        let runs = plan::read(source, &request.set, request.seeds.as_ref())?;
        let stem = Path::new(source).file_stem().map_or("sweep".into(), |stem| stem.to_string_lossy());
        let path = request.out.clone().map_or_else(|| free_name(&stem), Ok)?;
        return SweepDirectory::create(&path, runs);
    };
    let sweep = SweepDirectory::read(path)?;
    let versions = Some(Versions::in_use()?);
    if let Some(run) = sweep.runs.iter().find(|run| run.config.versions != versions) {
        let words = |versions: &Option<Versions>| {
            versions
                .as_ref()
                .map_or("unknown versions".into(), |v| format!("alrao {} on libtorch {}", v.alrao, v.libtorch))
        };
        let (made, now) = (words(&run.config.versions), words(&versions));
        let problem = format!("made by {made}, but this is {now}; go on with that one, or start a new sweep");
        return Err(WrongRequest(format!("{}: {problem}", path.display())).into());
    }
    Ok(sweep)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get())
}

fn most_threads(sweep: &SweepDirectory) -> usize {
    sweep.runs.iter().map(|run| run.config.threads as usize).max().unwrap_or(1)
}
