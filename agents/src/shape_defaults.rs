//! Defaults that depend on the shape of the observations, and one that depends on the method.
//!
//! A pass over an image takes tens to thousands of times as long as one over a vector, and consecutive images differ little.
//! So for images an update every 4 environment steps from 32 transitions is the rule since Mnih et al. (2015); for vectors,
//! where an environment step is the dear part, updates are more frequent and from larger batches; more than one every 2 steps
//! learned less (docs/choices.md).

use alrao_core::method::Method;
use alrao_envs::ObservationSpace;

/// Returns the default of `agent.train_freq`, in environment steps.
pub(crate) fn train_freq(space: &ObservationSpace) -> u64 {
    if space.image().is_some() { 4 } else { 2 }
}

/// Returns the default of `agent.batch_size`, in transitions.
pub(crate) fn batch_size(space: &ObservationSpace) -> usize {
    if space.image().is_some() { 32 } else { 128 }
}

/// Returns the default of `agent.n_step`, in rewards. Sums of rewards spread information quickly, but are the returns of an
/// exploring policy, from which values don't become precise. Agents of MinAtar's images, which are far from precise, learn
/// faster from longer sums (docs/ablations.md).
pub(crate) fn n_step(space: &ObservationSpace) -> usize {
    if space.image().is_some() { 5 } else { 2 }
}

/// Returns the defaults of `agent.tau` and `agent.final_tau`. With vectors, an agent whose target network follows fast at first
/// learns CartPole in half the steps, and one whose target network follows slowly at last has better returns on LunarLander;
/// images weren't tried with either (docs/choices.md).
pub(crate) fn tau(space: &ObservationSpace) -> [f64; 2] {
    if space.image().is_some() { [0.005; 2] } else { [0.1, 0.02] }
}

/// Returns the default of `agent.max_relative_update`, the method's own bound if it has one; 0 is no bound. Other
/// methods have one for random learning rates only, and not with images, where it wasn't tried (docs/choices.md).
pub(crate) fn max_relative_update(space: &ObservationSpace, method: &Method) -> f64 {
    method.max_relative_update.unwrap_or(if !method.lr_range.is_single() && space.image().is_none() {
        0.01
    } else {
        0.0
    })
}
