//! Parallel stepping of many environments: [`VectorEnv`].
//!
//! Environments need not be `Send`: the worker that steps an environment also makes it. Workers write to their own parts
//! of the shared buffers, so results don't depend on the number of workers. A [`VectorSnapshot`] saves all environments in
//! the middle of their episodes, as [`Resumable`] does one.

use std::cell::RefCell;
use std::mem;
use std::num::NonZero;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::{Deserialize, Serialize};

use crate::{
    Environment, EnvironmentError, ObservationBuffer, ObservationMut, ObservationRef, ObservationSpace, Physics,
    Resumable, Snapshot, Step,
};

/// A vector of environments with discrete actions. An environment whose episode ends is reset in the same step.
///
/// ```
/// # #[cfg(feature = "gym")] {
/// use alrao_envs::{EnvironmentSettings, Registry, VectorEnv};
///
/// let (registry, pendulum) = (Registry::builtin(), EnvironmentSettings::new("pendulum"));
/// let (num_envs, threads) = (16.try_into()?, 2.try_into()?);
/// let seed = |env: usize, episode: u64| 1000 * env as u64 + episode;
/// let mut envs = VectorEnv::new(num_envs, threads, |_| registry.make(&pendulum), seed)?;
/// envs.reset()?;
/// for _ in 0..200 {
///     envs.step(&[2; 16])?;
/// }
/// assert!(envs.steps().iter().all(|step| step.truncated));
/// assert_ne!(envs.final_observations(), envs.observations()); // ends of episodes, and starts of the next ones
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct VectorEnv {
    workers: Workers,
    space: ObservationSpace,
    num_actions: usize,
    running: bool,
    observations: ObservationBuffer,
    final_observations: ObservationBuffer,
    masks: Masks,
    final_masks: Masks,
    steps: Vec<Step>,
}

/// The action masks of all environments.
struct Masks {
    /// `[num_envs, num_actions]`
    legal: Vec<bool>,
    /// whether each environment has a mask now, `[num_envs]`
    given: Vec<bool>,
}

/// A point in the episodes of a [`VectorEnv`].
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[serde(deny_unknown_fields)]
pub struct VectorSnapshot {
    /// The index of each environment's episode, from 0, `[num_envs]`.
    pub episodes: Vec<u64>,
    /// The point in each environment's episode, `[num_envs]`.
    pub snapshots: Vec<Snapshot>,
}

/// The workers that step the environments.
enum Workers {
    /// The calling thread.
    Caller(Vec<SubEnv>),
    /// A thread for each of these ranges, which keeps its environments in [`SUB_ENVS`].
    Threads(ThreadPool, Vec<Range<usize>>),
}

thread_local! {
    /// The environments of this worker thread.
    static SUB_ENVS: RefCell<Vec<SubEnv>> = const { RefCell::new(Vec::new()) };
}

/// One environment of the vector.
struct SubEnv {
    index: usize,
    env: Resumable<Box<dyn Environment>>,
    seed: Arc<dyn Fn(usize, u64) -> u64 + Send + Sync>,
    episode: u64,
}

/// One environment's part of the buffers.
struct Row<'a> {
    action: usize,
    observation: ObservationMut<'a>,
    final_observation: ObservationMut<'a>,
    mask: MaskMut<'a>,
    final_mask: MaskMut<'a>,
    step: &'a mut Step,
}

/// One environment's part of [`Masks`].
struct MaskMut<'a> {
    legal: &'a mut [bool],
    given: &'a mut bool,
}

