//! Shoot aliens: [`SpaceInvaders`].

use super::environment::MinAtar;
use super::game::{Game, GameAction, LAST, Outcome};
use super::grid::Grid;
use super::random_state::RandomState;
use crate::EnvSpec;

const RELOAD: u32 = 5; // steps between the cannon's shots
const ALIEN_RELOAD: u32 = 10; // steps between the aliens' shots
const MOVE_INTERVAL: u32 = 12; // steps, of the first wave
const SHORTEST_MOVE_INTERVAL: u32 = 6; // steps

/// A cannon at the bottom, and aliens that come nearer and shoot.
///
/// | channel | | | action | |
/// |---|---|-|---|---|
/// | 0 | cannon | | 0 | none |
/// | 1 | alien | | 1 | left |
/// | 2 | alien, while they move left | | 2 | right |
/// | 3 | alien, while they move right | | 3 | fire |
/// | 4 | bullet of the cannon | | | |
/// | 5 | bullet of the aliens | | | |
///
/// An alien is worth 1; the episode ends when a bullet or an alien reaches the cannon, or the aliens the bottom. Fewer
/// aliens move faster. The next wave comes when none is left; with difficulty ramping it is faster, for six waves.
/// Nothing is random.
#[derive(Clone, Debug)]
pub struct SpaceInvaders {
    cannon: i32,
    bullets: Grid,
    alien_bullets: Grid,
    aliens: Grid,
    alien_direction: i32,
    difficulty_ramping: bool,
    move_interval: u32,
    move_timer: u32,
    alien_reload: u32,
    reload: u32,
}

/// Returns the game's specification.
pub fn spec() -> EnvSpec {
    MinAtar::<SpaceInvaders>::spec("minatar-space-invaders", "`MinAtar/SpaceInvaders-v1`")
}

impl Game for SpaceInvaders {
    const CHANNELS: usize = 6;
    const MINIMAL_ACTIONS: &'static [GameAction] =
        &[GameAction::Noop, GameAction::Left, GameAction::Right, GameAction::Fire];

    fn start(difficulty_ramping: bool, _rng: &mut RandomState) -> Self {
        Self {
            cannon: 5,
            bullets: Grid::default(),
            alien_bullets: Grid::default(),
            aliens: wave(),
            alien_direction: -1,
            difficulty_ramping,
            move_interval: MOVE_INTERVAL,
            move_timer: MOVE_INTERVAL,
            alien_reload: ALIEN_RELOAD,
            reload: 0,
        }
    }

    fn step(&mut self, action: GameAction, _rng: &mut RandomState) -> Outcome {
        let mut outcome = Outcome::default();
        if action == GameAction::Fire && self.reload == 0 {
            self.bullets.insert(self.cannon, LAST);
            self.reload = RELOAD;
        }
        self.cannon = (self.cannon + action.direction().0).clamp(0, LAST);

        self.bullets = self.bullets.up();
        self.alien_bullets = self.alien_bullets.down();
        outcome.terminal |= self.alien_bullets.contains(self.cannon, LAST);
        outcome.terminal |= self.aliens.contains(self.cannon, LAST);
        if self.move_timer == 0 {
            self.move_timer = self.move_interval.min(self.aliens.len());
            outcome.terminal |= self.move_aliens();
        }
        if self.alien_reload == 0 {
            self.alien_reload = ALIEN_RELOAD;
            self.return_fire();
        }

        let hits = self.aliens & self.bullets;
        self.aliens = self.aliens.without(hits);
        self.bullets = self.bullets.without(hits);
        outcome.reward = hits.len();

        self.reload = self.reload.saturating_sub(1);
        self.move_timer -= 1;
        self.alien_reload -= 1;
        if self.aliens.is_empty() {
            if self.difficulty_ramping && self.move_interval > SHORTEST_MOVE_INTERVAL {
                self.move_interval -= 1;
            }
            self.aliens = wave();
        }
        outcome
    }

    fn observe(&self, mut mark: impl FnMut(i32, i32, usize)) {
        mark(self.cannon, LAST, 0);
        let direction = if self.alien_direction < 0 { 2 } else { 3 };
        self.aliens.for_each(|x, y| {
            mark(x, y, 1);
            mark(x, y, direction);
        });
        self.bullets.for_each(|x, y| mark(x, y, 4));
        self.alien_bullets.for_each(|x, y| mark(x, y, 5));
    }
}

impl SpaceInvaders {
    /// Returns whether that ends the game.
    fn move_aliens(&mut self) -> bool {
        let edge = if self.alien_direction < 0 { 0 } else { LAST };
        let mut landed = false;
        if self.aliens.column(edge).is_empty() {
            self.aliens = self.aliens.sideways(self.alien_direction);
        } else {
            self.alien_direction = -self.alien_direction;
            landed = self.aliens.lowest_row() == Some(LAST);
            self.aliens = self.aliens.wrapped_down();
        }
        landed || self.aliens.contains(self.cannon, LAST)
    }

    /// Lets the lowest alien of the column nearest to the cannon shoot.
    fn return_fire(&mut self) {
        let lowest = |x| self.aliens.column(x).lowest_row().map(|y| (x, y));
        if let Some((x, y)) = (0..=LAST).filter_map(lowest).min_by_key(|(x, _)| x.abs_diff(self.cannon)) {
            self.alien_bullets.insert(x, y);
        }
    }
}

fn wave() -> Grid {
    Grid::block(0..4, 2..8)
}
