//! Named streams of random numbers, derived from a run's seed.
//!
//! Each purpose (initial weights, learning rates, exploration, ...) has its own generator. So the number of draws for
//! one purpose does not affect another, and each generator's state can be saved with serde.

use rand_seeder::Seeder;

/// Generator of a stream.
pub type Stream = rand_pcg::Pcg64;

/// Returns the stream named `purpose` of the run with this `seed`.
///
/// ```
/// use rand::RngExt;
/// let draw = |seed, purpose| alrao_core::streams::stream(seed, purpose).random::<u64>();
/// assert_eq!(draw(0, "replay"), draw(0, "replay"));
/// assert_ne!(draw(0, "replay"), draw(1, "replay"));
/// assert_ne!(draw(0, "replay"), draw(0, "exploration"));
/// ```
pub fn stream(seed: u64, purpose: &str) -> Stream {
    Seeder::from(("alrao", seed, purpose)).into_rng()
}