impl VectorEnv {
    /// Makes `num_envs` environments by calling `make` with their indices, on `threads` new threads, or on the calling
    /// thread if `threads` is 1. `seed` returns the seed of an episode from the indices of the environment and of the
    /// episode, both from 0.
    ///
    /// # Errors
    /// [`EnvironmentError::InVectorEnv`] with an error of `make`, or this error itself if there is one environment, as in
    /// all methods; [`EnvironmentError::MismatchedSpaces`] if environments have different spaces; [`EnvironmentError::Other`] if the threads can't be started.
    pub fn new(
        num_envs: NonZero<usize>,
        threads: NonZero<usize>,
        make: impl Fn(usize) -> Result<Box<dyn Environment>, EnvironmentError> + Sync,
        seed: impl Fn(usize, u64) -> u64 + Send + Sync + 'static,
    ) -> Result<Self, EnvironmentError> {
        let (num_envs, threads) = (num_envs.get(), threads.get());
        let seed: Arc<dyn Fn(usize, u64) -> u64 + Send + Sync> = Arc::new(seed);
        let make = |index| -> Result<SubEnv, EnvironmentError> {
            let env = Resumable::new(make(index).map_err(|error| error.in_vector_env(index, num_envs))?);
            Ok(SubEnv { index, env, seed: seed.clone(), episode: 0 })
        };
        let spaces_of = |sub_env: &SubEnv| (sub_env.env.observation_space(), sub_env.env.num_actions());

        let (workers, spaces) = if threads == 1 {
            let made: Vec<SubEnv> = (0..num_envs).map(make).collect::<Result<_, _>>()?;
            let spaces: Vec<_> = made.iter().map(spaces_of).collect();
            (Workers::Caller(made), spaces)
        } else {
            let share = num_envs.div_ceil(threads);
            let parts: Vec<_> = (0..num_envs).step_by(share).map(|start| start..num_envs.min(start + share)).collect();
            let pool = ThreadPoolBuilder::new().num_threads(parts.len()).build();
            let pool = pool.map_err(|error| EnvironmentError::Other(error.into()))?;
            let made = pool.broadcast(|worker| -> Result<Vec<_>, EnvironmentError> {
                let made: Vec<SubEnv> = parts[worker.index()].clone().map(make).collect::<Result<_, _>>()?;
                let spaces = made.iter().map(spaces_of).collect();
                SUB_ENVS.set(made);
                Ok(spaces)
            });
            let spaces: Vec<Vec<_>> = made.into_iter().collect::<Result<_, _>>()?;
            (Workers::Threads(pool, parts), spaces.concat())
        };
        if let Some(index) = spaces.iter().position(|of_env| *of_env != spaces[0]) {
            return Err(EnvironmentError::MismatchedSpaces { index });
        }
        let (space, num_actions) = spaces[0];
        let zeros = || ObservationBuffer::zeros(space.dtype, num_envs * space.len());
        Ok(Self {
            workers,
            space,
            num_actions,
            running: false,
            observations: zeros(),
            final_observations: zeros(),
            masks: Masks::new(num_envs, num_actions),
            final_masks: Masks::new(num_envs, num_actions),
            steps: vec![Step { reward: 0.0, terminated: false, truncated: false }; num_envs],
        })
    }

    /// Returns the number of values of an environment's observation.
    pub fn obs_dim(&self) -> usize {
        self.space.len()
    }

    /// Returns shape and dtype of an environment's observations.
    pub fn observation_space(&self) -> ObservationSpace {
        self.space
    }

    /// Returns the number of an environment's actions.
    pub fn num_actions(&self) -> usize {
        self.num_actions
    }

    /// Starts the first episode of every environment.
    ///
    /// # Errors
    /// [`EnvironmentError::InVectorEnv`] with the error of the first environment that fails.
    pub fn reset(&mut self) -> Result<(), EnvironmentError> {
        let num_envs = self.steps.len();
        self.for_each_worker(&vec![0; num_envs], |envs, rows| {
            for_each_env(envs, rows, num_envs, |env, mut row| {
                env.episode = 0;
                env.start(&mut row)
            })
        })
    }

    /// Takes an action in each environment, `[num_envs]`, and resets the environments whose episodes end.
    ///
    /// # Errors
    /// [`EnvironmentError::ActionCount`] if the number of actions isn't `num_envs`, which changes nothing;
    /// [`EnvironmentError::StepBeforeReset`]; [`EnvironmentError::InVectorEnv`] with the error of the first environment
    /// that fails: the others' state is then undefined; call [`reset`](Self::reset).
    pub fn step(&mut self, actions: &[usize]) -> Result<(), EnvironmentError> {
        let num_envs = self.steps.len();
        if actions.len() != num_envs {
            return Err(EnvironmentError::ActionCount { actions: actions.len(), num_envs });
        }
        if !self.running {
            return Err(EnvironmentError::StepBeforeReset);
        }
        self.for_each_worker(actions, |envs, rows| {
            Physics::step_batch(envs.iter_mut().zip(&rows).filter_map(|(env, row)| env.env.begin_step(row.action)));
            for_each_env(envs, rows, num_envs, |env, mut row| {
                *row.step = env.env.step(row.action)?;
                row.final_observation.copy_from(env.env.typed_observation());
                row.final_mask.copy_from(env.env.action_mask());
                if row.step.ended() {
                    env.episode += 1;
                    env.start(&mut row)
                } else {
                    env.observe(&mut row);
                    Ok(())
                }
            })
        })
    }

