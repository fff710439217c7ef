//! The width factor `gamma` (paper, section 4.2): units whose rates happen to be useless make a network narrower than
//! it looks, which more of them make up for.

/// How many units a layer of `units` has in a network `gamma` times as wide: the nearest whole number, at least 1.
///
/// ```
/// use alrao_core::layers::widened;
/// assert_eq!([widened(64, 1.0), widened(64, 3.0), widened(3, 0.5), widened(1, 0.1)], [64, 192, 2, 1]);
/// ```
pub fn widened(units: i64, gamma: f64) -> i64 {
    ((units as f64 * gamma).round() as i64).max(1)
}
