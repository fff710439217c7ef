//! Rescue divers with a submarine: [`Seaquest`].

use super::environment::MinAtar;
use super::game::{Game, GameAction, LAST, Outcome};
use super::ramp::Ramp;
use super::random_state::RandomState;
use crate::EnvSpec;

const MAX_OXYGEN: i32 = 200; // steps under water
const MAX_DIVERS: i32 = 6;
const SPAWN_INTERVAL: u32 = 20; // steps, at first
const MOVE_INTERVAL: u32 = 5; // steps of fish and enemy submarines, at first
const SHORTEST_MOVE_INTERVAL: u32 = 2; // steps
const DIVER_SPAWN_INTERVAL: u32 = 30; // steps
const DIVER_MOVE_INTERVAL: u32 = 5; // steps
const RELOAD: u32 = 5; // steps between the submarine's shots
const ENEMY_RELOAD: u32 = 10; // steps between an enemy submarine's shots
const GAUGE_LENGTH: i32 = 10; // cells

/// A submarine that rescues divers, shoots fish and enemy submarines, and must surface for oxygen.
///
/// | channel | | channel | | action | |
/// |---|---|---|---|---|---|
/// | 0 | submarine, front | 5 | fish | 0 | none |
/// | 1 | submarine, back | 6 | enemy submarine | 1 | left |
/// | 2 | bullet | 7 | oxygen gauge | 2 | up |
/// | 3 | trail, behind all but bullets | 8 | gauge of divers on board | 3 | right |
/// | 4 | bullet of an enemy | 9 | diver | 4 | down |
/// | | | | | 5 | fire |
///
/// A fish or an enemy submarine is worth 1, and six divers brought to the surface up to 10, by the oxygen left. The
/// episode ends when the front touches an enemy or a bullet, when the oxygen is used up, and when surfacing without a
/// diver on board; each surfacing takes one. With difficulty ramping, enemies appear more often and
/// move faster after each surfacing.
#[derive(Clone, Debug)]
pub struct Seaquest {
    x: i32,
    y: i32,
    facing: i32,
    bullets: Vec<Swimmer>,
    enemy_bullets: Vec<Swimmer>,
    fish: Vec<Swimmer>,
    enemies: Vec<Swimmer>,
    divers: Vec<Swimmer>,
    oxygen: i32,
    /// Divers on board. Six that are brought up count down to -1, as in the package.
    rescued: i32,
    surfaced: bool,
    difficulty_ramping: bool,
    ramp: Ramp,
    spawn_timer: u32,
    diver_timer: u32,
    reload: u32,
}

/// Whatever moves along a row; lists of them are in the order in which they came.
#[derive(Clone, Copy, Debug)]
struct Swimmer {
    x: i32,
    y: i32,
    direction: i32,
    /// Steps to the next move.
    timer: u32,
    /// Steps to the next shot.
    reload: u32,
}

/// Returns the game's specification.
pub fn spec() -> EnvSpec {
    MinAtar::<Seaquest>::spec("minatar-seaquest", "`MinAtar/Seaquest-v1`")
}

impl Game for Seaquest {
    const CHANNELS: usize = 10;
    const MINIMAL_ACTIONS: &'static [GameAction] = GameAction::ALL;

    fn start(difficulty_ramping: bool, _rng: &mut RandomState) -> Self {
        Self {
            x: 5,
            y: 0,
            facing: -1,
            bullets: Vec::new(),
            enemy_bullets: Vec::new(),
            fish: Vec::new(),
            enemies: Vec::new(),
            divers: Vec::new(),
            oxygen: MAX_OXYGEN,
            rescued: 0,
            surfaced: true,
            difficulty_ramping,
            ramp: Ramp::new(SPAWN_INTERVAL, MOVE_INTERVAL, SHORTEST_MOVE_INTERVAL),
            spawn_timer: SPAWN_INTERVAL,
            diver_timer: DIVER_SPAWN_INTERVAL,
            reload: 0,
        }
    }

