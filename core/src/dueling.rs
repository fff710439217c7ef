//! Dueling heads (Wang et al., 2016): a state value and the advantages of actions, each from half of the features, add
//! up to `q_i = v + adv_i - mean(adv)` (their Equation 9).
//!
//! The outputs are linear in the features. So a dueling head is a linear head whose matrix and bias are recomputed for
//! each pass from the two streams' parameters.

use tch::{Kind, Tensor};

use crate::parameters::{Init, ParameterBuilder, ParameterId, Weights};

/// K dueling heads. The value uses the first half of the features, rounded up; the advantages use the others.
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
    /// Adds the parameters of `k` heads, one unit each, to the builder.
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

    /// Computes the matrix from features to outputs, `[K*A, H]`.
    pub fn matrix(&self, weights: &Weights) -> Tensor {
        let of_value = weights[self.value].expand([-1, self.outputs, -1], false);
        Tensor::cat(&[of_value, centered(&weights[self.advantages])], 2).flatten(0, 1)
    }

    /// Computes the bias of the outputs, `[K*A]`.
    pub fn bias(&self, weights: &Weights) -> Tensor {
        (&weights[self.value_bias] + centered(&weights[self.advantage_bias])).flatten(0, 1)
    }

    /// Writes the gradient with respect to each parameter to `grads`, from the gradients with respect to the matrix,
    /// `[K*A, H]`, and the bias, `[K*A]`.
    pub fn write_gradient(&self, of_matrix: &Tensor, of_bias: &Tensor, grads: &Weights) {
        let of_matrix = of_matrix.view([self.k, self.outputs, -1]);
        let of_value = grads[self.value].size()[2];
        let (first, rest) = (of_matrix.narrow(2, 0, of_value), of_matrix.slice(2, of_value, None, 1));
        let of_bias = of_bias.view([self.k, self.outputs]);
        let write = |id: ParameterId, gradient: Tensor| grads[id].shallow_clone().copy_(&gradient);
        write(self.value, first.sum_dim_intlist([1].as_slice(), true, None::<Kind>));
        write(self.advantages, centered(&rest));
        write(self.value_bias, of_bias.sum_dim_intlist([1].as_slice(), true, None::<Kind>));
        write(self.advantage_bias, centered(&of_bias));
    }
}

/// Subtracts the mean over outputs from a tensor, `[K, A, ..]`.
fn centered(tensor: &Tensor) -> Tensor {
    tensor - tensor.mean_dim([1].as_slice(), true, None::<Kind>)
}
