//! A thread that says so when an environment's reset doesn't return, which would look like a program at work.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use alrao_envs::{RunningReset, running_resets};

use crate::output::note;

/// The time after which a reset is reported.
const LIMIT: Duration = Duration::from_secs(60);

/// Reports resets that take longer than a minute, until it is dropped.
pub struct Watchdog {
    _running: Sender<()>,
}

impl Watchdog {
    /// Starts watching.
    pub fn start() -> Self {
        let (running, stopped) = mpsc::channel();
        thread::spawn(move || {
            let mut reported = None;
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(LIMIT / 12) {
                if let Some(reset) = hanging(&running_resets(), Instant::now())
                    && reported != Some(reset.since)
                {
                    note!("{}", message(reset));
                    reported = Some(reset.since);
                }
            }
        });
        Watchdog { _running: running }
    }
}

fn hanging(resets: &[RunningReset], now: Instant) -> Option<&RunningReset> {
    resets.iter().find(|reset| now.duration_since(reset.since) >= LIMIT)
}

fn message(reset: &RunningReset) -> String {
    format!(
        "environment `{}`: reset with seed {} hasn't returned for {} s; if it hangs, stop the program, correct the \
         environment and resume the run",
        reset.name,
        reset.seed,
        LIMIT.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use alrao_envs::{EnvSpec, Environment, EnvironmentError, EnvironmentSettings, NoSettings, Registry, Step};

    use super::*;

    /// An environment whose reset reports itself as a watchdog would see it a minute later.
    struct Slow;

    impl Environment for Slow {
        fn obs_dim(&self) -> usize {
            1
        }

        fn num_actions(&self) -> usize {
            1
        }

        fn reset(&mut self, _seed: u64) -> Result<(), EnvironmentError> {
            let resets: Vec<_> = running_resets().into_iter().filter(|reset| &*reset.name == "slow").collect();
            assert!(hanging(&resets, Instant::now()).is_none());
            let reported = hanging(&resets, Instant::now() + LIMIT).map(message);
            Err(EnvironmentError::Other(reported.unwrap_or_default().into()))
        }

        fn step(&mut self, _action: usize) -> Result<Step, EnvironmentError> {
            unreachable!("there is no episode")
        }

        fn observation(&self) -> &[f32] {
            &[0.0]
        }
    }

    #[test]
    fn a_reset_of_a_minute_is_reported_with_environment_and_seed() {
        let mut registry = Registry::default();
        registry.register(EnvSpec::new("slow", |_: NoSettings| Slow)).unwrap();
        let mut env = registry.make(&EnvironmentSettings::new("slow")).unwrap();
        let seen = env.reset(7).unwrap_err().to_string();
        assert!(seen.contains("environment `slow`: reset with seed 7 hasn't returned for 60 s"), "{seen}");
        assert!(running_resets().iter().all(|reset| &*reset.name != "slow"), "it is over");
    }
}
