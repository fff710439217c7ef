//! A lander's pilot by rule of thumb, which decides as Gymnasium's scripted one does.
//!
//! It tilts against drift, keeps the more height the further the pad is, and once a leg stands only breaks the fall.
//! Computed in `f32`, as numpy does with an observation.

/// How much to turn and to rise.
struct Wish {
    turn: f32,
    rise: f32,
}

/// The engine to fire, as an action's number, seeing this observation of a [`LunarLander`](crate::LunarLander).
///
/// # Panics
/// If the observation is no lander's: 8 numbers.
pub fn land(observation: &[f32]) -> usize {
    let Wish { turn, rise } = wish(observation);
    if rise > turn.abs() && rise > 0.05 {
        2
    } else if turn < -0.05 {
        3
    } else if turn > 0.05 {
        1
    } else {
        0
    }
}

/// The throttles of the main engine and of the side engines, as [`land`].
///
/// # Panics
/// If the observation is no lander's: 8 numbers.
pub fn land_continuous(observation: &[f32]) -> [f32; 2] {
    let Wish { turn, rise } = wish(observation);
    [rise * 20.0 - 1.0, -turn * 20.0].map(|throttle| throttle.clamp(-1.0, 1.0))
}

fn wish(observation: &[f32]) -> Wish {
    let &[x, y, vx, vy, angle, turning, left, right] = observation else {
        panic!("a lander's observation has 8 numbers, and this has {}", observation.len())
    };
    if left != 0.0 || right != 0.0 {
        return Wish { turn: 0.0, rise: -vy * 0.5 };
    }
    let lean = (x * 0.5 + vx).clamp(-0.4, 0.4);
    let height = 0.55 * x.abs();
    Wish { turn: (lean - angle) * 0.5 - turning, rise: (height - y) * 0.5 - vy * 0.5 }
}
