//! Named streams of random numbers, all derived from a run's one seed.
//!
//! Each purpose (initial weights, unit rates, exploration, ...) has a generator of its own, so that a change in how
//! many numbers one of them takes moves no other, and each generator's state can be saved with serde.

use rand_seeder::Seeder;

/// The generator behind every random draw.
pub type Stream = rand_pcg::Pcg64;

/// The stream named `purpose` of the run with this `seed`.
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
