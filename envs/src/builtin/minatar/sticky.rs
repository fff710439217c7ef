//! Sticky actions (Machado et al., 2018): at random, the last action is carried out again.

use super::game::GameAction;
use super::random_state::RandomState;

/// Repeats actions with a probability.
#[derive(Clone, Debug)]
pub struct StickyActions {
    probability: f64,
    last_action: GameAction,
}

impl StickyActions {
    /// Returns a repeater whose last action is 0.
    pub fn new(probability: f64) -> Self {
        Self { probability, last_action: GameAction::Noop }
    }

    /// Returns the action to carry out: `action`, or the one carried out before. Draws once, also with probability 0.
    pub fn choose(&mut self, action: GameAction, rng: &mut RandomState) -> GameAction {
        if rng.rand() >= self.probability {
            self.last_action = action;
        }
        self.last_action
    }
}
