//! What a policy is worth: the returns of whole episodes, each from a seed of its own.

use alrao_envs::{Environment, Physics};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Returns of some episodes, in raw units of reward.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Returns {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with n - 1 in the denominator; 0 for one episode.
    pub std: f64,
    /// The worst.
    pub min: f64,
    /// The best.
    pub max: f64,
}

/// An evaluation's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// How many episodes were played.
    pub episodes: usize,
    /// What they returned.
    #[serde(rename = "return")]
    pub returns: Returns,
}

impl Evaluation {
    /// Sums up the returns of episodes; there must be at least one.
    pub fn of(returns: &[f64]) -> Self {
        let n = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / n;
        let squares: f64 = returns.iter().map(|r| (r - mean).powi(2)).sum();
        let std = (squares / (n - 1.0).max(1.0)).sqrt();
        let min = returns.iter().copied().fold(f64::INFINITY, f64::min);
        let max = returns.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Evaluation { episodes: returns.len(), returns: Returns { mean, std, min, max } }
    }
}

/// Plays one episode from each seed, all of them side by side so that the policy sees whole batches: it is given
/// `n` observations, `[n, observation_len]` in one slice, and returns n actions. One environment is needed for each
/// seed. Returns are in the order of the seeds.
///
/// # Errors
/// [`Error::Environment`] if an environment fails, and whatever the policy fails with.
pub fn play(
    environments: &mut [Box<dyn Environment>],
    seeds: &[u64],
    mut policy: impl FnMut(&[f32], usize) -> Result<Vec<usize>, Error>,
) -> Result<Vec<f64>, Error> {
    assert!(environments.len() >= seeds.len(), "one environment for each episode");
    for (environment, &seed) in environments.iter_mut().zip(seeds) {
        environment.reset(seed)?;
    }
    let mut returns = vec![0.0; seeds.len()];
    let mut playing: Vec<_> = environments.iter_mut().zip(0..seeds.len()).collect();
    let mut observations = Vec::new();
    while !playing.is_empty() {
        observations.clear();
        playing.iter().for_each(|(environment, _)| observations.extend_from_slice(environment.observation()));
        let actions = policy(&observations, playing.len())?;
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
    Ok(returns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alrao_envs::{EnvironmentError, Step};

    /// Ends after as many steps as the seed says; action 1 is worth what the observation says, the seed.
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
    fn episodes_of_different_lengths_are_told_apart() {
        let mut environments: Vec<Box<dyn Environment>> =
            (0..4).map(|_| Box::new(Countdown { left: 0, seed: [0.0] }) as Box<dyn Environment>).collect();
        let policy = |observations: &[f32], n: usize| {
            assert_eq!(observations.len(), n);
            Ok(observations.iter().map(|&seed| usize::from(seed != 3.0)).collect())
        };
        assert_eq!(play(&mut environments, &[5, 1, 3], policy).unwrap(), [25.0, 1.0, 0.0]);
    }

    #[test]
    fn landers_fall_side_by_side_as_they_do_alone() {
        let lander = alrao_envs::EnvironmentSettings::new("lunar-lander");
        let mut landers: Vec<_> = (0..5).map(|_| alrao_envs::Registry::builtin().make(&lander).unwrap()).collect();
        let policy = |observations: &[f32], _| {
            let falls = |observation: &[f32]| if observation[3] < -0.3 { 2 } else { usize::from(observation[4] < 0.0) };
            Ok(observations.chunks(8).map(falls).collect())
        };
        let seeds = [0, 1, 2, 3, 4];
        let together = play(&mut landers, &seeds, policy).unwrap();
        let alone = seeds.map(|seed| play(&mut landers[..1], &[seed], policy).unwrap()[0]);
        assert_eq!(together, alone);
    }

    #[test]
    fn a_sum_up_by_hand() {
        let Evaluation { episodes, returns } = Evaluation::of(&[-1.0, 1.0, 3.0]);
        assert_eq!((episodes, returns.mean, returns.std, returns.min, returns.max), (3, 1.0, 2.0, -1.0, 3.0));
        assert_eq!(Evaluation::of(&[2.0]).returns.std, 0.0);
    }
}
