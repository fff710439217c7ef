//! The trained models: an image classifier, or a language model with a recurrent state.

use alrao_core::Error;
use alrao_core::graphed::GraphedPasses;
use alrao_core::layers::{Body, LstmState};
use alrao_core::network::{ForwardPass, Network};
use alrao_core::parameters::Weights;
use tch::Tensor;

use crate::networks::{ImageModel, LanguageModel};

/// The body of a supervised model.
#[derive(Clone)]
pub enum Model {
    /// An image classifier, of `[B, 3, S, S]` u8.
    Image(ImageModel),
    /// A language model, of `[T, B]` symbols.
    Text(LanguageModel),
}

impl Model {
    /// Computes the features of a batch, `[B, H]` or `[T*B, H]`, and the next recurrent state, if the model has one.
    pub fn forward_with_state(
        &self,
        weights: &Weights,
        x: &Tensor,
        state: Option<&LstmState>,
    ) -> (Tensor, Option<LstmState>) {
        match self {
            Model::Image(model) => (model.forward(weights, x), None),
            Model::Text(model) => {
                let (z, state) = model.forward_with_state(weights, x, state);
                (z, Some(state))
            }
        }
    }
}

/// Runs a training pass from `state`, if the model has one, and returns the next state, which is valid until the next pass.
pub fn pass_with_state(
    network: &Network<Model>,
    graphed: &mut GraphedPasses,
    x: &Tensor,
    state: Option<&LstmState>,
) -> (ForwardPass, Option<LstmState>) {
    let inputs: Vec<&Tensor> = [x].into_iter().chain(state.into_iter().flat_map(|(h, c)| [h, c])).collect();
    let (pass, after) = graphed.forward(network, &inputs, |model, weights, inputs| {
        let (z, after) = model.forward_with_state(weights, inputs[0], state_of(&inputs[1..]).as_ref());
        [z].into_iter().chain(after.into_iter().flat_map(|(h, c)| [h, c])).collect()
    });
    (pass, state_of(&after.iter().collect::<Vec<_>>()))
}

/// Returns the state with these parts, if there are any.
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
        self.forward_with_state(weights, x, None).0
    }
}
