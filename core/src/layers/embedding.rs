//! A table of vectors, `W: [V, D]`: the n-th row is the vector of symbol n.
//!
//! Its units are its D dimensions. A symbol chooses a row, and a dimension is what a unit of any other layer is: one
//! number of the output, computed from weights of its own.

use tch::Tensor;

use crate::parameters::{Init, ParameterBuilder, ParameterId, Weights};

/// An embedding of symbols.
#[derive(Clone, Debug)]
pub struct Embedding {
    weight: ParameterId,
}

impl Embedding {
    /// A table of `symbols` vectors of `dimensions` numbers each, normal with mean 0 and deviation 1, as PyTorch has
    /// them.
    pub fn new(builder: &mut ParameterBuilder, symbols: i64, dimensions: i64) -> Self {
        let weight = builder.add("weight", &[symbols, dimensions], Init::Normal(1.0));
        builder.add_units(dimensions, &[(weight, 1)]);
        Embedding { weight }
    }

    /// Vectors of symbols, `[..] i64 -> [.., D]`.
    pub fn forward(&self, weights: &Weights, symbols: &Tensor) -> Tensor {
        Tensor::embedding(&weights[self.weight], symbols, -1, false, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::build;

    #[test]
    fn symbols_become_rows_and_columns_are_units() {
        let (layer, parameters) = build(|b| Embedding::new(b, 4, 3));
        let table = parameters.theta().view([4, 3]);
        let y = layer.forward(parameters.weights(), &Tensor::from_slice(&[2i64, 0, 2, 3]).view([2, 2]));
        assert_eq!(y.size(), [2, 2, 3]);
        for (at, symbol) in [([0, 0], 2), ([0, 1], 0), ([1, 0], 2), ([1, 1], 3)] {
            assert_eq!(y.get(at[0]).get(at[1]), table.get(symbol));
        }
        assert_eq!(parameters.unit_of_element(), [0, 1, 2].repeat(4));
    }
}
