//! K copies of the output layer (paper, section 4.4), in one tensor and one product each way.
//!
//! `out_j = z W_j^T + b_j` for each head j, with `W: [K, A, H]`, `b: [K, A]`. The gradients are written out, because
//! a head learns from its own loss and the body from the mixture's: the same outputs are differentiated twice.
//! Each head is one unit, so that the optimizer treats it like any other.

use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::parameters::{ParameterBuilder, ParameterId, Parameters};
use crate::streams::Stream;

/// K output layers over the same features.
#[derive(Debug)]
pub struct Heads {
    k: i64,
    outputs: i64,
    features: i64,
    parameters: Parameters,
    weight: ParameterId,
    bias: ParameterId,
}

impl Heads {
    /// `k` heads with `outputs` outputs each, every one with initial values of its own.
    ///
    /// # Errors
    /// [`Error::NoHeads`] if `k` is 0.
    pub fn new(k: i64, features: i64, outputs: i64, rng: &mut Stream, device: Device) -> Result<Self, Error> {
        if k < 1 {
            return Err(Error::NoHeads);
        }
        let bound = (features as f64).powf(-0.5);
        let mut builder = ParameterBuilder::new(rng);
        let units = builder.claim_units(k as usize);
        let weight = builder.uniform("weight", &[k, outputs, features], bound, units, (outputs * features) as usize);
        let bias = builder.uniform("bias", &[k, outputs], bound, units, outputs as usize);
        Ok(Heads { k, outputs, features, parameters: builder.finish(device), weight, bias })
    }

    /// How many heads there are, K.
    pub fn k(&self) -> i64 {
        self.k
    }

    /// How many outputs each head has, A.
    pub fn outputs(&self) -> i64 {
        self.outputs
    }

    /// The parameters; unit j is head j.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(crate) fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// Every head's outputs, `[B, H] -> [K, B, A]`.
    pub fn forward(&self, z: &Tensor) -> Tensor {
        let out = z.linear(&self.matrix(), Some(&self.parameters.weights()[self.bias].flatten(0, 1))); // [B, K*A]
        out.view([-1, self.k, self.outputs]).permute([1, 0, 2])
    }

    /// The flat gradient with respect to the parameters, `[P]`, from features `[B, H]` and the gradient with respect
    /// to the outputs, `[K, B, A]`.
    pub fn parameter_gradient(&self, z: &Tensor, gradient: &Tensor) -> Tensor {
        let gradient = self.by_sample(gradient); // [B, K*A]
        let weight = gradient.tr().matmul(z); // [K*A, H]
        let bias = gradient.sum_dim_intlist([0].as_slice(), false, None::<Kind>); // [K*A]
        Tensor::cat(&[weight.flatten(0, 1), bias], 0)
    }

    /// The gradient with respect to the features, `[B, H]`, from the gradient with respect to the outputs,
    /// `[K, B, A]`.
    pub fn feature_gradient(&self, gradient: &Tensor) -> Tensor {
        self.by_sample(gradient).matmul(&self.matrix())
    }

    /// A copy that shares nothing.
    pub fn copy(&self) -> Self {
        Heads { parameters: self.parameters.copy(), ..*self }
    }

    /// The weights of all heads as one matrix, `[K*A, H]`.
    fn matrix(&self) -> Tensor {
        self.parameters.weights()[self.weight].view([self.k * self.outputs, self.features])
    }

    /// `[K, B, A] -> [B, K*A]`
    fn by_sample(&self, gradient: &Tensor) -> Tensor {
        gradient.permute([1, 0, 2]).reshape([-1, self.k * self.outputs])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::stream;

    fn sample() -> (Heads, Tensor) {
        let heads = Heads::new(3, 4, 2, &mut stream(0, "weights"), Device::Cpu).unwrap();
        let z = Tensor::from_slice(&(0..20).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>()).view([5, 4]);
        (heads, z)
    }

    #[test]
    fn each_head_is_an_ordinary_layer() {
        let (heads, z) = sample();
        let out = heads.forward(&z);
        assert_eq!(out.size(), [3, 5, 2]);
        for j in 0..3 {
            let (w, b) =
                (heads.parameters.weights()[heads.weight].get(j), heads.parameters.weights()[heads.bias].get(j));
            assert!((out.get(j) - (z.matmul(&w.tr()) + b)).abs().max().double_value(&[]) < 1e-6);
        }
    }

    #[test]
    fn gradients_equal_autograds() {
        let (heads, z) = sample();
        let z = z.set_requires_grad(true);
        let (leaf, weights) = heads.parameters.leaf();
        let out = z.unsqueeze(0).matmul(&weights[heads.weight].transpose(1, 2)) + weights[heads.bias].unsqueeze(1);
        let gradient = Tensor::from_slice(&(0..30).map(|i| (i as f32).cos()).collect::<Vec<_>>()).view([3, 5, 2]);
        let expected = Tensor::run_backward(&[(out * &gradient).sum(Kind::Float)], &[&leaf, &z], false, false);
        let z = z.detach();
        let found = [heads.parameter_gradient(&z, &gradient), heads.feature_gradient(&gradient)];
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.size(), expected.size());
            assert!((found - expected).abs().max().double_value(&[]) < 1e-5);
        }
    }

    #[test]
    fn no_heads_is_an_error() {
        assert!(matches!(Heads::new(0, 4, 2, &mut stream(0, "weights"), Device::Cpu), Err(Error::NoHeads)));
    }
}