    /// Returns the current point in all episodes; none before the first reset, or after an error.
    pub fn snapshot(&self) -> Option<VectorSnapshot> {
        let of_env = |env: &SubEnv| Some((env.episode, env.env.snapshot()?));
        let of_envs = |envs: &[SubEnv]| envs.iter().map(of_env).collect::<Option<Vec<_>>>();
        let all = match &self.workers {
            Workers::Caller(envs) => of_envs(envs)?,
            Workers::Threads(pool, _) => pool
                .broadcast(|_| SUB_ENVS.with_borrow(|envs| of_envs(envs)))
                .into_iter()
                .collect::<Option<Vec<_>>>()?
                .concat(),
        };
        let (episodes, snapshots) = all.into_iter().unzip();
        self.running.then_some(VectorSnapshot { episodes, snapshots })
    }

    /// Restores a snapshot of as many environments by replaying their episodes. Rewards, flags and final observations of
    /// the actions before it are not restored.
    ///
    /// # Errors
    /// [`EnvironmentError::Other`] if the snapshot is of another number of environments; [`EnvironmentError::InVectorEnv`]
    /// with the error of the first environment that fails, for instance because the snapshot is from other environments.
    pub fn restore(&mut self, snapshot: &VectorSnapshot) -> Result<(), EnvironmentError> {
        let VectorSnapshot { episodes, snapshots } = snapshot;
        let num_envs = self.steps.len();
        if [episodes.len(), snapshots.len()] != [num_envs; 2] {
            let problem = format!("the snapshot is of {} environments, but there are {num_envs}", snapshots.len());
            return Err(problem.into());
        }
        self.for_each_worker(&vec![0; num_envs], |envs, rows| {
            for_each_env(envs, rows, num_envs, |env, mut row| {
                env.episode = episodes[env.index];
                env.env.restore(&snapshots[env.index])?;
                env.observe(&mut row);
                Ok(())
            })
        })
    }

    /// Returns the current observations, `[num_envs, obs_dim]`; after the end of an episode, the first of the next one.
    /// Empty if observations aren't of `f32`: see [`typed_observations`](Self::typed_observations).
    pub fn observations(&self) -> &[f32] {
        floats(&self.observations)
    }

    /// Returns the observations after the last actions, before any reset, `[num_envs, obs_dim]`: after the end of an
    /// episode, its final observation. Zeros before the first step. Empty if observations aren't of `f32`.
    pub fn final_observations(&self) -> &[f32] {
        floats(&self.final_observations)
    }

    /// Returns the current observations of any dtype, `[num_envs, obs_dim]`, as [`observations`](Self::observations).
    pub fn typed_observations(&self) -> ObservationRef<'_> {
        self.observations.as_ref()
    }

    /// Returns the observations after the last actions of any dtype, `[num_envs, obs_dim]`, as
    /// [`final_observations`](Self::final_observations).
    pub fn typed_final_observations(&self) -> ObservationRef<'_> {
        self.final_observations.as_ref()
    }

    /// Returns which actions are legal now in an environment, `[num_actions]`; `None` if all are. See
    /// [`Environment::action_mask`].
    pub fn action_mask(&self, env: usize) -> Option<&[bool]> {
        self.masks.of(env)
    }

    /// Returns which actions were legal in an environment after the last actions, before any reset, as
    /// [`final_observations`](Self::final_observations).
    pub fn final_action_mask(&self, env: usize) -> Option<&[bool]> {
        self.final_masks.of(env)
    }

    /// Returns rewards and flags of the last actions, `[num_envs]`.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Calls `work` on each worker with its environments.
    fn for_each_worker(
        &mut self,
        actions: &[usize],
        work: impl Fn(&mut [SubEnv], Vec<Row<'_>>) -> Result<(), EnvironmentError> + Sync,
    ) -> Result<(), EnvironmentError> {
        self.running = false; // after a failure the environments' state is undefined
        let rows = self.steps.iter_mut().zip(actions);
        let mut rest = (self.observations.as_mut(), self.final_observations.as_mut());
        let len = self.space.len();
        let masks = self.masks.rows_mut(self.num_actions).zip(self.final_masks.rows_mut(self.num_actions));
        let rows = rows.zip(masks).map(|((step, &action), (mask, final_mask))| Row {
            action,
            observation: rest.0.split_off(len),
            final_observation: rest.1.split_off(len),
            mask,
            final_mask,
            step,
        });
        match &mut self.workers {
            Workers::Caller(envs) => work(envs, rows.collect())?,
            Workers::Threads(pool, parts) => {
                let mut rows = rows;
                let parts: Vec<Mutex<Vec<Row<'_>>>> =
                    parts.iter().map(|part| Mutex::new(rows.by_ref().take(part.len()).collect())).collect();
                let done = pool.broadcast(|worker| {
                    let mut rows = parts[worker.index()].lock().unwrap_or_else(PoisonError::into_inner);
                    SUB_ENVS.with_borrow_mut(|envs| work(envs, mem::take(&mut *rows)))
                });
                done.into_iter().collect::<Result<(), _>>()?;
            }
        }
        self.running = true;
        Ok(())
    }
}

