//! What a game is: [`Game`].

use super::random_state::RandomState;

/// Rows and columns of every game.
pub const SIDE: usize = 10;
/// The last row and column.
pub const LAST: i32 = SIDE as i32 - 1;

/// The state and the rules of a game, on a grid of 10 x 10 cells; columns `x` count from the left, rows `y` from the top.
pub trait Game: Sized {
    /// Number of channels of an observation.
    const CHANNELS: usize;
    /// The actions that mean something in this game, by the package's numbers.
    const MINIMAL_ACTIONS: &'static [GameAction];

    /// Starts an episode; `difficulty_ramping` lets a game become harder, if it can.
    fn start(difficulty_ramping: bool, rng: &mut RandomState) -> Self;

    /// Takes a step. The rules that follow the one that ends the game still apply in that step.
    fn step(&mut self, action: GameAction, rng: &mut RandomState) -> Outcome;

    /// Calls `mark(x, y, channel)` for each object; several may be in a cell.
    fn observe(&self, mark: impl FnMut(i32, i32, usize));
}

/// What the joystick does, in the order of the package's action numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GameAction {
    Noop,
    Left,
    Up,
    Right,
    Down,
    Fire,
}

impl GameAction {
    /// The full action set.
    pub const ALL: &'static [Self] = &[Self::Noop, Self::Left, Self::Up, Self::Right, Self::Down, Self::Fire];

    /// The change of column and row.
    pub fn direction(self) -> (i32, i32) {
        match self {
            Self::Left => (-1, 0),
            Self::Right => (1, 0),
            Self::Up => (0, -1),
            Self::Down => (0, 1),
            Self::Noop | Self::Fire => (0, 0),
        }
    }
}

/// The result of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub reward: u32,
    pub terminal: bool,
}
