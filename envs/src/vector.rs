//! Many copies of an environment, stepped together: [`Vector`].
//!
//! Environments need not be `Send`: each is made by the worker that will step it, and stays there. What a worker gives
//! goes straight into its part of the shared buffers, so the order of the copies, and with it every result, is the same
//! for any number of workers.

use std::cell::RefCell;
use std::mem;
use std::num::NonZero;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::{Checked, Environment, EnvironmentError, Physics, Step};

/// Copies of an environment with numbered actions, each with its own stream of episodes, which follow each other without
/// a pause.
///
/// ```
/// # #[cfg(feature = "gym")] {
/// use alrao_envs::{EnvironmentSettings, Registry, Vector};
///
/// let (registry, pendulum) = (Registry::builtin(), EnvironmentSettings::new("pendulum"));
/// let (copies, threads) = (16.try_into()?, 2.try_into()?);
/// let seed = |copy: usize, episode: u64| 1000 * copy as u64 + episode;
/// let mut vector = Vector::new(copies, threads, |_| registry.make(&pendulum), seed)?;
/// vector.reset()?;
/// for _ in 0..200 {
///     vector.step(&[2; 16])?;
/// }
/// assert!(vector.steps().iter().all(|step| step.truncated));
/// assert_ne!(vector.reached(), vector.observations()); // where the episodes ended, and where new ones began
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Vector {
    workers: Workers,
    observation_len: usize,
    action_count: usize,
    running: bool,
    observations: Vec<f32>,
    reached: Vec<f32>,
    steps: Vec<Step>,
}

/// Who steps the environments.
enum Workers {
    /// Whoever calls.
    Caller(Vec<Member>),
    /// A thread for each of these parts, which keeps its copies in [`MEMBERS`].
    Threads(ThreadPool, Vec<Range<usize>>),
}

thread_local! {
    /// The copies of the one vector that this thread works for.
    static MEMBERS: RefCell<Vec<Member>> = const { RefCell::new(Vec::new()) };
}

struct Member {
    index: usize,
    env: Checked<Box<dyn Environment>>,
    seed: Arc<dyn Fn(usize, u64) -> u64 + Send + Sync>,
    episode: u64,
}

/// What belongs to one copy in the buffers.
struct Row<'a> {
    action: usize,
    observation: &'a mut [f32],
    reached: &'a mut [f32],
    step: &'a mut Step,
}

impl Vector {
    /// Makes `copies` environments with `make`, which gets each one's number, on `threads` threads of their own; with
    /// one thread, on the caller's. `seed` says what a copy's episode is reset with, from the copy's number and the
    /// episode's, both counted from 0.
    ///
    /// # Errors
    /// [`EnvironmentError::Copy`] with what `make` fails with; [`EnvironmentError::UnlikeCopy`] if copies differ in
    /// their observations' length or their number of actions; [`EnvironmentError::Other`] if there can't be so many
    /// threads.
    pub fn new(
        copies: NonZero<usize>,
        threads: NonZero<usize>,
        make: impl Fn(usize) -> Result<Box<dyn Environment>, EnvironmentError> + Sync,
        seed: impl Fn(usize, u64) -> u64 + Send + Sync + 'static,
    ) -> Result<Self, EnvironmentError> {
        let (copies, threads) = (copies.get(), threads.get());
        let seed: Arc<dyn Fn(usize, u64) -> u64 + Send + Sync> = Arc::new(seed);
        let make = |index| -> Result<Member, EnvironmentError> {
            let env = Checked::new(make(index).map_err(|error| error.of_copy(index))?);
            Ok(Member { index, env, seed: seed.clone(), episode: 0 })
        };
        let shape = |copy: &Member| (copy.env.observation_len(), copy.env.action_count());

        let (workers, shapes) = if threads == 1 {
            let made: Vec<Member> = (0..copies).map(make).collect::<Result<_, _>>()?;
            let shapes: Vec<_> = made.iter().map(shape).collect();
            (Workers::Caller(made), shapes)
        } else {
            let share = copies.div_ceil(threads);
            let parts: Vec<_> = (0..copies).step_by(share).map(|start| start..copies.min(start + share)).collect();
            let pool = ThreadPoolBuilder::new().num_threads(parts.len()).build();
            let pool = pool.map_err(|error| EnvironmentError::Other(error.into()))?;
            let made = pool.broadcast(|worker| -> Result<Vec<_>, EnvironmentError> {
                let made: Vec<Member> = parts[worker.index()].clone().map(make).collect::<Result<_, _>>()?;
                let shapes = made.iter().map(shape).collect();
                MEMBERS.set(made);
                Ok(shapes)
            });
            let shapes: Vec<Vec<_>> = made.into_iter().collect::<Result<_, _>>()?;
            (Workers::Threads(pool, parts), shapes.concat())
        };
        if let Some(index) = shapes.iter().position(|shape| *shape != shapes[0]) {
            return Err(EnvironmentError::UnlikeCopy { index });
        }
        let (observation_len, action_count) = shapes[0];
        Ok(Self {
            workers,
            observation_len,
            action_count,
            running: false,
            observations: vec![0.0; copies * observation_len],
            reached: vec![0.0; copies * observation_len],
            steps: vec![Step { reward: 0.0, terminated: false, truncated: false }; copies],
        })
    }

