//! Defaults that depend on the shape of the observations, and on nothing else.
//!
//! A pass over an image takes tens to thousands of times as long as one over a vector, and consecutive images differ little.
//! So for images an update every 4 environment steps from 32 transitions is the rule since Mnih et al. (2015); for vectors,
//! where an environment step is the dear part, more updates from larger batches learn more per step.

use alrao_envs::ObservationSpace;

/// Returns the default of `agent.train_freq`, in environment steps.
pub(crate) fn train_freq(space: &ObservationSpace) -> u64 {
    if space.image().is_some() { 4 } else { 1 }
}

/// Returns the default of `agent.batch_size`, in transitions.
pub(crate) fn batch_size(space: &ObservationSpace) -> usize {
    if space.image().is_some() { 32 } else { 128 }
}
