//! The machine's memory, which a configuration's numbers must fit in.

use crate::Error;

/// Bytes of a parameter while a network is trained: its value, gradient, learning rate, moments, a copy in another network and
/// one from before the update, and its initial draw.
const BYTES_PER_PARAMETER: f64 = 36.0;

/// Returns the bytes of this machine's memory; infinity if the system doesn't tell.
pub fn total() -> f64 {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes =
        info.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    kilobytes.map_or(f64::INFINITY, |kilobytes: f64| 1024.0 * kilobytes)
}

/// Compares the bytes that something needs with this machine's memory, in words; none if they fit.
pub fn shortage(needed: f64) -> Option<String> {
    let total = total();
    (needed > total).then(|| format!("takes about {:.0} GB, but this machine has {:.0} GB", needed / 1e9, total / 1e9))
}

/// Checks that a network of so many parameters fits.
///
/// # Errors
/// [`Error::Memory`] if it doesn't.
pub(crate) fn check_parameters(parameters: f64) -> Result<(), Error> {
    let (needed, total) = (BYTES_PER_PARAMETER * parameters, total());
    if needed <= total {
        return Ok(());
    }
    Err(Error::Memory { parameters, needed: needed / 1e9, total: total / 1e9 })
}
