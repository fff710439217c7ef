//! What is trained: a network for images, or one for text that carries a state from batch to batch.

use alrao_core::Error;
use alrao_core::layers::{Body, LstmState};
use alrao_core::network::{Network, Pass};
use alrao_core::parameters::Weights;
use alrao_core::recorded::Recordings;
use tch::Tensor;

use crate::networks::{ImageModel, LanguageModel};

/// A body of either kind.
#[derive(Clone)]
pub enum Model {
    /// Of images, `[B, 3, S, S]` u8.
    Image(ImageModel),
    /// Of texts, `[T, B]`.
    Text(LanguageModel),
}

impl Model {
    /// Features of a batch, `[B, H]` or `[T*B, H]`, that goes on from `state` if the model has one; and the state after.
    pub fn forward_from(
        &self,
        weights: &Weights,
        x: &Tensor,
        state: Option<&LstmState>,
    ) -> (Tensor, Option<LstmState>) {
        match self {
            Model::Image(model) => (model.forward(weights, x), None),
            Model::Text(model) => {
                let (z, state) = model.forward_from(weights, x, state);
                (z, Some(state))
            }
        }
    }
}

/// A pass to learn from that goes on from `state` if the model has one; and the state after, which holds until the next pass.
pub fn pass_from(
    network: &Network<Model>,
    recordings: &mut Recordings,
    x: &Tensor,
    state: Option<&LstmState>,
) -> (Pass, Option<LstmState>) {
    let inputs: Vec<&Tensor> = [x].into_iter().chain(state.into_iter().flat_map(|(h, c)| [h, c])).collect();
    let (pass, after) = recordings.pass(network, &inputs, |model, weights, inputs| {
        let (z, after) = model.forward_from(weights, inputs[0], state_of(&inputs[1..]).as_ref());
        [z].into_iter().chain(after.into_iter().flat_map(|(h, c)| [h, c])).collect()
    });
    (pass, state_of(&after.iter().collect::<Vec<_>>()))
}

/// The state that these are the parts of, if there are any.
fn state_of(parts: &[&Tensor]) -> Option<LstmState> {
    match parts {
        [h, c] => Some((h.shallow_clone(), c.shallow_clone())),
        _ => None,
    }
}

impl Body for Model {
    fn features(&self) -> i64 {
        match self {
            Model::Image(model) => model.features(),
            Model::Text(model) => model.features(),
        }
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        match self {
            Model::Image(model) => model.check(x),
            Model::Text(model) => model.check(x),
        }
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        self.forward_from(weights, x, None).0
    }
}