/// Calls `work` with each environment until a call fails.
fn for_each_env(
    envs: &mut [SubEnv],
    rows: Vec<Row<'_>>,
    num_envs: usize,
    mut work: impl FnMut(&mut SubEnv, Row<'_>) -> Result<(), EnvironmentError>,
) -> Result<(), EnvironmentError> {
    let mut work =
        |(env, row): (&mut SubEnv, Row<'_>)| work(env, row).map_err(|error| error.in_vector_env(env.index, num_envs));
    envs.iter_mut().zip(rows).try_for_each(&mut work)
}

impl SubEnv {
    fn start(&mut self, row: &mut Row<'_>) -> Result<(), EnvironmentError> {
        self.env.reset((self.seed)(self.index, self.episode))?;
        self.observe(row);
        Ok(())
    }

    fn observe(&self, row: &mut Row<'_>) {
        row.observation.copy_from(self.env.typed_observation());
        row.mask.copy_from(self.env.action_mask());
    }
}

impl Masks {
    fn new(num_envs: usize, num_actions: usize) -> Self {
        Masks { legal: vec![true; num_envs * num_actions], given: vec![false; num_envs] }
    }

    fn of(&self, env: usize) -> Option<&[bool]> {
        let num_actions = self.legal.len() / self.given.len();
        self.given[env].then(|| &self.legal[env * num_actions..(env + 1) * num_actions])
    }

    fn rows_mut(&mut self, num_actions: usize) -> impl Iterator<Item = MaskMut<'_>> {
        let mut rest = &mut self.legal[..];
        self.given.iter_mut().map(move |given| {
            let (legal, others) = mem::take(&mut rest).split_at_mut(num_actions);
            rest = others;
            MaskMut { legal, given }
        })
    }
}

impl MaskMut<'_> {
    fn copy_from(&mut self, mask: Option<&[bool]>) {
        *self.given = mask.is_some();
        if let Some(mask) = mask {
            self.legal.copy_from_slice(mask);
        }
    }
}