    fn step(&mut self, action: GameAction, rng: &mut RandomState) -> Outcome {
        let mut outcome = Outcome::default();
        if self.spawn_timer == 0 {
            self.spawn_enemy(rng);
            self.spawn_timer = self.ramp.spawn_interval;
        }
        if self.diver_timer == 0 {
            self.spawn_diver(rng);
            self.diver_timer = DIVER_SPAWN_INTERVAL;
        }
        self.steer(action);
        self.move_bullets(&mut outcome);
        self.move_divers();
        self.move_enemies(&mut outcome);
        self.move_enemy_bullets(&mut outcome);
        self.move_fish(&mut outcome);
        for timer in [&mut self.spawn_timer, &mut self.diver_timer, &mut self.reload] {
            *timer = timer.saturating_sub(1);
        }
        self.breathe(&mut outcome);
        outcome
    }

    fn observe(&self, mut mark: impl FnMut(i32, i32, usize)) {
        mark(self.x, self.y, 0);
        mark(self.x - self.facing, self.y, 1);
        (0..gauge(self.oxygen)).for_each(|x| mark(x, LAST, 7));
        (0..self.rescued).for_each(|i| mark(LAST - 1 - i, LAST, 8));
        for (swimmers, channel) in [(&self.bullets, 2), (&self.enemy_bullets, 4)] {
            swimmers.iter().for_each(|swimmer| mark(swimmer.x, swimmer.y, channel));
        }
        for (swimmers, channel) in [(&self.fish, 5), (&self.enemies, 6), (&self.divers, 9)] {
            for swimmer in swimmers {
                mark(swimmer.x, swimmer.y, channel);
                let behind = swimmer.x - swimmer.direction;
                if (0..=LAST).contains(&behind) {
                    mark(behind, swimmer.y, 3);
                }
            }
        }
    }
}

// Lists are gone through from their ends, so that what is removed or appended leaves the rest in place.
impl Seaquest {
    fn spawn_enemy(&mut self, rng: &mut RandomState) {
        let (side, kind) = (rng.rand(), rng.rand());
        let enemy = Swimmer::entering(side, rng, self.ramp.move_interval);
        let head_on = |other: &Swimmer| other.y == enemy.y && other.direction != enemy.direction;
        if self.fish.iter().any(head_on) || self.enemies.iter().any(head_on) {
            return;
        }
        if kind < 1.0 / 3.0 { &mut self.enemies } else { &mut self.fish }.push(enemy);
    }

    fn spawn_diver(&mut self, rng: &mut RandomState) {
        let side = rng.rand();
        self.divers.push(Swimmer::entering(side, rng, DIVER_MOVE_INTERVAL));
    }

    fn steer(&mut self, action: GameAction) {
        if action == GameAction::Fire && self.reload == 0 {
            self.bullets.push(Swimmer { x: self.x, y: self.y, direction: self.facing, timer: 0, reload: 0 });
            self.reload = RELOAD;
        }
        let (dx, dy) = action.direction();
        self.x = (self.x + dx).clamp(0, LAST);
        self.y = (self.y + dy).clamp(0, LAST - 1);
        if dx != 0 {
            self.facing = dx;
        }
    }

    fn move_bullets(&mut self, outcome: &mut Outcome) {
        for i in (0..self.bullets.len()).rev() {
            let bullet = &mut self.bullets[i];
            bullet.x += bullet.direction;
            let cell = bullet.cell();
            if !bullet.is_inside() {
                self.bullets.remove(i);
            } else if remove_first(&mut self.fish, cell) || remove_first(&mut self.enemies, cell) {
                self.bullets.remove(i);
                outcome.reward += 1;
            }
        }
    }

    fn move_divers(&mut self) {
        let front = (self.x, self.y);
        for i in (0..self.divers.len()).rev() {
            let has_room = self.rescued < MAX_DIVERS;
            let diver = &mut self.divers[i];
            let mut is_rescued = has_room && diver.cell() == front;
            if !is_rescued && diver.advance(DIVER_MOVE_INTERVAL) {
                is_rescued = has_room && diver.cell() == front;
            }
            if is_rescued {
                self.rescued += 1;
            }
            if is_rescued || !diver.is_inside() {
                self.divers.remove(i);
            }
        }
    }

