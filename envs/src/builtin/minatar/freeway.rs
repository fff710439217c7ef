//! Cross a road: [`Freeway`].

use super::environment::MinAtar;
use super::game::{Game, GameAction, LAST, Outcome, SIDE};
use super::random_state::RandomState;
use crate::EnvSpec;

const CARS: usize = 8;
const COLUMN: i32 = 4;
const MOVE_INTERVAL: u32 = 3; // steps between moves of the chicken
const STEPS: u32 = 2501;

/// A chicken that crosses a road of eight lanes.
///
/// | channel | | | action | |
/// |---|---|-|---|---|
/// | 0 | chicken | | 0 | none |
/// | 1 | car | | 1 | up |
/// | 2 to 6 | trail, by the steps that the car rests between moves, 1 to 5 | | 2 | down |
///
/// Reaching the top is worth 1 and gives all cars new speeds; then, and when hit by a car, the chicken starts again at
/// the bottom. The episode ends after 2501 steps. It has no difficulty ramping.
#[derive(Clone, Debug)]
pub struct Freeway {
    y: i32,
    /// Car `i` is in row `i + 1`.
    cars: [Car; CARS],
    move_timer: u32,
    steps_left: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Car {
    x: i32,
    direction: i32,
    /// Steps between moves.
    rest: u32,
    timer: u32,
}

/// Returns the game's specification.
pub fn spec() -> EnvSpec {
    MinAtar::<Freeway>::spec("minatar-freeway", "`MinAtar/Freeway-v1`")
}

impl Game for Freeway {
    const CHANNELS: usize = 7;
    const MINIMAL_ACTIONS: &'static [GameAction] = &[GameAction::Noop, GameAction::Up, GameAction::Down];

    fn start(_difficulty_ramping: bool, rng: &mut RandomState) -> Self {
        let mut freeway = Self { y: LAST, cars: [Car::default(); CARS], move_timer: MOVE_INTERVAL, steps_left: STEPS };
        freeway.randomize_speeds(rng);
        freeway
    }

    fn step(&mut self, action: GameAction, rng: &mut RandomState) -> Outcome {
        let mut outcome = Outcome::default();
        let dy = action.direction().1;
        if self.move_timer == 0 && dy != 0 {
            self.move_timer = MOVE_INTERVAL;
            self.y = (self.y + dy).clamp(0, LAST);
        }
        if self.y == 0 {
            outcome.reward = 1;
            self.randomize_speeds(rng);
            self.y = LAST;
        }

        for (lane, car) in (1..).zip(&mut self.cars) {
            if (car.x, lane) == (COLUMN, self.y) {
                self.y = LAST;
            }
            if car.timer > 0 {
                car.timer -= 1;
                continue;
            }
            car.timer = car.rest;
            car.x = around(car.x + car.direction);
            if (car.x, lane) == (COLUMN, self.y) {
                self.y = LAST;
            }
        }

        self.move_timer = self.move_timer.saturating_sub(1);
        self.steps_left -= 1;
        outcome.terminal = self.steps_left == 0;
        outcome
    }

    fn observe(&self, mut mark: impl FnMut(i32, i32, usize)) {
        mark(COLUMN, self.y, 0);
        for (y, car) in (1..).zip(&self.cars) {
            mark(car.x, y, 1);
            mark(around(car.x - car.direction), y, 1 + car.rest as usize);
        }
    }
}

impl Freeway {
    fn randomize_speeds(&mut self, rng: &mut RandomState) {
        for car in &mut self.cars {
            car.rest = 1 + rng.randint(5);
            car.timer = car.rest;
        }
        for car in &mut self.cars {
            car.direction = if rng.rand() > 0.5 { 1 } else { -1 };
        }
    }
}

/// A column just beyond an end is that of the other end.
fn around(x: i32) -> i32 {
    const COLUMNS: i32 = SIDE as i32;
    match x {
        -1 => LAST,
        COLUMNS => 0,
        x => x,
    }
}