fn floats(observations: &ObservationBuffer) -> &[f32] {
    match observations.as_ref() {
        ObservationRef::F32(values) => values,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    use crate::ObservationShape;
    use crate::environment::tests::Counter;

    /// A counter that isn't `Send`.
    struct NotSend(Counter, #[expect(dead_code, reason = "makes the type not Send")] Rc<()>);

    impl Environment for NotSend {
        fn obs_dim(&self) -> usize {
            self.0.obs_dim()
        }

        fn num_actions(&self) -> usize {
            self.0.num_actions()
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

    /// A vector environment in which environment `i` terminates at `i + 2`.
    fn vector(num_envs: usize, threads: usize) -> VectorEnv {
        let make = |i| Ok(Box::new(NotSend(Counter::to(i as f32 + 2.0), Rc::new(()))) as Box<dyn Environment>);
        let seed = |env, episode| 10 * env as u64 + episode;
        VectorEnv::new(num_envs.try_into().unwrap(), threads.try_into().unwrap(), make, seed).unwrap()
    }

    #[test]
    fn the_end_of_an_episode_returns_its_final_and_the_next_first_observation() {
        let mut vector = vector(3, 1);
        vector.reset().unwrap();
        assert_eq!(vector.observations(), [0.0, 0.0, 10.0, 0.0, 20.0, 0.0]);
        vector.step(&[2, 2, 1]).unwrap();
        assert_eq!(vector.final_observations(), [0.0, 2.0, 10.0, 2.0, 20.0, 1.0]);
        assert_eq!(vector.observations(), [1.0, 0.0, 10.0, 2.0, 20.0, 1.0]);
        let terminated: Vec<_> = vector.steps().iter().map(|step| step.terminated).collect();
        assert_eq!(terminated, [true, false, false]);
        vector.reset().unwrap();
        assert_eq!(vector.observations(), [0.0, 0.0, 10.0, 0.0, 20.0, 0.0]);
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let history = |threads| {
            let mut vector = vector(7, threads);
            vector.reset().unwrap();
            let mut seen = vec![vector.observations().to_vec()];
            for t in 0..30 {
                vector.step(&[0, 1, 2, 3, 4, 5, 6].map(|i| (i * t + t) % 3)).unwrap();
                let rewards = vector.steps().iter().map(|step| step.reward as f32).collect();
                seen.extend([vector.final_observations().to_vec(), vector.observations().to_vec(), rewards]);
            }
            seen
        };
        let single_threaded = history(1);
        for threads in [2, 3, 7, 20] {
            assert_eq!(history(threads), single_threaded, "{threads} threads");
        }
    }

    #[test]
    fn restored_environments_go_on_as_the_saved_ones() {
        let actions = |t: usize| [0, 1, 2, 3, 4, 5, 6].map(|i| (i * t + t) % 3);
        for threads in [1, 3] {
            let (mut saved, mut restored) = (vector(7, threads), vector(7, 4 - threads));
            assert_eq!(saved.snapshot(), None, "never reset");
            saved.reset().unwrap();
            (0..17).for_each(|t| saved.step(&actions(t)).unwrap());
            let snapshot = saved.snapshot().unwrap();
            assert!(snapshot.episodes.iter().any(|&episode| episode > 1) && !snapshot.snapshots[6].actions.is_empty());
            restored.restore(&snapshot).unwrap();
            assert_eq!(restored.observations(), saved.observations());
            for t in 17..40 {
                [&mut saved, &mut restored].into_iter().for_each(|vector| vector.step(&actions(t)).unwrap());
                assert_eq!(restored.final_observations(), saved.final_observations());
                assert_eq!((restored.observations(), restored.steps()), (saved.observations(), saved.steps()));
            }
            let error = vector(6, threads).restore(&snapshot).unwrap_err().to_string();
            assert_eq!(error, "the snapshot is of 7 environments, but there are 6");
        }
    }

    #[test]
    fn an_error_names_the_first_environment_and_requires_a_reset() {
        for threads in [1, 3] {
            let mut vector = vector(5, threads);
            assert!(matches!(vector.step(&[0; 5]), Err(EnvironmentError::StepBeforeReset)));
            vector.reset().unwrap();
            let error = vector.step(&[0; 4]).unwrap_err().to_string();
            assert_eq!(error, "4 actions for 5 environments: give one action for each");
            let error = vector.step(&[0, 0, 0, 3, 9]).unwrap_err().to_string();
            assert_eq!(error, "environment 3: action 3 does not exist: there are 3 actions, from 0");
            assert!(matches!(vector.step(&[0; 5]), Err(EnvironmentError::StepBeforeReset)));
            vector.reset().unwrap();
            vector.step(&[0; 5]).unwrap();
        }
        let mut single = vector(1, 1);
        single.reset().unwrap();
        let error = single.step(&[3]).unwrap_err().to_string();
        assert_eq!(error, "action 3 does not exist: there are 3 actions, from 0");
    }

    #[test]
    fn images_keep_their_dtype() {
        /// An image of one pixel, which counts the steps.
        struct Pixel([u8; 1]);

        impl Environment for Pixel {
            fn obs_dim(&self) -> usize {
                1
            }

            fn num_actions(&self) -> usize {
                1
            }

            fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
                self.0 = [seed as u8];
                Ok(())
            }

            fn step(&mut self, _action: usize) -> Result<Step, EnvironmentError> {
                self.0[0] += 1;
                Ok(Step { reward: 0.0, terminated: self.0[0] == 2, truncated: false })
            }

            fn observation_space(&self) -> ObservationSpace {
                ObservationSpace::pixels(ObservationShape::ChannelsFirst([1; 3]))
            }

            fn observation(&self) -> &[f32] {
                &[]
            }

            fn typed_observation(&self) -> ObservationRef<'_> {
                self.0.as_slice().into()
            }
        }

        for threads in [1, 2] {
            let make = |_| Ok(Box::new(Pixel([0])) as Box<dyn Environment>);
            let seed = |env, episode| 10 * episode + env as u64;
            let mut vector = VectorEnv::new(2.try_into().unwrap(), threads.try_into().unwrap(), make, seed).unwrap();
            vector.reset().unwrap();
            vector.step(&[0, 0]).unwrap();
            assert_eq!(vector.typed_final_observations(), [1u8, 2].as_slice().into());
            assert_eq!(vector.typed_observations(), [1u8, 11].as_slice().into());
            assert_eq!((vector.observations().len(), vector.observation_space().image()), (0, Some([1; 3])));
        }
    }

    #[test]
    fn masks_are_those_of_each_environment_s_state() {
        /// Only action `seed % 3`, then the next one, is legal; an odd seed has no mask. Episodes have two steps.
        struct Turns {
            next: usize,
            steps: u32,
            mask: Option<[bool; 3]>,
        }

        impl Environment for Turns {
            fn obs_dim(&self) -> usize {
                1
            }

            fn num_actions(&self) -> usize {
                3
            }

            fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
                (self.next, self.steps) = (seed as usize % 3, 0);
                self.mask = seed.is_multiple_of(2).then(|| [0, 1, 2].map(|action| action == self.next));
                Ok(())
            }

            fn step(&mut self, _action: usize) -> Result<Step, EnvironmentError> {
                (self.next, self.steps) = ((self.next + 1) % 3, self.steps + 1);
                self.mask = self.mask.map(|_| [0, 1, 2].map(|action| action == self.next));
                Ok(Step { reward: 0.0, terminated: self.steps == 2, truncated: false })
            }

            fn observation(&self) -> &[f32] {
                &[0.0]
            }

            fn action_mask(&self) -> Option<&[bool]> {
                self.mask.as_ref().map(|mask| &mask[..])
            }
        }

        for threads in [1, 2] {
            let make = |_| Ok(Box::new(Turns { next: 0, steps: 0, mask: None }) as Box<dyn Environment>);
            let seed = |env, episode| env as u64 + 2 * episode;
            let mut vector = VectorEnv::new(3.try_into().unwrap(), threads.try_into().unwrap(), make, seed).unwrap();
            vector.reset().unwrap();
            let legal = |mask: Option<&[bool]>| mask.map(|mask| mask.iter().position(|legal| *legal).unwrap());
            let now = |vector: &VectorEnv| [0, 1, 2].map(|env| legal(vector.action_mask(env)));
            let last = |vector: &VectorEnv| [0, 1, 2].map(|env| legal(vector.final_action_mask(env)));
            assert_eq!(now(&vector), [Some(0), None, Some(2)]);
            vector.step(&[0, 0, 2]).unwrap();
            assert_eq!((now(&vector), last(&vector)), ([Some(1), None, Some(0)], [Some(1), None, Some(0)]));
            let snapshot = vector.snapshot().unwrap();
            vector.step(&[1, 0, 0]).unwrap();
            assert_eq!((now(&vector), last(&vector)), ([Some(2), None, Some(1)], [Some(2), None, Some(1)]));
            let error = vector.step(&[2, 0, 2]).unwrap_err().to_string();
            assert!(error.starts_with("environment 2: action 2 is illegal at step 1"), "{error}");
            vector.restore(&snapshot).unwrap();
            assert_eq!(now(&vector), [Some(1), None, Some(0)]);
        }
    }

    #[test]
    fn environments_must_have_the_same_spaces() {
        struct Wide(usize);

        impl Environment for Wide {
            fn obs_dim(&self) -> usize {
                self.0
            }

            fn num_actions(&self) -> usize {
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
            let error =
                VectorEnv::new(4.try_into().unwrap(), threads.try_into().unwrap(), make, |_, _| 0).err().unwrap();
            assert!(matches!(error, EnvironmentError::MismatchedSpaces { index: 2 }), "{error}");
            let failing = |i| if i < 2 { make(i) } else { Err(EnvironmentError::StepBeforeReset) };
            let error = VectorEnv::new(4.try_into().unwrap(), threads.try_into().unwrap(), failing, |_, _| 0).err();
            assert!(matches!(error, Some(EnvironmentError::InVectorEnv { index: 2, .. })), "{error:?}");
        }
    }
}