    fn move_enemies(&mut self, outcome: &mut Outcome) {
        let front = (self.x, self.y);
        for i in (0..self.enemies.len()).rev() {
            let enemy = &mut self.enemies[i];
            outcome.terminal |= enemy.cell() == front;
            let has_moved = enemy.advance(self.ramp.move_interval);
            // One that is removed in this step still shoots.
            if enemy.reload == 0 {
                enemy.reload = ENEMY_RELOAD;
                self.enemy_bullets.push(*enemy);
            } else {
                enemy.reload -= 1;
            }
            if has_moved && arrive(*enemy, front, &mut self.bullets, outcome) {
                self.enemies.remove(i);
            }
        }
    }

    fn move_enemy_bullets(&mut self, outcome: &mut Outcome) {
        let front = (self.x, self.y);
        for i in (0..self.enemy_bullets.len()).rev() {
            let bullet = &mut self.enemy_bullets[i];
            outcome.terminal |= bullet.cell() == front;
            bullet.x += bullet.direction;
            outcome.terminal |= bullet.cell() == front;
            if !bullet.is_inside() {
                self.enemy_bullets.remove(i);
            }
        }
    }

    fn move_fish(&mut self, outcome: &mut Outcome) {
        let front = (self.x, self.y);
        for i in (0..self.fish.len()).rev() {
            let fish = &mut self.fish[i];
            outcome.terminal |= fish.cell() == front;
            if fish.advance(self.ramp.move_interval) && arrive(*fish, front, &mut self.bullets, outcome) {
                self.fish.remove(i);
            }
        }
    }

    fn breathe(&mut self, outcome: &mut Outcome) {
        outcome.terminal |= self.oxygen <= 0;
        if self.y > 0 {
            self.oxygen -= 1;
            self.surfaced = false;
        } else if !self.surfaced {
            if self.rescued == 0 {
                outcome.terminal = true;
            } else {
                self.surface(outcome);
            }
        }
    }

    fn surface(&mut self, outcome: &mut Outcome) {
        self.surfaced = true;
        if self.rescued == MAX_DIVERS {
            outcome.reward += gauge(self.oxygen) as u32;
            self.rescued = 0;
        }
        self.oxygen = MAX_OXYGEN;
        self.rescued -= 1;
        if self.difficulty_ramping && self.ramp.can_advance() {
            self.ramp.advance();
        }
    }
}

impl Swimmer {
    /// Returns a swimmer at an end of a random row.
    fn entering(side: f64, rng: &mut RandomState, timer: u32) -> Self {
        let (direction, x) = if side < 0.5 { (1, 0) } else { (-1, LAST) };
        Self { x, y: 1 + rng.randint(8) as i32, direction, timer, reload: ENEMY_RELOAD }
    }

    fn cell(&self) -> (i32, i32) {
        (self.x, self.y)
    }

    fn is_inside(&self) -> bool {
        (0..=LAST).contains(&self.x)
    }

    /// Moves when its time has come; returns whether it did.
    fn advance(&mut self, interval: u32) -> bool {
        if self.timer > 0 {
            self.timer -= 1;
            return false;
        }
        self.timer = interval;
        self.x += self.direction;
        true
    }
}

/// Lets an enemy that has moved meet the submarine's front and the bullets; returns whether the enemy is gone.
fn arrive(enemy: Swimmer, front: (i32, i32), bullets: &mut Vec<Swimmer>, outcome: &mut Outcome) -> bool {
    if !enemy.is_inside() {
        return true;
    }
    if enemy.cell() == front {
        outcome.terminal = true;
        return false;
    }
    let is_shot = remove_first(bullets, enemy.cell());
    outcome.reward += u32::from(is_shot);
    is_shot
}

/// Removes the first of the swimmers in a cell; returns whether there was one.
fn remove_first(swimmers: &mut Vec<Swimmer>, cell: (i32, i32)) -> bool {
    let first = swimmers.iter().position(|swimmer| swimmer.cell() == cell);
    first.map(|i| swimmers.remove(i)).is_some()
}

/// How many cells of the gauge this oxygen fills.
fn gauge(oxygen: i32) -> i32 {
    GAUGE_LENGTH * oxygen.max(0) / MAX_OXYGEN
}