    /// How many numbers a copy's observation has.
    pub fn observation_len(&self) -> usize {
        self.observation_len
    }

    /// How many actions a copy has.
    pub fn action_count(&self) -> usize {
        self.action_count
    }

    /// Starts the first episode of every copy.
    ///
    /// # Errors
    /// [`EnvironmentError::Copy`] with what the first copy that fails fails with.
    pub fn reset(&mut self) -> Result<(), EnvironmentError> {
        let no_actions = vec![0; self.steps.len()];
        self.each(&no_actions, |copies, rows| {
            one_by_one(copies, rows, |copy, row| {
                copy.episode = 0;
                copy.start(row.observation)
            })
        })
    }

    /// Takes one action in each copy, `[copies]`; where an episode ends, the copy's next one is started.
    ///
    /// # Errors
    /// [`EnvironmentError::ActionsOfCopies`] if there are more or fewer actions than copies, which changes nothing;
    /// [`EnvironmentError::StepBeforeReset`]; [`EnvironmentError::Copy`] with what the first copy that fails fails
    /// with: then the others are somewhere, and a reset is needed.
    pub fn step(&mut self, actions: &[usize]) -> Result<(), EnvironmentError> {
        if actions.len() != self.steps.len() {
            return Err(EnvironmentError::ActionsOfCopies { actions: actions.len(), copies: self.steps.len() });
        }
        if !self.running {
            return Err(EnvironmentError::StepBeforeReset);
        }
        self.each(actions, |copies, rows| {
            Physics::step_together(copies.iter_mut().zip(&rows).filter_map(|(copy, row)| copy.env.begin(row.action)));
            one_by_one(copies, rows, |copy, row| {
                *row.step = copy.env.step(row.action)?;
                row.reached.copy_from_slice(copy.env.observation());
                if row.step.ended() {
                    copy.episode += 1;
                    copy.start(row.observation)
                } else {
                    row.observation.copy_from_slice(row.reached);
                    Ok(())
                }
            })
        })
    }

    /// What to act upon now, `[copies, observation_len]`: where an episode has just ended, the next one's start.
    pub fn observations(&self) -> &[f32] {
        &self.observations
    }

    /// What the last actions led to, `[copies, observation_len]`: where an episode has just ended, its last
    /// observation. Zeros before the first step.
    pub fn reached(&self) -> &[f32] {
        &self.reached
    }

