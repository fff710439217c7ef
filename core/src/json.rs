//! Numbers in JSON, which has neither NaN nor infinities: serde writes them as `null`.

use serde::{Deserialize, Deserializer};

/// Reads `null` as NaN, for `#[serde(deserialize_with = "null_as_nan")]`.
///
/// # Errors
/// The value is neither a number nor `null`.
pub fn null_as_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// Reads a list whose numbers may be `null`, for `#[serde(deserialize_with = "nulls_as_nan")]`.
///
/// # Errors
/// The value is no such list.
pub fn nulls_as_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let numbers: Vec<Option<f64>> = Vec::deserialize(deserializer)?;
    Ok(numbers.into_iter().map(|number| number.unwrap_or(f64::NAN)).collect())
}
