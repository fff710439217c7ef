//! Truncation of long episodes: [`TimeLimit`].

use crate::{Action, Environment, EnvironmentError, Step, Wrapper};

/// A wrapper that truncates every episode at a number of environment steps.
///
/// The last step keeps its `terminated`: as in Gymnasium, both flags are set if an episode terminates at the limit.
#[derive(Clone, Debug)]
pub struct TimeLimit<E> {
    env: E,
    limit: u32,
    elapsed: u32,
}

impl<E: Environment> TimeLimit<E> {
    /// Limits the episodes of `env` to `steps` environment steps; 0 counts as 1.
    pub fn new(env: E, steps: u32) -> Self {
        Self { env, limit: steps, elapsed: 0 }
    }
}

impl<E: Environment> Wrapper for TimeLimit<E> {
    type Inner = E;

    fn inner(&self) -> &E {
        &self.env
    }

    fn inner_mut(&mut self) -> &mut E {
        &mut self.env
    }

    fn on_reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.elapsed = 0;
        self.env.reset(seed)
    }

    fn on_step(&mut self, action: &Action<'_>) -> Result<Step, EnvironmentError> {
        let step = action.take(&mut self.env)?;
        self.elapsed = self.elapsed.saturating_add(1);
        Ok(Step { truncated: step.truncated || self.elapsed >= self.limit, ..step })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::tests::Counter;

    /// Returns `(terminated, truncated)` at each step of an episode of a [`Counter`] with action 1.
    fn flags(end: f32, limit: u32) -> Vec<(bool, bool)> {
        let mut env = TimeLimit::new(Counter::to(end), limit);
        let mut episode = || {
            env.reset(0).unwrap();
            let mut flags = Vec::new();
            loop {
                let step = env.step(1).unwrap();
                flags.push((step.terminated, step.truncated));
                if step.ended() {
                    return flags;
                }
            }
        };
        let first = episode();
        assert_eq!(first, episode(), "a reset restarts the count");
        first
    }

    #[test]
    fn truncated_and_terminated_are_separate() {
        let on = (false, false);
        assert_eq!(flags(9.0, 3), [on, on, (false, true)]);
        assert_eq!(flags(2.0, 3), [on, (true, false)]);
        assert_eq!(flags(3.0, 3), [on, on, (true, true)]);
    }

    #[test]
    fn the_shorter_of_two_nested_limits_applies() {
        let mut env = TimeLimit::new(TimeLimit::new(Counter::to(9.0), 2), 3);
        env.reset(0).unwrap();
        assert!(!env.step(0).unwrap().truncated);
        assert!(env.step(0).unwrap().truncated);
    }
}
