//! Classic-control problems as implementations of gym-rs's `Env`: [`ClassicControl`].
//!
//! A problem defines only its state and equations of motion ([`Dynamics`]).

use std::fmt::Debug;

use gym_rs::core::{ActionReward, Env, EnvProperties};
use gym_rs::spaces::BoxR;
use gym_rs::utils::custom::{structs::Metadata, traits::Sample};
use gym_rs::utils::renderer::{RenderMode, Renders};
use rand::Rng;
use rand::distributions::uniform::{SampleBorrow, SampleUniform, UniformSampler};
use rand_pcg::Pcg64;
use serde::Serialize;

use crate::numpy_random::pcg64;

/// A problem's state and equations of motion; `Vec<f64>::from` returns the observation of a state.
pub trait Dynamics: Copy + Debug + Default + Serialize + Into<Vec<f64>> {
    /// The type of actions.
    type Action;
    /// The type of the action space in gym-rs.
    type ActionSpace: Clone + Debug + Serialize;

    /// The action space.
    const ACTION_SPACE: Self::ActionSpace;
    /// The minimum and maximum of the state.
    const OBSERVATION_SPACE: [Self; 2];
    /// The minimum and maximum of the initial state.
    const INITIAL_STATES: [Self; 2];

    /// Draws a state uniformly between two states, in numpy's order of draws.
    fn sample<R: Rng + ?Sized>(rng: &mut R, low: &Self, high: &Self) -> Self;

    /// Returns the next state, the reward, and whether the next state is terminal.
    fn step(self, action: Self::Action) -> (Self, f64, bool);
}

/// A classic-control problem as a gym-rs environment, bit-identical to Gymnasium's.
///
/// `reset` without a seed continues the random stream; its bounds apply to the initial state. `render` returns nothing,
/// because there are no render modes.
#[derive(Clone, Debug, Serialize)]
pub struct ClassicControl<S: Dynamics> {
    state: Observation<S>,
    action_space: S::ActionSpace,
    observation_space: BoxR<Observation<S>>,
    metadata: Metadata<Self>,
    #[serde(skip_serializing)]
    rng: Pcg64,
}

/// A state with the traits that gym-rs requires of observations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Observation<S>(pub S);

impl<S: Dynamics> ClassicControl<S> {
    /// Creates the environment with a zero state and seed 0; call `reset` to start an episode.
    pub fn new() -> Self {
        let [low, high] = S::OBSERVATION_SPACE.map(Observation);
        Self {
            state: Observation(S::default()),
            action_space: S::ACTION_SPACE,
            observation_space: BoxR::new(low, high),
            metadata: Metadata::new(RenderMode::DEFAULT, 0),
            rng: pcg64(0),
        }
    }
}

impl<S: Dynamics> Default for ClassicControl<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Dynamics> Env for ClassicControl<S> {
    type Action = S::Action;
    type Observation = Observation<S>;
    type Info = ();
    type ResetInfo = ();

    fn step(&mut self, action: S::Action) -> ActionReward<Observation<S>, ()> {
        let (state, reward, done) = self.state.0.step(action);
        self.state = Observation(state);
        ActionReward { observation: self.state, reward: reward.into(), done, truncated: false, info: None }
    }

    fn reset(
        &mut self,
        seed: Option<u64>,
        return_info: bool,
        options: Option<BoxR<Observation<S>>>,
    ) -> (Observation<S>, Option<()>) {
        if let Some(seed) = seed {
            self.rng = pcg64(seed);
        }
        self.state = Observation::sample_between(&mut self.rng, options);
        (self.state, return_info.then_some(()))
    }

    fn render(&mut self, _mode: RenderMode) -> Renders {
        Renders::None
    }

    fn close(&mut self) {}
}

impl<S: Dynamics> EnvProperties for ClassicControl<S> {
    type ActionSpace = S::ActionSpace;
    type ObservationSpace = BoxR<Observation<S>>;

    fn metadata(&self) -> &Metadata<Self> {
        &self.metadata
    }

    fn rand_random(&self) -> &Pcg64 {
        &self.rng
    }

    fn action_space(&self) -> &S::ActionSpace {
        &self.action_space
    }

    fn observation_space(&self) -> &BoxR<Observation<S>> {
        &self.observation_space
    }
}

impl<S: Dynamics> From<Observation<S>> for Vec<f64> {
    fn from(Observation(state): Observation<S>) -> Self {
        state.into()
    }
}

impl<S: Dynamics> Sample for Observation<S> {
    fn sample_between<R: Rng>(rng: &mut R, bounds: Option<BoxR<Self>>) -> Self {
        let [low, high] = bounds.map_or(S::INITIAL_STATES.map(Observation), |BoxR { low, high }| [low, high]);
        StateSampler { low, high }.sample(rng)
    }
}

impl<S: Dynamics> SampleUniform for Observation<S> {
    type Sampler = StateSampler<S>;
}

/// A uniform sampler of states.
pub struct StateSampler<S> {
    low: Observation<S>,
    high: Observation<S>,
}

impl<S: Dynamics> UniformSampler for StateSampler<S> {
    type X = Observation<S>;

    fn new<L: SampleBorrow<Observation<S>>, H: SampleBorrow<Observation<S>>>(low: L, high: H) -> Self {
        Self { low: *low.borrow(), high: *high.borrow() }
    }

    fn new_inclusive<L: SampleBorrow<Observation<S>>, H: SampleBorrow<Observation<S>>>(low: L, high: H) -> Self {
        Self::new(low, high) // the bound has probability 2^-53
    }

    fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> Observation<S> {
        Observation(S::sample(rng, &self.low.0, &self.high.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CartPole, CartPoleState};

    fn start(env: &mut CartPole, seed: Option<u64>) -> [f64; 4] {
        let (Observation(CartPoleState(state)), _) = env.reset(seed, false, None);
        state
    }

    /// Expected: `reset(seed=7)` and `reset()` in Gymnasium 1.4.0.
    #[test]
    fn a_reset_without_seed_continues_the_random_stream() {
        let mut env = CartPole::new();
        let first = start(&mut env, Some(7)).map(|value| value as f32);
        let second = start(&mut env, None).map(|value| value as f32);
        assert_eq!(first, [0.012509546, 0.03972138, 0.02756857, -0.027479282]);
        assert_eq!(second, [-0.019983372, 0.037355345, -0.04947347, 0.032122843]);
    }

    #[test]
    fn reset_bounds_apply_to_the_initial_state() {
        let [low, high] = [[1.0, 2.0, 3.0, 4.0], [1.5, 2.5, 3.5, 4.5]].map(|state| Observation(CartPoleState(state)));
        let (Observation(CartPoleState(state)), info) = CartPole::new().reset(None, true, Some(BoxR::new(low, high)));
        assert!((0..4).all(|i| (low.0.0[i]..high.0.0[i]).contains(&state[i])), "{state:?}");
        assert_eq!(info, Some(()));
    }
}
