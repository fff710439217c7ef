//! The width factor, `gamma` in the paper (section 4.2): more units make up for those whose learning rate is useless.

/// Scales a layer's number of units by `width_factor`, rounded, at least 1.
///
/// ```
/// use alrao_core::layers::scaled_width;
/// assert_eq!([scaled_width(64, 3.0), scaled_width(3, 0.5), scaled_width(1, 0.1)], [192, 2, 1]);
/// ```
pub fn scaled_width(units: i64, width_factor: f64) -> i64 {
    ((units as f64 * width_factor).round() as i64).max(1)
}
