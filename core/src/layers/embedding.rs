//! Embedding: `W: [V, D]`, whose row n is the vector of token n.
//!
//! The units are its D dimensions: as in other layers, a unit is one output feature with its own weights.

use tch::Tensor;

use crate::parameters::{Init, ParameterBuilder, ParameterId, Weights};

/// An embedding of tokens.
#[derive(Clone, Debug)]
pub struct Embedding {
    weight: ParameterId,
}

impl Embedding {
    /// Creates an embedding of `num_tokens` tokens in `dim` dimensions. Initial values are standard normal, as in
    /// PyTorch.
    pub fn new(builder: &mut ParameterBuilder, num_tokens: i64, dim: i64) -> Self {
        let weight = builder.add("weight", &[num_tokens, dim], Init::Normal(1.0));
        builder.add_units(dim, &[(weight, 1)]);
        Embedding { weight }
    }

    /// Looks up the vectors of tokens, `[..] i64 -> [.., D]`.
    pub fn forward(&self, weights: &Weights, tokens: &Tensor) -> Tensor {
        Tensor::embedding(&weights[self.weight], tokens, -1, false, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::build;

    #[test]
    fn tokens_select_rows_and_columns_are_units() {
        let (layer, parameters) = build(|b| Embedding::new(b, 4, 3));
        let table = parameters.theta().view([4, 3]);
        let y = layer.forward(parameters.weights(), &Tensor::from_slice(&[2i64, 0, 2, 3]).view([2, 2]));
        assert_eq!(y.size(), [2, 2, 3]);
        for (at, token) in [([0, 0], 2), ([0, 1], 0), ([1, 0], 2), ([1, 1], 3)] {
            assert_eq!(y.get(at[0]).get(at[1]), table.get(token));
        }
        assert_eq!(parameters.unit_of_element(), [0, 1, 2].repeat(4));
    }
}
