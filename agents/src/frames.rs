//! Observations of a replay buffer in checkpoints: [`Frames`].

use alrao_core::Error;
use alrao_core::state_dict::{Numbers, StateDict};
use alrao_envs::{ObservationBuffer, ObservationDtype};
use tch::Kind;

/// Observations that a checkpoint can hold without a copy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Frames(pub ObservationBuffer);

impl Frames {
    /// Reads the vector with this name and length.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`], [`Error::TensorDtype`].
    pub fn load(dtype: ObservationDtype, name: &str, len: i64, tensors: &StateDict) -> Result<Self, Error> {
        Ok(Frames(match dtype {
            ObservationDtype::F32 => ObservationBuffer::F32(tensors.get_vec(name, len)?),
            ObservationDtype::U8 => ObservationBuffer::U8(tensors.get_vec(name, len)?),
            ObservationDtype::Bool => ObservationBuffer::Bool(tensors.get_vec(name, len)?),
        }))
    }

    fn numbers(&self) -> &dyn Numbers {
        match &self.0 {
            ObservationBuffer::F32(values) => values,
            ObservationBuffer::U8(values) => values,
            ObservationBuffer::Bool(values) => values,
        }
    }
}

impl Numbers for Frames {
    fn kind(&self) -> Kind {
        self.numbers().kind()
    }

    fn bytes(&self) -> &[u8] {
        self.numbers().bytes()
    }
}
