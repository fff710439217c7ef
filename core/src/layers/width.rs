//! The width factor `gamma` (paper, section 4.2): units whose rates happen to be useless make a network narrower than
//! it looks, which more of them make up for.

/// How many units a layer of `units` has in a network `gamma` times as wide: the nearest whole number, at least 1.
///
/// ```
/// use alrao_core::layers::scaled_width;
/// assert_eq!([scaled_width(64, 1.0), scaled_width(64, 3.0), scaled_width(3, 0.5), scaled_width(1, 0.1)], [64, 192, 2, 1]);
/// ```
pub fn scaled_width(units: i64, width_factor: f64) -> i64 {
    ((units as f64 * width_factor).round() as i64).max(1)
}
