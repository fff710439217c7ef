//! From gym-rs's `Env` to an [`Environment`]: [`GymEnvironment`].

use gym_rs::core::{Env, EnvProperties};
use gym_rs::spaces::{BoxR, Discrete};
use gym_rs::utils::custom::traits::Sample;

use crate::{Environment, EnvironmentError, Step};

/// An environment of gym-rs's, played by a list of its actions.
///
/// The list is the action space where that is discrete ([`new`](Self::new)), and a choice from it where it is
/// continuous ([`with_actions`](Self::with_actions)). gym-rs's `done` is `terminated`. Observations are cast to `f32`.
#[derive(Clone, Debug)]
pub struct GymEnvironment<E: Env>
where
    E::Observation: Sample + Into<Vec<f64>>,
{
    env: E,
    actions: Vec<E::Action>,
    observation: Vec<f32>,
}

impl<E> GymEnvironment<E>
where
    E: Env<Action = usize> + EnvProperties<ActionSpace = Discrete, ObservationSpace = BoxR<<E as Env>::Observation>>,
    E::Observation: Sample + Into<Vec<f64>> + Clone,
{
    /// Plays all actions of a discrete space.
    pub fn new(env: E) -> Self {
        let &Discrete(count) = env.action_space();
        Self::with_actions(env, (0..count).collect())
    }
}

impl<E> GymEnvironment<E>
where
    E: Env + EnvProperties<ObservationSpace = BoxR<<E as Env>::Observation>>,
    E::Observation: Sample + Into<Vec<f64>> + Clone,
{
    /// Plays these actions, numbered in the order given.
    pub fn with_actions(env: E, actions: Vec<E::Action>) -> Self {
        let any: Vec<f64> = env.observation_space().low.clone().into();
        Self { env, actions, observation: vec![0.0; any.len()] }
    }
}

impl<E: Env> GymEnvironment<E>
where
    E::Observation: Sample + Into<Vec<f64>>,
{
    fn observe(&mut self, observation: E::Observation) {
        let values: Vec<f64> = observation.into();
        self.observation.clear();
        self.observation.extend(values.iter().map(|&value| value as f32));
    }
}

impl<E: Env> Environment for GymEnvironment<E>
where
    E::Action: Clone,
    E::Observation: Sample + Into<Vec<f64>>,
{
    fn observation_len(&self) -> usize {
        self.observation.len()
    }

    fn action_count(&self) -> usize {
        self.actions.len()
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        let (observation, _) = self.env.reset(Some(seed), false, None);
        self.observe(observation);
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        let outcome = self.env.step(self.actions[action].clone());
        self.observe(outcome.observation);
        Ok(Step { reward: outcome.reward.into_inner(), terminated: outcome.done, truncated: outcome.truncated })
    }

    fn observation(&self) -> &[f32] {
        &self.observation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Checked, TimeLimit};
    use gym_rs::envs::classical_control::{cartpole::CartPoleEnv, mountain_car::MountainCarEnv};
    use gym_rs::utils::renderer::RenderMode;

    /// Lets `policy` choose by the observation until the episode ends; gives its length and its last step.
    fn play(env: impl Environment, policy: impl Fn(&[f32]) -> usize) -> (u32, Step) {
        let mut env = Checked::new(TimeLimit::new(env, 200));
        env.reset(3).unwrap();
        for length in 1.. {
            let action = policy(env.observation());
            let step = env.step(action).unwrap();
            if step.ended() {
                return (length, step);
            }
        }
        unreachable!("the time limit ends every episode")
    }

    #[test]
    fn a_pole_pushed_one_way_falls() {
        let cart_pole = GymEnvironment::new(CartPoleEnv::new(RenderMode::None));
        assert_eq!((cart_pole.observation_len(), cart_pole.action_count()), (4, 2));
        let (length, last) = play(cart_pole, |_| 1);
        assert!(length < 20, "{length}");
        assert_eq!(last, Step { reward: 1.0, terminated: true, truncated: false });
    }

    #[test]
    fn a_car_needs_momentum() {
        let mountain_car = || GymEnvironment::new(MountainCarEnv::new(RenderMode::None));
        assert_eq!((mountain_car().observation_len(), mountain_car().action_count()), (2, 3));
        let (length, last) = play(mountain_car(), |_| 2);
        assert_eq!((length, last), (200, Step { reward: -1.0, terminated: false, truncated: true }));
        let (length, last) = play(mountain_car(), |at| if at[1] < 0.0 { 0 } else { 2 });
        assert!(length < 200, "{length}");
        assert_eq!(last, Step { reward: -1.0, terminated: true, truncated: false });
    }

    #[test]
    fn an_episode_depends_on_its_seed_alone() {
        let mut used = GymEnvironment::new(MountainCarEnv::new(RenderMode::None));
        used.reset(1).unwrap();
        used.step(0).unwrap();
        let mut fresh = GymEnvironment::new(MountainCarEnv::new(RenderMode::None));
        let start = |env: &mut GymEnvironment<_>, seed| {
            env.reset(seed).unwrap();
            env.observation().to_vec()
        };
        assert_eq!(start(&mut used, 2), start(&mut fresh, 2));
        assert_ne!(start(&mut used, 2), start(&mut fresh, 3));
    }
}
