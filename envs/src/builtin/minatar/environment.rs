//! A game as an environment: [`MinAtar`].

use serde::{Deserialize, Serialize};

use super::game::{Game, GameAction, SIDE};
use super::random_state::RandomState;
use super::sticky::StickyActions;
use crate::{
    ActionSpace, EntryPoint, EnvSpec, Environment, EnvironmentError, GridRenderState, ObservationDtype, ObservationRef,
    ObservationShape, ObservationSpace, RenderState, Step,
};

/// The settings of a [`MinAtar`] game. The defaults are the package's, with the game's minimal action set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MinAtarSettings {
    /// The probability that a step repeats the last action, from 0 to 1.
    pub sticky_action_prob: f64,
    /// Whether the game becomes harder during an episode. It has no effect on Breakout and Freeway.
    pub difficulty_ramping: bool,
    /// Whether the actions are the six of all games (none, left, up, right, down, fire) instead of the game's minimal
    /// set.
    pub full_action_space: bool,
}

impl Default for MinAtarSettings {
    fn default() -> Self {
        Self { sticky_action_prob: 0.1, difficulty_ramping: true, full_action_space: false }
    }
}

/// A game of MinAtar: [`Asterix`](super::Asterix), [`Breakout`](super::Breakout), [`Freeway`](super::Freeway),
/// [`Seaquest`](super::Seaquest) or [`SpaceInvaders`](super::SpaceInvaders).
///
/// An observation is `[10, 10, channels]` of `bool`, row-major from the top left: whether a channel's object is there.
///
/// An episode is that of a fresh environment of the package after `seed(seed)` and `reset()`: the action that a sticky
/// step repeats is 0 at first, while in the package it outlives a reset. Seeds have 32 bits in the package; here the low 32
/// count.
#[derive(Clone, Debug)]
pub struct MinAtar<G> {
    settings: MinAtarSettings,
    actions: &'static [GameAction],
    rng: RandomState,
    episode: Option<(G, StickyActions)>,
    observation: Vec<bool>,
}

impl<G: Game + 'static> MinAtar<G> {
    /// Returns the specification of a game.
    pub(super) fn spec(name: &str, description: &str) -> EnvSpec {
        EnvSpec {
            name: name.into(),
            description: description.into(),
            obs_dim: SIDE * SIDE * G::CHANNELS,
            actions: ActionSpace::Discrete(G::MINIMAL_ACTIONS.len()),
            time_limit: Some(10_000),
            fps: 10,
            heuristic: None,
            entry_point: EntryPoint::new(Self::new),
        }
    }
}

impl<G: Game> MinAtar<G> {
    /// Creates a game; `reset` starts an episode.
    ///
    /// # Errors
    /// [`EnvironmentError::SettingOutOfRange`].
    pub fn new(settings: MinAtarSettings) -> Result<Self, EnvironmentError> {
        let value = settings.sticky_action_prob;
        if !(0.0..=1.0).contains(&value) {
            let (setting, range) = ("sticky_action_prob", "from 0 to 1");
            return Err(EnvironmentError::SettingOutOfRange { setting, value, range });
        }
        Ok(Self {
            settings,
            actions: if settings.full_action_space { GameAction::ALL } else { G::MINIMAL_ACTIONS },
            rng: RandomState::new(0),
            episode: None,
            observation: vec![false; SIDE * SIDE * G::CHANNELS],
        })
    }
}

impl<G: Game> Environment for MinAtar<G> {
    fn obs_dim(&self) -> usize {
        self.observation.len()
    }

    fn observation_space(&self) -> ObservationSpace {
        ObservationSpace {
            shape: ObservationShape::ChannelsLast([SIDE, SIDE, G::CHANNELS]),
            dtype: ObservationDtype::Bool,
        }
    }

    fn num_actions(&self) -> usize {
        self.actions.len()
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.rng.seed(seed as u32);
        let game = G::start(self.settings.difficulty_ramping, &mut self.rng);
        show(&game, &mut self.observation);
        self.episode = Some((game, StickyActions::new(self.settings.sticky_action_prob)));
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        let Some((game, sticky)) = &mut self.episode else { return Err(EnvironmentError::StepBeforeReset) };
        let action = sticky.choose(self.actions[action], &mut self.rng);
        let outcome = game.step(action, &mut self.rng);
        show(game, &mut self.observation);
        Ok(Step { reward: outcome.reward.into(), terminated: outcome.terminal, truncated: false })
    }

    fn observation(&self) -> &[f32] {
        &[]
    }

    fn typed_observation(&self) -> ObservationRef<'_> {
        self.observation.as_slice().into()
    }

    fn render_state(&self) -> Option<RenderState> {
        self.episode.as_ref()?;
        let cells = self.observation.clone();
        Some(RenderState::Grid(GridRenderState { shape: [SIDE, SIDE, G::CHANNELS], cells }))
    }
}

fn show<G: Game>(game: &G, observation: &mut [bool]) {
    observation.fill(false);
    game.observe(|x, y, channel| observation[place::<G>(x, y, channel)] = true);
}

/// Where in an observation a channel of a cell is.
fn place<G: Game>(x: i32, y: i32, channel: usize) -> usize {
    (y as usize * SIDE + x as usize) * G::CHANNELS + channel
}
