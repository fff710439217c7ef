//! The copies of an environment and the workers that share them: [`Pool`].

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::settings::GymnasiumSettings;
use super::worker::{Answer, Greeting, Launch, Request, Worker};
use crate::EnvironmentError;

/// The copies of an environment with given settings. Worker `i` of `n` has the copies `i`, `i + n` and so on.
#[derive(Debug)]
pub struct Pool {
    launch: Launch,
    workers: Vec<Mutex<Worker>>,
    greeting: OnceLock<Greeting>,
    /// whether each index of a copy is in use
    copies: Mutex<Vec<bool>>,
}

impl Pool {
    /// Creates the pool without starting a process.
    ///
    /// # Errors
    /// A setting is invalid.
    pub fn new(id: &str, settings: &GymnasiumSettings) -> Result<Self, EnvironmentError> {
        settings.check()?;
        let launch = Launch {
            python: settings.python.clone(),
            settings: serde_json::Value::from(settings.for_script(id)?).to_string(),
            timeout: Duration::from_secs_f64(settings.timeout),
        };
        let workers = (0..settings.worker_count()).map(|_| Mutex::default()).collect();
        Ok(Self { launch, workers, greeting: OnceLock::new(), copies: Mutex::default() })
    }

    /// Returns what the environment says of itself, from a worker.
    ///
    /// # Errors
    /// The environment can't be made.
    pub fn greeting(&self) -> Result<&Greeting, EnvironmentError> {
        if let Some(greeting) = self.greeting.get() {
            return Ok(greeting);
        }
        let mut worker = self.worker(0);
        let greeting = worker.start(&self.launch).and_then(|()| worker.greeting().cloned())?;
        Ok(self.greeting.get_or_init(|| greeting))
    }

    /// Returns the greeting if a worker gave one before.
    pub fn known_greeting(&self) -> Option<&Greeting> {
        self.greeting.get()
    }

    /// Returns whether a worker failed, so that no copy can be added.
    pub fn has_failed(&self) -> bool {
        self.workers.iter().any(|worker| lock(worker).has_failed())
    }

    /// Reserves the smallest free index of a copy, and starts its worker.
    ///
    /// # Errors
    /// The worker failed.
    pub fn add_copy(&self) -> Result<usize, EnvironmentError> {
        let mut copies = lock(&self.copies);
        let free = copies.iter().position(|in_use| !in_use);
        let copy = free.unwrap_or_else(|| {
            copies.push(false);
            copies.len() - 1
        });
        self.worker(copy).start(&self.launch)?;
        copies[copy] = true;
        Ok(copy)
    }

    /// Frees the index of a copy, which was asked to close.
    pub fn remove_copy(&self, copy: usize) {
        lock(&self.copies)[copy] = false;
    }

    /// Adds a request to its worker's next message.
    pub fn queue(&self, request: Request) {
        self.worker(request.copy).queue(request);
    }

    /// Sends what was queued for all workers, so that they work side by side, and passes the answer to this request to
    /// `read`.
    ///
    /// # Errors
    /// The environment or the worker failed.
    pub fn answer<T>(&self, request: &Request, read: impl FnOnce(&mut Answer) -> T) -> Result<T, EnvironmentError> {
        for worker in &self.workers {
            // Another thread may wait for this worker, and sends what it needs itself.
            let Ok(mut worker) = worker.try_lock() else { continue };
            if worker.has_queued() {
                let _ = worker.send(); // an error is returned to those that need the answer
            }
        }
        Ok(read(self.worker(request.copy).answer(request)?))
    }

    fn worker(&self, copy: usize) -> MutexGuard<'_, Worker> {
        lock(&self.workers[copy % self.workers.len()])
    }
}

impl Drop for Pool {
    /// Has all workers end at the same time.
    fn drop(&mut self) {
        self.workers.iter().for_each(|worker| lock(worker).disconnect());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
