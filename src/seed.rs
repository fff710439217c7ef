//! Seeds as arguments.

/// Parses a seed.
///
/// # Errors
/// It is no integer from 0 to 2^64 - 1.
pub fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("seeds are integers from 0 to {}", u64::MAX))
}
