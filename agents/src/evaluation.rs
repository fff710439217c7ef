//! Evaluation of policies: returns of whole episodes, each from its own seed.

use alrao_envs::{Environment, Physics};
use serde::{Deserialize, Serialize};

use alrao_core::json::null_as_nan;

use crate::Error;
use crate::inputs::to_inputs;
use crate::mask::Mask;

/// Statistics of episode returns, in raw units of reward.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Returns {
    /// Mean.
    #[serde(deserialize_with = "null_as_nan")]
    pub mean: f64,
    /// Standard deviation, with n - 1 in the denominator; NaN for one episode.
    #[serde(deserialize_with = "null_as_nan")]
    pub std: f64,
    /// Smallest.
    #[serde(deserialize_with = "null_as_nan")]
    pub min: f64,
    /// Largest.
    #[serde(deserialize_with = "null_as_nan")]
    pub max: f64,
}

/// Result of an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Number of episodes.
    pub episodes: usize,
    /// Statistics of their returns.
    #[serde(rename = "return")]
    pub returns: Returns,
    /// Number of episodes that the limit of steps ended, not the environment.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub at_limit: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The progress of an evaluation under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvaluationProgress {
    /// Number of episodes that have ended.
    pub ended: usize,
    /// Number of all episodes.
    pub episodes: usize,
    /// Environment steps of each of the other episodes so far.
    pub steps: u64,
}

impl Evaluation {
    /// Summarizes the returns of at least one episode.
    pub fn of(returns: &[f64]) -> Self {
        let n = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / n;
        let squares: f64 = returns.iter().map(|r| (r - mean).powi(2)).sum();
        let std = (squares / (n - 1.0)).sqrt(); // 0 / 0 for one episode
        let min = returns.iter().copied().fold(f64::INFINITY, f64::min);
        let max = returns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Evaluation { episodes: returns.len(), returns: Returns { mean, std, min, max }, at_limit: 0 }
    }
}

/// The episodes of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Episodes {
    /// The seed of each episode.
    pub seeds: Vec<u64>,
    /// The return of each episode, in raw units of reward.
    pub returns: Vec<f64>,
    /// Number of episodes that the limit of steps ended, not the environment.
    pub at_limit: usize,
}

impl Episodes {
    /// Summarizes at least one episode.
    pub fn summarize(&self) -> Evaluation {
        Evaluation { at_limit: self.at_limit, ..Evaluation::of(&self.returns) }
    }
}

