//! Break bricks with a ball: [`Breakout`].

use super::environment::MinAtar;
use super::game::{Game, GameAction, LAST, Outcome, SIDE};
use super::grid::Grid;
use super::random_state::RandomState;
use crate::EnvSpec;

/// A paddle at the bottom, a ball and three rows of bricks.
///
/// | channel | | | action | |
/// |---|---|-|---|---|
/// | 0 | paddle | | 0 | none |
/// | 1 | ball | | 1 | left |
/// | 2 | trail, where the ball was | | 2 | right |
/// | 3 | brick | | | |
///
/// A brick is worth 1; the episode ends when the paddle misses the ball. New bricks come when the ball returns to the
/// bottom and none is left. The ball starts at the left or the right; nothing else is random. It has no difficulty
/// ramping.
#[derive(Clone, Debug)]
pub struct Breakout {
    paddle: i32,
    ball: (i32, i32),
    /// Where the ball was a step ago.
    trail: (i32, i32),
    direction: (i32, i32),
    bricks: Grid,
    /// Whether the ball hit a brick in the last step; then it passes through the next one.
    struck: bool,
}

/// Returns the game's specification.
pub fn spec() -> EnvSpec {
    MinAtar::<Breakout>::spec("minatar-breakout", "`MinAtar/Breakout-v1`")
}

impl Game for Breakout {
    const CHANNELS: usize = 4;
    const MINIMAL_ACTIONS: &'static [GameAction] = &[GameAction::Noop, GameAction::Left, GameAction::Right];

    fn start(_difficulty_ramping: bool, rng: &mut RandomState) -> Self {
        let (x, dx) = if rng.randint(2) == 0 { (0, 1) } else { (LAST, -1) };
        Self { paddle: 4, ball: (x, 3), trail: (x, 3), direction: (dx, 1), bricks: wall(), struck: false }
    }

    fn step(&mut self, action: GameAction, _rng: &mut RandomState) -> Outcome {
        let mut outcome = Outcome::default();
        self.paddle = (self.paddle + action.direction().0).clamp(0, LAST);

        let (old_x, old_y) = self.ball;
        let (mut x, mut y) = (old_x + self.direction.0, old_y + self.direction.1);
        if !(0..=LAST).contains(&x) {
            x = old_x;
            self.direction.0 = -self.direction.0;
        }
        let mut touched = false;
        if y < 0 {
            y = 0;
            self.direction.1 = -self.direction.1;
        } else if self.bricks.contains(x, y) {
            touched = true;
            if !self.struck {
                outcome.reward = 1;
                self.struck = true;
                self.bricks.remove(x, y);
                y = old_y;
                self.direction.1 = -self.direction.1;
            }
        } else if y == LAST {
            if self.bricks.is_empty() {
                self.bricks = wall();
            }
            if self.paddle == old_x {
                self.direction.1 = -self.direction.1;
                y = old_y;
            } else if self.paddle == x {
                self.direction = (-self.direction.0, -self.direction.1);
                y = old_y;
            } else {
                outcome.terminal = true;
            }
        }
        self.struck &= touched;
        self.trail = self.ball;
        self.ball = (x, y);
        outcome
    }

    fn observe(&self, mut mark: impl FnMut(i32, i32, usize)) {
        mark(self.paddle, LAST, 0);
        mark(self.ball.0, self.ball.1, 1);
        mark(self.trail.0, self.trail.1, 2);
        self.bricks.for_each(|x, y| mark(x, y, 3));
    }
}

fn wall() -> Grid {
    Grid::block(1..4, 0..SIDE as i32)
}
