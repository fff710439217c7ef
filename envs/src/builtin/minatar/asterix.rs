//! Collect gold, avoid enemies: [`Asterix`].

use super::environment::MinAtar;
use super::game::{Game, GameAction, LAST, Outcome};
use super::ramp::Ramp;
use super::random_state::RandomState;
use crate::EnvSpec;

const SLOTS: usize = 8;
const SPAWN_INTERVAL: u32 = 10; // steps, at first
const MOVE_INTERVAL: u32 = 5; // steps, at first
const SHORTEST_MOVE_INTERVAL: u32 = 1; // steps
const RAMP_WAIT: i32 = 100; // steps between stages, less 2

/// A player among enemies and gold, which cross the rows between the top and the bottom one.
///
/// | channel | | | action | |
/// |---|---|-|---|---|
/// | 0 | player | | 0 | none |
/// | 1 | enemy | | 1 | left |
/// | 2 | trail, behind enemies and gold | | 2 | up |
/// | 3 | gold | | 3 | right |
/// | | | | 4 | down |
///
/// Gold is worth 1; touching an enemy ends the episode. With difficulty ramping, enemies and gold appear more often and move
/// faster every 102 steps, nine times.
#[derive(Clone, Debug)]
pub struct Asterix {
    player: (i32, i32),
    /// Slot `k` is in row `k + 1`.
    slots: [Option<Entity>; SLOTS],
    difficulty_ramping: bool,
    ramp: Ramp,
    ramp_wait: i32,
    spawn_timer: u32,
    move_timer: u32,
}

#[derive(Clone, Copy, Debug)]
struct Entity {
    x: i32,
    direction: i32,
    is_gold: bool,
}

/// Returns the game's specification.
pub fn spec() -> EnvSpec {
    MinAtar::<Asterix>::spec("minatar-asterix", "`MinAtar/Asterix-v1`")
}

impl Game for Asterix {
    const CHANNELS: usize = 4;
    const MINIMAL_ACTIONS: &'static [GameAction] =
        &[GameAction::Noop, GameAction::Left, GameAction::Up, GameAction::Right, GameAction::Down];

    fn start(difficulty_ramping: bool, _rng: &mut RandomState) -> Self {
        Self {
            player: (5, 5),
            slots: [None; SLOTS],
            difficulty_ramping,
            ramp: Ramp::new(SPAWN_INTERVAL, MOVE_INTERVAL, SHORTEST_MOVE_INTERVAL),
            ramp_wait: RAMP_WAIT,
            spawn_timer: SPAWN_INTERVAL,
            move_timer: MOVE_INTERVAL,
        }
    }

    fn step(&mut self, action: GameAction, rng: &mut RandomState) -> Outcome {
        let mut outcome = Outcome::default();
        if self.spawn_timer == 0 {
            self.spawn(rng);
            self.spawn_timer = self.ramp.spawn_interval;
        }

        let (dx, dy) = action.direction();
        self.player = ((self.player.0 + dx).clamp(0, LAST), (self.player.1 + dy).clamp(1, LAST - 1));
        self.meet(self.player.1 as usize - 1, &mut outcome);

        if self.move_timer == 0 {
            self.move_timer = self.ramp.move_interval;
            for slot in 0..SLOTS {
                if let Some(entity) = &mut self.slots[slot] {
                    entity.x += entity.direction;
                    if (0..=LAST).contains(&entity.x) {
                        self.meet(slot, &mut outcome);
                    } else {
                        self.slots[slot] = None;
                    }
                }
            }
        }
        self.spawn_timer -= 1;
        self.move_timer -= 1;

        if self.difficulty_ramping && self.ramp.can_advance() {
            if self.ramp_wait >= 0 {
                self.ramp_wait -= 1;
            } else {
                self.ramp.advance();
                self.ramp_wait = RAMP_WAIT;
            }
        }
        outcome
    }

    fn observe(&self, mut mark: impl FnMut(i32, i32, usize)) {
        mark(self.player.0, self.player.1, 0);
        for (y, entity) in (1..).zip(&self.slots) {
            if let Some(Entity { x, direction, is_gold }) = *entity {
                mark(x, y, if is_gold { 3 } else { 1 });
                let behind = x - direction;
                if (0..=LAST).contains(&behind) {
                    mark(behind, y, 2);
                }
            }
        }
    }
}

impl Asterix {
    /// Puts an enemy or gold at an end of a free row, if there is one.
    fn spawn(&mut self, rng: &mut RandomState) {
        let (side, kind) = (rng.rand(), rng.rand());
        let (direction, x) = if side < 0.5 { (1, 0) } else { (-1, LAST) };
        let free = self.slots.iter().filter(|slot| slot.is_none()).count();
        if free > 0 {
            let chosen = rng.randint(free as u32) as usize;
            let mut free = self.slots.iter_mut().filter(|slot| slot.is_none());
            *free.nth(chosen).expect("below their number") = Some(Entity { x, direction, is_gold: kind < 1.0 / 3.0 });
        }
    }

    /// Lets the player have what is in `slot`, if both are in one cell.
    fn meet(&mut self, slot: usize, outcome: &mut Outcome) {
        match self.slots[slot] {
            Some(Entity { x, is_gold, .. }) if (x, slot as i32 + 1) == self.player => {
                if is_gold {
                    self.slots[slot] = None;
                    outcome.reward += 1;
                } else {
                    outcome.terminal = true;
                }
            }
            _ => {}
        }
    }
}