    /// What else the last actions led to, `[copies]`.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Has each worker work on its copies.
    fn each(
        &mut self,
        actions: &[usize],
        work: impl Fn(&mut [Member], Vec<Row<'_>>) -> Result<(), EnvironmentError> + Sync,
    ) -> Result<(), EnvironmentError> {
        self.running = false; // from here on a failure leaves the copies somewhere unknown
        let rows = self.steps.iter_mut().zip(actions);
        let mut rest = (self.observations.as_mut_slice(), self.reached.as_mut_slice());
        let len = self.observation_len;
        let rows = rows.map(|(step, &action)| Row {
            action,
            observation: rest.0.split_off_mut(..len).expect("a row for each copy"),
            reached: rest.1.split_off_mut(..len).expect("a row for each copy"),
            step,
        });
        match &mut self.workers {
            Workers::Caller(copies) => work(copies, rows.collect())?,
            Workers::Threads(pool, parts) => {
                let mut rows = rows;
                let parts: Vec<Mutex<Vec<Row<'_>>>> =
                    parts.iter().map(|part| Mutex::new(rows.by_ref().take(part.len()).collect())).collect();
                let done = pool.broadcast(|worker| {
                    let mut rows = parts[worker.index()].lock().unwrap_or_else(PoisonError::into_inner);
                    MEMBERS.with_borrow_mut(|copies| work(copies, mem::take(&mut *rows)))
                });
                done.into_iter().collect::<Result<(), _>>()?;
            }
        }
        self.running = true;
        Ok(())
    }
}

/// Works on copies until one fails.
fn one_by_one(
    copies: &mut [Member],
    rows: Vec<Row<'_>>,
    mut work: impl FnMut(&mut Member, Row<'_>) -> Result<(), EnvironmentError>,
) -> Result<(), EnvironmentError> {
    copies.iter_mut().zip(rows).try_for_each(|(copy, row)| work(copy, row).map_err(|error| error.of_copy(copy.index)))
}

impl Member {
    fn start(&mut self, observation: &mut [f32]) -> Result<(), EnvironmentError> {
        self.env.reset((self.seed)(self.index, self.episode))?;
        observation.copy_from_slice(self.env.observation());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    use crate::environment::tests::Counter;

    /// A counter that can't leave its thread.
    struct Homely(Counter, #[expect(dead_code, reason = "is there to be no Send")] Rc<()>);

    impl Environment for Homely {
        fn observation_len(&self) -> usize {
            self.0.observation_len()
        }

        fn action_count(&self) -> usize {
            self.0.action_count()
        }

        fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
            self.0.reset(seed)
        }

        fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
            self.0.step(action)
        }

        fn observation(&self) -> &[f32] {
            self.0.observation()
        }
    }

    /// Copy `i` ends at `i + 2`.
    fn vector(copies: usize, threads: usize) -> Vector {
        let make = |i| Ok(Box::new(Homely(Counter::to(i as f32 + 2.0), Rc::new(()))) as Box<dyn Environment>);
        let seed = |copy, episode| 10 * copy as u64 + episode;
        Vector::new(copies.try_into().unwrap(), threads.try_into().unwrap(), make, seed).unwrap()
    }

    #[test]
    fn an_ended_episode_gives_its_last_observation_and_the_next_ones_first() {
        let mut vector = vector(3, 1);
        vector.reset().unwrap();
        assert_eq!(vector.observations(), [0.0, 0.0, 10.0, 0.0, 20.0, 0.0]);
        vector.step(&[2, 2, 1]).unwrap();
        assert_eq!(vector.reached(), [0.0, 2.0, 10.0, 2.0, 20.0, 1.0]);
        assert_eq!(vector.observations(), [1.0, 0.0, 10.0, 2.0, 20.0, 1.0]);
        let terminated: Vec<_> = vector.steps().iter().map(|step| step.terminated).collect();
        assert_eq!(terminated, [true, false, false]);
        vector.reset().unwrap();
        assert_eq!(vector.observations(), [0.0, 0.0, 10.0, 0.0, 20.0, 0.0]);
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let history = |threads| {
            let mut vector = vector(7, threads);
            vector.reset().unwrap();
            let mut seen = vec![vector.observations().to_vec()];
            for t in 0..30 {
                vector.step(&[0, 1, 2, 3, 4, 5, 6].map(|i| (i * t + t) % 3)).unwrap();
                let rewards = vector.steps().iter().map(|step| step.reward as f32).collect();
                seen.extend([vector.reached().to_vec(), vector.observations().to_vec(), rewards]);
            }
            seen
        };
        let alone = history(1);
        for threads in [2, 3, 7, 20] {
            assert_eq!(history(threads), alone, "{threads} threads");
        }
    }

    #[test]
    fn a_failure_names_the_first_copy_and_asks_for_a_reset() {
        for threads in [1, 3] {
            let mut vector = vector(5, threads);
            assert!(matches!(vector.step(&[0; 5]), Err(EnvironmentError::StepBeforeReset)));
            vector.reset().unwrap();
            let error = vector.step(&[0; 4]).unwrap_err().to_string();
            assert_eq!(error, "4 actions for 5 copies of an environment: each takes one");
            let error = vector.step(&[0, 0, 0, 3, 9]).unwrap_err().to_string();
            assert_eq!(error, "copy 3: action 3 does not exist: there are 3 actions, numbered from 0");
            assert!(matches!(vector.step(&[0; 5]), Err(EnvironmentError::StepBeforeReset)));
            vector.reset().unwrap();
            vector.step(&[0; 5]).unwrap();
        }
    }

    #[test]
    fn copies_must_be_alike() {
        struct Wide(usize);

        impl Environment for Wide {
            fn observation_len(&self) -> usize {
                self.0
            }

            fn action_count(&self) -> usize {
                1
            }

            fn reset(&mut self, _seed: u64) -> Result<(), EnvironmentError> {
                Ok(())
            }

            fn step(&mut self, _action: usize) -> Result<Step, EnvironmentError> {
                unreachable!()
            }

            fn observation(&self) -> &[f32] {
                &[]
            }
        }

        for threads in [1, 2] {
            let make = |i| Ok(Box::new(Wide(3 + i / 2)) as Box<dyn Environment>);
            let error = Vector::new(4.try_into().unwrap(), threads.try_into().unwrap(), make, |_, _| 0).err().unwrap();
            assert!(matches!(error, EnvironmentError::UnlikeCopy { index: 2 }), "{error}");
            let failing = |i| if i < 2 { make(i) } else { Err(EnvironmentError::StepBeforeReset) };
            let error = Vector::new(4.try_into().unwrap(), threads.try_into().unwrap(), failing, |_, _| 0).err();
            assert!(matches!(error, Some(EnvironmentError::Copy { index: 2, .. })), "{error:?}");
        }
    }
}
