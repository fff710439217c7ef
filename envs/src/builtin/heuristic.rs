//! A scripted policy for the lunar lander, equal to Gymnasium's heuristic.
//!
//! It tilts against drift, keeps a height proportional to the distance from the pad, and only brakes once a leg touches
//! the ground. It computes in `f32`, as numpy does.

/// The desired rotation and vertical thrust.
struct Targets {
    turn: f32,
    rise: f32,
}

/// Returns the heuristic's discrete action for an observation of a [`LunarLander`](crate::LunarLander).
///
/// # Panics
/// If the observation doesn't have 8 values.
pub fn land(observation: &[f32]) -> usize {
    let Targets { turn, rise } = targets(observation);
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

/// Returns the heuristic's continuous action for an observation of a [`LunarLander`](crate::LunarLander).
///
/// # Panics
/// If the observation doesn't have 8 values.
pub fn land_continuous(observation: &[f32]) -> [f32; 2] {
    let Targets { turn, rise } = targets(observation);
    [rise * 20.0 - 1.0, -turn * 20.0].map(|throttle| throttle.clamp(-1.0, 1.0))
}

fn targets(observation: &[f32]) -> Targets {
    let &[x, y, vx, vy, angle, turning, left, right] = observation else {
        panic!("a lander's observation has 8 values, but this one has {}", observation.len())
    };
    if left != 0.0 || right != 0.0 {
        return Targets { turn: 0.0, rise: -vy * 0.5 };
    }
    let lean = (x * 0.5 + vx).clamp(-0.4, 0.4);
    let height = 0.55 * x.abs();
    Targets { turn: (lean - angle) * 0.5 - turning, rise: (height - y) * 0.5 - vy * 0.5 }
}