/// Plays one episode per seed, in parallel, each in its own environment, and returns their returns in the order of the
/// seeds, and the number of episodes that were ended after `max_steps` environment steps. The policy gets n observations
/// as a network's [inputs](crate::inputs), `[n, len]` in one slice, with their masks, `[n]`, and returns n actions. `go_on` is called before each
/// step; if it returns false, the evaluation ends without a result.
///
/// # Errors
/// [`Error::Environment`] if an environment fails; errors of the policy.
pub fn play(
    environments: &mut [Box<dyn Environment>],
    seeds: &[u64],
    max_steps: u64,
    mut go_on: impl FnMut(EvaluationProgress) -> bool,
    mut policy: impl FnMut(&[f32], &[Mask]) -> Result<Vec<usize>, Error>,
) -> Result<Option<(Vec<f64>, usize)>, Error> {
    assert!(environments.len() >= seeds.len(), "one environment per episode");
    for (environment, &seed) in environments.iter_mut().zip(seeds) {
        environment.reset(seed)?;
    }
    let mut returns = vec![0.0; seeds.len()];
    let mut playing: Vec<_> = environments.iter_mut().zip(0..seeds.len()).collect();
    let mut observations = Vec::new();
    let mut steps = 0;
    while !playing.is_empty() && steps < max_steps {
        if !go_on(EvaluationProgress { ended: seeds.len() - playing.len(), episodes: seeds.len(), steps }) {
            return Ok(None);
        }
        steps += 1;
        observations.clear();
        for (environment, _) in &playing {
            observations.extend_from_slice(&to_inputs(environment.typed_observation()));
        }
        let masks: Vec<Mask> = playing.iter().map(|(environment, _)| environment.action_mask()).collect();
        let actions = policy(&observations, &masks)?;
        let moved =
            playing.iter_mut().zip(&actions).filter_map(|((environment, _), &action)| environment.begin_step(action));
        Physics::step_batch(moved);
        let mut still_playing = Vec::with_capacity(playing.len());
        for ((environment, i), action) in playing.into_iter().zip(actions) {
            let step = environment.step(action)?;
            returns[i] += step.reward;
            if !step.ended() {
                still_playing.push((environment, i));
            }
        }
        playing = still_playing;
    }
    let at_limit = playing.len();
    Ok(Some((returns, at_limit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alrao_envs::{EnvironmentError, Step};

    /// Terminates after `seed` steps; action 1 gives a reward of `seed`, which is the observation.
    struct Countdown {
        left: u64,
        seed: [f32; 1],
    }

    impl Environment for Countdown {
        fn obs_dim(&self) -> usize {
            1
        }
        fn num_actions(&self) -> usize {
            2
        }
        fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
            (self.left, self.seed) = (seed, [seed as f32]);
            Ok(())
        }
        fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
            self.left -= 1;
            let reward = if action == 1 { f64::from(self.seed[0]) } else { 0.0 };
            Ok(Step { reward, terminated: self.left == 0, truncated: false })
        }
        fn observation(&self) -> &[f32] {
            &self.seed
        }
    }

    #[test]
    fn episodes_may_have_different_lengths() {
        let mut environments: Vec<Box<dyn Environment>> =
            (0..4).map(|_| Box::new(Countdown { left: 0, seed: [0.0] }) as Box<dyn Environment>).collect();
        let policy = |observations: &[f32], masks: &[Mask]| {
            assert_eq!((observations.len(), masks.iter().all(Option::is_none)), (masks.len(), true));
            Ok(observations.iter().map(|&seed| usize::from(seed != 3.0)).collect())
        };
        assert_eq!(play(&mut environments, &[5, 1, 3], 5, |_| true, policy).unwrap(), Some((vec![25.0, 1.0, 0.0], 0)));
        let limited = play(&mut environments, &[5, 1, 3], 2, |_| true, policy).unwrap();
        assert_eq!(limited, Some((vec![10.0, 1.0, 0.0], 2)), "two episodes are longer");
        let mut seen = Vec::new();
        let stopped = |progress: EvaluationProgress| {
            seen.push((progress.ended, progress.steps));
            progress.steps < 3
        };
        assert_eq!(play(&mut environments, &[5, 1, 3], 9, stopped, policy).unwrap(), None);
        assert_eq!(seen, [(0, 0), (1, 1), (1, 2), (2, 3)]);
    }

    #[test]
    fn parallel_and_single_landers_have_equal_returns() {
        let lander = alrao_envs::EnvironmentSettings::new("lunar-lander");
        let mut landers: Vec<_> = (0..5).map(|_| alrao_envs::Registry::builtin().make(&lander).unwrap()).collect();
        let policy = |observations: &[f32], _: &[Mask]| {
            let act = |observation: &[f32]| if observation[3] < -0.3 { 2 } else { usize::from(observation[4] < 0.0) };
            Ok(observations.chunks(8).map(act).collect())
        };
        let seeds = [0, 1, 2, 3, 4];
        let play = |landers: &mut [Box<dyn Environment>], seeds: &[u64]| {
            play(landers, seeds, u64::MAX, |_| true, policy).unwrap().unwrap().0
        };
        let together = play(&mut landers, &seeds);
        let alone = seeds.map(|seed| play(&mut landers[..1], &[seed])[0]);
        assert_eq!(together, alone);
    }

    #[test]
    fn summaries_match_values_by_hand() {
        let Evaluation { episodes, returns, .. } = Evaluation::of(&[-1.0, 1.0, 3.0]);
        assert_eq!((episodes, returns.mean, returns.std, returns.min, returns.max), (3, 1.0, 2.0, -1.0, 3.0));
        assert!(Evaluation::of(&[2.0]).returns.std.is_nan(), "one episode has no spread");
    }
}
