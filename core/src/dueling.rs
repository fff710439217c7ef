//! Dueling outputs (Wang et al. 2016): the value of a state and the advantages of its actions are told apart, each
//! read from features of its own, and added up as `q_i = v + adv_i - mean(adv)` (their Equation 9).
//!
//! All of it is linear in the features, so an output layer of two streams is an ordinary one whose matrix and bias are
//! put together anew for each pass: everything that holds for the heads goes on holding.

use tch::{Kind, Tensor};

use crate::parameters::{Init, ParameterBuilder, ParameterId, Weights};

/// K output layers of two streams over the same features: the first half of them, and one more if their number is odd,
/// tells the value, the others the advantages.
#[derive(Clone, Debug)]
pub(crate) struct Dueling {
    k: i64,
    outputs: i64,
    /// `[K, 1, H_v]`
    value: ParameterId,
    /// `[K, A, H_a]`
    advantages: ParameterId,
    /// `[K, 1]`
    value_bias: ParameterId,
    /// `[K, A]`
    advantage_bias: ParameterId,
}

impl Dueling {
    /// Adds the parameters of `k` units to the builder.
    pub fn new(builder: &mut ParameterBuilder, k: i64, features: i64, outputs: i64) -> Self {
        let (of_value, of_advantages) = (features - features / 2, features / 2);
        let init =
            |inputs: i64| if inputs > 0 { Init::Uniform((inputs as f64).powf(-0.5)) } else { Init::Constant(0.0) };
        let value = builder.add("value.weight", &[k, 1, of_value], init(of_value));
        let advantages = builder.add("advantages.weight", &[k, outputs, of_advantages], init(of_advantages));
        let value_bias = builder.add("value.bias", &[k, 1], init(of_value));
        let advantage_bias = builder.add("advantages.bias", &[k, outputs], init(of_advantages));
        builder.add_units(
            k,
            &[(value, of_value), (advantages, outputs * of_advantages), (value_bias, 1), (advantage_bias, outputs)],
        );
        Dueling { k, outputs, value, advantages, value_bias, advantage_bias }
    }

    /// The matrix from features to outputs, `[K*A, H]`.
    pub fn matrix(&self, weights: &Weights) -> Tensor {
        let of_value = weights[self.value].expand([-1, self.outputs, -1], false);
        Tensor::cat(&[of_value, centered(&weights[self.advantages])], 2).flatten(0, 1)
    }

    /// What is added to the outputs, `[K*A]`.
    pub fn bias(&self, weights: &Weights) -> Tensor {
        (&weights[self.value_bias] + centered(&weights[self.advantage_bias])).flatten(0, 1)
    }

    /// Writes the gradient with respect to each parameter on that `of` it, from the one with respect to matrix,
    /// `[K*A, H]`, and bias, `[K*A]`.
    pub fn write_gradient(&self, of_matrix: &Tensor, of_bias: &Tensor, of: &Weights) {
        let of_matrix = of_matrix.view([self.k, self.outputs, -1]);
        let of_value = of[self.value].size()[2];
        let (first, rest) = (of_matrix.narrow(2, 0, of_value), of_matrix.slice(2, of_value, None, 1));
        let of_bias = of_bias.view([self.k, self.outputs]);
        let write = |id: ParameterId, gradient: Tensor| of[id].shallow_clone().copy_(&gradient);
        write(self.value, first.sum_dim_intlist([1].as_slice(), true, None::<Kind>));
        write(self.advantages, centered(&rest));
        write(self.value_bias, of_bias.sum_dim_intlist([1].as_slice(), true, None::<Kind>));
        write(self.advantage_bias, centered(&of_bias));
    }
}

/// What of a tensor `[K, A, ..]` differs from the mean over its outputs.
fn centered(tensor: &Tensor) -> Tensor {
    tensor - tensor.mean_dim([1].as_slice(), true, None::<Kind>)
}
