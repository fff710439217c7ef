//! Resets that are running, so that a program can tell when one hangs: [`running_resets`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A reset that has not returned yet.
#[derive(Clone, Debug)]
pub struct RunningReset {
    /// The environment's name.
    pub name: Arc<str>,
    /// The seed of the episode.
    pub seed: u64,
    /// When it began.
    pub since: Instant,
    id: u64,
}

static RUNNING: Mutex<(u64, Vec<RunningReset>)> = Mutex::new((0, Vec::new()));

/// Returns the running resets of environments from registries, of all threads.
pub fn running_resets() -> Vec<RunningReset> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
}

/// Lists a reset while `reset` runs.
pub(crate) fn listed<T>(name: &Arc<str>, seed: u64, reset: impl FnOnce() -> T) -> T {
    let id = {
        let (next, running) = &mut *RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        *next += 1;
        running.push(RunningReset { name: Arc::clone(name), seed, since: Instant::now(), id: *next });
        *next
    };
    let result = reset();
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner).1.retain(|running| running.id != id);
    result
}
