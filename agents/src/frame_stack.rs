//! Stacked frames: an environment whose observation is the last k observations of the episode, as in Mnih et al. (2015),
//! so that an agent sees how things move.

use alrao_envs::{
    Action, Environment, EnvironmentError, ObservationBuffer, ObservationRef, ObservationShape, ObservationSpace,
    PassiveEnvChecker, Physics, RenderState, Step,
};

/// Stacks `frame_stack` observations, oldest first, in one vector. Before the first observation of an episode, it is
/// repeated, as in Gymnasium. For 1, returns the environment as it is.
pub fn stack_frames(env: Box<dyn Environment>, frame_stack: usize) -> Box<dyn Environment> {
    if frame_stack == 1 {
        return env;
    }
    let space = env.observation_space();
    let stack = ObservationBuffer::zeros(space.dtype, frame_stack * space.len());
    Box::new(StackedFrames { env: PassiveEnvChecker::new(env), frame_stack, stack })
}

struct StackedFrames {
    env: PassiveEnvChecker<Box<dyn Environment>>,
    frame_stack: usize,
    stack: ObservationBuffer,
}

impl StackedFrames {
    fn frame_len(&self) -> usize {
        self.stack.len() / self.frame_stack
    }

    fn take(&mut self, action: &Action<'_>) -> Result<Step, EnvironmentError> {
        let step = action.take(&mut self.env)?;
        let (frame, len) = (self.frame_len(), self.stack.len());
        self.stack.move_within(frame..len, 0);
        self.stack.write(len - frame, self.env.typed_observation());
        Ok(step)
    }
}

impl Environment for StackedFrames {
    fn obs_dim(&self) -> usize {
        self.stack.len()
    }

    fn observation_space(&self) -> ObservationSpace {
        let shape = ObservationShape::Vector(self.stack.len());
        ObservationSpace { shape, dtype: self.stack.as_ref().dtype() }
    }

    fn num_actions(&self) -> usize {
        self.env.num_actions()
    }

    fn action_dim(&self) -> usize {
        self.env.action_dim()
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.env.reset(seed)?;
        let frame = self.frame_len();
        (0..self.frame_stack).for_each(|i| self.stack.write(i * frame, self.env.typed_observation()));
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        self.take(&Action::Discrete(action))
    }

    fn begin_step(&mut self, action: usize) -> Option<Physics<'_>> {
        self.env.begin_step(action)
    }

    fn step_continuous(&mut self, action: &[f32]) -> Result<Step, EnvironmentError> {
        self.take(&Action::Continuous(action.into()))
    }

    fn observation(&self) -> &[f32] {
        match self.stack.as_ref() {
            ObservationRef::F32(values) => values,
            _ => &[],
        }
    }

    fn typed_observation(&self) -> ObservationRef<'_> {
        self.stack.as_ref()
    }

    fn action_mask(&self) -> Option<&[bool]> {
        self.env.action_mask()
    }

    fn render_state(&self) -> Option<RenderState> {
        self.env.render_state()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Observes the seed, then counts.
    struct Counter([u8; 1]);

    impl Environment for Counter {
        fn obs_dim(&self) -> usize {
            1
        }

        fn observation_space(&self) -> ObservationSpace {
            ObservationSpace::pixels(ObservationShape::ChannelsFirst([1; 3]))
        }

        fn num_actions(&self) -> usize {
            1
        }

        fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
            self.0 = [seed as u8];
            Ok(())
        }

        fn step(&mut self, _action: usize) -> Result<Step, EnvironmentError> {
            self.0[0] += 1;
            Ok(Step { reward: 0.0, terminated: false, truncated: false })
        }

        fn observation(&self) -> &[f32] {
            &[]
        }

        fn typed_observation(&self) -> ObservationRef<'_> {
            self.0.as_slice().into()
        }

        fn action_mask(&self) -> Option<&[bool]> {
            Some(&[true])
        }
    }

    #[test]
    fn a_stack_has_the_last_frames_of_its_episode_only() {
        let mut env = stack_frames(Box::new(Counter([0])), 3);
        for seed in [10u8, 50] {
            env.reset(seed.into()).unwrap();
            for expected in [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3]] {
                assert_eq!(env.typed_observation(), expected.map(|n: u8| n + seed).as_slice().into());
                env.step(0).unwrap();
            }
        }
        let space = env.observation_space();
        assert_eq!((env.obs_dim(), space.to_string().as_str()), (3, "[3] of u8"));
        assert_eq!(env.action_mask(), Some(&[true][..]));
        assert_eq!(stack_frames(Box::new(Counter([0])), 1).obs_dim(), 1);
    }
}
