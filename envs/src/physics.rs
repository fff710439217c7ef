//! Physics steps of several environments, computed together: [`Physics`].

#[cfg(feature = "gym")]
use crate::lander_world::LanderWorld as World;

/// The physics of a step that [`Environment::begin_step`](crate::Environment::begin_step) began.
/// [`VectorEnv`](crate::VectorEnv) and other callers compute the physics of several environments together, with
/// bit-identical results. Only environments of this crate provide it.
pub struct Physics<'a>(pub(crate) &'a mut World);

impl Physics<'_> {
    /// Computes the physics of all these steps. [`Environment::step`](crate::Environment::step) completes them and must
    /// be called with the actions they began with.
    pub fn step_batch(all: impl Iterator<Item = Self>) {
        World::step_batch(all.map(|Physics(world)| world));
    }
}

/// An uninhabited stand-in for the worlds of the `gym` feature.
#[cfg(not(feature = "gym"))]
pub(crate) enum World {}

#[cfg(not(feature = "gym"))]
impl World {
    fn step_batch<'a>(_worlds: impl Iterator<Item = &'a mut Self>) {}
}
