//! A copy of an environment in a worker as an [`Environment`]: [`GymnasiumEnv`].

use std::sync::Arc;

use super::pool::Pool;
use super::worker::{Answer, Call, GivenSpace, Request};
use crate::{
    Environment, EnvironmentError, ObservationBuffer, ObservationDtype, ObservationRef, ObservationShape,
    ObservationSpace, Physics, RenderState, RgbRenderState, Step,
};

/// An environment of Gymnasium, in a Python process that it shares with other copies.
#[derive(Debug)]
pub struct GymnasiumEnv {
    pool: Arc<Pool>,
    copy: usize,
    space: ObservationSpace,
    num_actions: usize,
    observation: ObservationBuffer,
    mask: Option<Vec<bool>>,
    /// steps since the reset; none before the first
    steps: Option<u64>,
    /// a step whose request was queued
    begun: Option<Request>,
}

impl GymnasiumEnv {
    pub(super) fn new(pool: Arc<Pool>) -> Result<Self, EnvironmentError> {
        let greeting = pool.greeting()?;
        let space = space_of(&greeting.space);
        let num_actions = greeting.actions;
        let observation = ObservationBuffer::zeros(space.dtype, space.len());
        let copy = pool.add_copy()?;
        Ok(Self { pool, copy, space, num_actions, observation, mask: None, steps: None, begun: None })
    }

    fn request(&self, call: Call) -> Request {
        Request { copy: self.copy, call }
    }

    fn queue_step(&mut self, action: usize) -> Request {
        let request = self.request(Call::Step { action, step: self.steps.unwrap_or_default() + 1 });
        self.pool.queue(request);
        request
    }

    /// Returns the step of an answer and takes its observation and mask.
    fn answer(&mut self, request: &Request) -> Result<Step, EnvironmentError> {
        let Self { pool, observation, mask, .. } = self;
        pool.answer(request, |answer: &mut Answer| {
            decode(&answer.observation, observation);
            *mask = answer.mask.take();
            answer.step()
        })
    }
}

impl Environment for GymnasiumEnv {
    fn obs_dim(&self) -> usize {
        self.space.len()
    }

    fn observation_space(&self) -> ObservationSpace {
        self.space
    }

    fn num_actions(&self) -> usize {
        self.num_actions
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        if let Some(begun) = self.begun.take() {
            self.answer(&begun)?;
        }
        let request = self.request(Call::Reset { seed });
        self.pool.queue(request);
        self.answer(&request)?;
        self.steps = Some(0);
        Ok(())
    }

    fn begin_step(&mut self, action: usize) -> Option<Physics<'_>> {
        self.begun = Some(self.queue_step(action));
        None
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        let request = match self.begun.take() {
            Some(begun) => begun,
            None => self.queue_step(action),
        };
        let step = self.answer(&request)?;
        self.steps = self.steps.map(|steps| steps + 1);
        Ok(step)
    }

    fn observation(&self) -> &[f32] {
        match &self.observation {
            ObservationBuffer::F32(values) => values,
            _ => &[],
        }
    }

    fn typed_observation(&self) -> ObservationRef<'_> {
        self.observation.as_ref()
    }

    fn action_mask(&self) -> Option<&[bool]> {
        self.mask.as_deref()
    }

    fn render_state(&self) -> Option<RenderState> {
        let request = self.request(Call::Render { step: self.steps? });
        self.pool.queue(request);
        let frame = self.pool.answer(&request, |answer| std::mem::take(&mut answer.message)).ok()?;
        let (size, rgb) = frame.split_at_checked(8)?;
        let side = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("4 bytes")).try_into().ok();
        let (height, width) = (side(&size[..4])?, side(&size[4..])?);
        Some(RenderState::Rgb(RgbRenderState { width, height, rgb: rgb.into() }))
    }
}

impl Drop for GymnasiumEnv {
    fn drop(&mut self) {
        self.pool.queue(self.request(Call::Close));
        self.pool.remove_copy(self.copy);
    }
}

/// Writes an observation's bytes as values.
fn decode(bytes: &[u8], observation: &mut ObservationBuffer) {
    match observation {
        ObservationBuffer::F32(values) => {
            let (numbers, _) = bytes.as_chunks();
            values.iter_mut().zip(numbers).for_each(|(value, &number)| *value = f32::from_le_bytes(number));
        }
        ObservationBuffer::U8(values) => values.copy_from_slice(bytes),
        ObservationBuffer::Bool(values) => values.iter_mut().zip(bytes).for_each(|(value, &byte)| *value = byte != 0),
    }
}

/// Returns the space of a `Box`. Three dimensions are an image, with channels last unless the first dimension is the
/// smallest, and so are two dimensions of bytes or flags, of one channel; anything else is a vector.
fn space_of(GivenSpace { shape, dtype }: &GivenSpace) -> ObservationSpace {
    let shape = match shape[..] {
        [channels, height, width] if channels < height.min(width) => {
            ObservationShape::ChannelsFirst([channels, height, width])
        }
        [height, width, channels] => ObservationShape::ChannelsLast([height, width, channels]),
        [height, width] if *dtype != ObservationDtype::F32 => ObservationShape::OneChannel([height, width]),
        _ => ObservationShape::Vector(shape.iter().product()),
    };
    ObservationSpace { shape, dtype: *dtype }
}
