//! The adapter from gym-rs's `Env` to [`Environment`]: [`GymEnvironment`].

use gym_rs::core::{Env, EnvProperties};
use gym_rs::spaces::{BoxR, Discrete};
use gym_rs::utils::custom::traits::Sample;

use crate::{Environment, EnvironmentError, RenderState, Scene, Step};

/// A gym-rs environment with a list of its actions as discrete actions.
///
/// The list is a discrete action space ([`new`](Self::new)) or a selection from a continuous action space
/// ([`with_actions`](Self::with_actions)). gym-rs's `done` becomes `terminated`; observations are cast to `f32`.
#[derive(Clone, Debug)]
pub struct GymEnvironment<E: Env>
where
    E::Observation: Sample + Into<Vec<f64>>,
{
    env: E,
    actions: Vec<E::Action>,
    observation: Vec<f32>,
    scene: Option<fn(&[f32]) -> Scene>,
    was_reset: bool,
}

impl<E> GymEnvironment<E>
where
    E: Env<Action = usize> + EnvProperties<ActionSpace = Discrete, ObservationSpace = BoxR<<E as Env>::Observation>>,
    E::Observation: Sample + Into<Vec<f64>> + Clone,
{
    /// Wraps an environment with a discrete action space.
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
    /// Wraps an environment with these actions, indexed in the given order.
    pub fn with_actions(env: E, actions: Vec<E::Action>) -> Self {
        let low: Vec<f64> = env.observation_space().low.clone().into();
        Self { env, actions, observation: vec![0.0; low.len()], scene: None, was_reset: false }
    }
}

impl<E: Env> GymEnvironment<E>
where
    E::Observation: Sample + Into<Vec<f64>>,
{
    /// Renders the environment as the scene that `scene` makes of an observation.
    pub fn with_scene(self, scene: fn(&[f32]) -> Scene) -> Self {
        Self { scene: Some(scene), ..self }
    }

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
    fn obs_dim(&self) -> usize {
        self.observation.len()
    }

    fn num_actions(&self) -> usize {
        self.actions.len()
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        let (observation, _) = self.env.reset(Some(seed), false, None);
        self.observe(observation);
        self.was_reset = true;
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

    fn render_state(&self) -> Option<RenderState> {
        let scene = self.scene.filter(|_| self.was_reset)?;
        Some(RenderState::Scene(scene(&self.observation)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PassiveEnvChecker, TimeLimit};
    use gym_rs::envs::classical_control::{cartpole::CartPoleEnv, mountain_car::MountainCarEnv};
    use gym_rs::utils::renderer::RenderMode;

    /// Plays an episode with a policy and returns its length and its last step.
    fn play(env: impl Environment, policy: impl Fn(&[f32]) -> usize) -> (u32, Step) {
        let mut env = PassiveEnvChecker::new(TimeLimit::new(env, 200));
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
    fn the_pole_falls_under_a_constant_action() {
        let cart_pole = GymEnvironment::new(CartPoleEnv::new(RenderMode::None));
        assert_eq!((cart_pole.obs_dim(), cart_pole.num_actions()), (4, 2));
        let (length, last) = play(cart_pole, |_| 1);
        assert!(length < 20, "{length}");
        assert_eq!(last, Step { reward: 1.0, terminated: true, truncated: false });
    }

    #[test]
    fn the_car_reaches_the_goal_only_with_momentum() {
        let mountain_car = || GymEnvironment::new(MountainCarEnv::new(RenderMode::None));
        assert_eq!((mountain_car().obs_dim(), mountain_car().num_actions()), (2, 3));
        let (length, last) = play(mountain_car(), |_| 2);
        assert_eq!((length, last), (200, Step { reward: -1.0, terminated: false, truncated: true }));
        let (length, last) = play(mountain_car(), |at| if at[1] < 0.0 { 0 } else { 2 });
        assert!(length < 200, "{length}");
        assert_eq!(last, Step { reward: -1.0, terminated: true, truncated: false });
    }

    #[test]
    fn a_scene_shows_the_current_observation() {
        let scene = |observation: &[f32]| Scene::new([8, 8], [255; 3], 1.0, [observation[0], observation[1]]);
        let mut env = GymEnvironment::new(MountainCarEnv::new(RenderMode::None));
        env.reset(3).unwrap();
        assert_eq!(env.render_state(), None);
        let mut env = GymEnvironment::new(MountainCarEnv::new(RenderMode::None)).with_scene(scene);
        assert_eq!(env.render_state(), None);
        env.reset(3).unwrap();
        assert_eq!(env.render_state(), Some(RenderState::Scene(scene(env.observation()))));
        env.step(2).unwrap();
        assert_eq!(env.render_state(), Some(RenderState::Scene(scene(env.observation()))));
    }

    #[test]
    fn an_episode_depends_only_on_its_seed() {
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
