//! Physics of several environments that go on together: [`Physics`].

#[cfg(feature = "gym")]
use crate::lander_world::LanderWorld as World;

/// The physics of a step that [`Environment::begin`](crate::Environment::begin) began. [`Vector`](crate::Vector) has
/// those of its copies go on side by side, to the same bits, and so does whoever plays episodes side by side. Only
/// environments of this crate have one.
pub struct Physics<'a>(pub(crate) &'a mut World);

impl Physics<'_> {
    /// Goes on to where each step ends. What is left of the steps is for
    /// [`Environment::step`](crate::Environment::step), with the same actions.
    pub fn step_together(all: impl Iterator<Item = Self>) {
        World::step_together(all.map(|Physics(world)| world));
    }
}

/// There is none.
#[cfg(not(feature = "gym"))]
pub(crate) enum World {}

#[cfg(not(feature = "gym"))]
impl World {
    fn step_together<'a>(_worlds: impl Iterator<Item = &'a mut Self>) {}
}
