//! Problems of classic control on gym-rs's `Env`: [`ClassicControl`].
//!
//! Each is a few numbers and the equations that move them ([`Dynamics`]); what gym-rs's trait asks for besides is the
//! same for all, and is here.

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

/// The state of a problem, with its equations; `Vec<f64>::from` makes the observation of it.
pub trait Dynamics: Copy + Debug + Default + Serialize + Into<Vec<f64>> {
    /// What is done in a step.
    type Action;
    /// gym-rs's kind of space of these.
    type ActionSpace: Clone + Debug + Serialize;

    /// All actions.
    const ACTION_SPACE: Self::ActionSpace;
    /// The least and the greatest values that a state can have.
    const OBSERVATION_SPACE: [Self; 2];
    /// Those that the first state of an episode can have.
    const INITIAL_STATES: [Self; 2];

    /// A uniform draw between two states, with the numbers in the order in which numpy draws them.
    fn sample<R: Rng + ?Sized>(rng: &mut R, low: &Self, high: &Self) -> Self;

    /// The state that an action leads to, its reward, and whether the episode ends with it.
    fn step(self, action: Self::Action) -> (Self, f64, bool);
}

/// A problem of classic control as an environment of gym-rs's, equal to Gymnasium's.
///
/// `reset` without a seed goes on drawing from where the generator is; its bounds are those of the first state. There
/// are no render modes, so `render` has nothing to give.
#[derive(Clone, Debug, Serialize)]
pub struct ClassicControl<S: Dynamics> {
    state: Observation<S>,
    action_space: S::ActionSpace,
    observation_space: BoxR<Observation<S>>,
    metadata: Metadata<Self>,
    #[serde(skip_serializing)]
    rng: Pcg64,
}

/// A state, as gym-rs's traits want to sample it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Observation<S>(pub S);

impl<S: Dynamics> ClassicControl<S> {
    /// The problem in its state of zeros, with the generator of seed 0; `reset` starts an episode.
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

/// Draws states between two.
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
        Self::new(low, high) // a bound is hit once in 2^53 draws
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

    /// Gymnasium 1.4.0's, of `reset(seed=7)` and `reset()`.
    #[test]
    fn a_reset_without_seed_goes_on_drawing() {
        let mut env = CartPole::new();
        let first = start(&mut env, Some(7)).map(|value| value as f32);
        let second = start(&mut env, None).map(|value| value as f32);
        assert_eq!(first, [0.012509546, 0.03972138, 0.02756857, -0.027479282]);
        assert_eq!(second, [-0.019983372, 0.037355345, -0.04947347, 0.032122843]);
    }

    #[test]
    fn bounds_are_those_of_the_first_state() {
        let [low, high] = [[1.0, 2.0, 3.0, 4.0], [1.5, 2.5, 3.5, 4.5]].map(|state| Observation(CartPoleState(state)));
        let (Observation(CartPoleState(state)), info) = CartPole::new().reset(None, true, Some(BoxR::new(low, high)));
        assert!((0..4).all(|i| (low.0.0[i]..high.0.0[i]).contains(&state[i])), "{state:?}");
        assert_eq!(info, Some(()));
    }
}
