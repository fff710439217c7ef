//! K copies of the output layer (paper, section 4.4), in one tensor and one product each way.
//!
//! `out_j = z W_j^T + b_j` for each head j, with `W: [K, A, H]`, `b: [K, A]`. The gradients are written out, because
//! a head learns from its own loss and the body from the mixture's: the same outputs are differentiated twice.
//! Each head is one unit, so that the optimizer treats it like any other.

use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::parameters::{Init, ParameterBuilder, ParameterId, Parameters, Weights};
use crate::streams::{Stream, stream};

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
    pub fn new(
        k: i64,
        features: i64,
        outputs: i64,
        rng: &mut Stream,
        (kind, device): (Kind, Device),
    ) -> Result<Self, Error> {
        if k < 1 {
            return Err(Error::NoHeads);
        }
        let bound = (features as f64).powf(-0.5);
        let mut builder = ParameterBuilder::new(rng);
        let weight = builder.add("weight", &[k, outputs, features], Init::Uniform(bound));
        let bias = builder.add("bias", &[k, outputs], Init::Uniform(bound));
        builder.claim(k, &[(weight, outputs * features), (bias, outputs)]);
        Ok(Heads { k, outputs, features, parameters: builder.finish(device, kind)?, weight, bias })
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

    /// Every head's outputs, `[B, H] -> [K, B, A]`: the heads of a sample lie side by side in memory.
    pub fn forward(&self, z: &Tensor) -> Tensor {
        let weights = self.parameters.weights();
        let out = z.linear(&self.matrix(weights), Some(&weights[self.bias].view([-1]))); // [B, K*A]
        out.view([-1, self.k, self.outputs]).permute([1, 0, 2])
    }

    /// The outputs' mean under the averaging weights `a`, `[K]`: `[B, H] -> [B, A]`. It is the output of the mean layer.
    pub fn mean(&self, z: &Tensor, a: &Tensor) -> Tensor {
        let mean = |id: ParameterId| {
            let stacked = self.parameters.weights()[id].view([self.k, -1]);
            if self.k == 1 { stacked } else { a.unsqueeze(0).mm(&stacked) }
        };
        z.linear(&mean(self.weight).view([self.outputs, self.features]), Some(&mean(self.bias).view([-1])))
    }

    /// Writes the gradient with respect to each parameter on that `of` it, from features `[B, H]` and the gradient with
    /// respect to the outputs, `[K, B, A]`.
    pub fn parameter_gradient(&self, z: &Tensor, gradient: &Tensor, of: &Weights) {
        let gradient = self.by_sample(gradient); // [B, K*A]
        let _ = gradient.tr().mm_out(&self.matrix(of), z);
        let _ = gradient.sum_intlist_out(&of[self.bias].view([-1]), [0].as_slice(), false, None);
    }

    /// The gradient with respect to the features, `[B, H]`, from the gradient with respect to the outputs,
    /// `[K, B, A]`. If only some heads are `sound`, `[K]` bool, it comes from these.
    pub fn feature_gradient(&self, gradient: &Tensor, sound: Option<&Tensor>) -> Tensor {
        let mut matrix = self.matrix(self.parameters.weights());
        if let Some(sound) = sound {
            let rows = sound.repeat_interleave_self_int(self.outputs, 0, None).unsqueeze(1); // [K*A, 1]
            matrix = matrix.where_scalarother(&rows, 0.0);
        }
        self.by_sample(gradient).mm(&matrix)
    }

    /// Forgets all heads but head `j`; the flat indices that its parameters had, `[P']`.
    pub(crate) fn keep_only(&mut self, j: i64) -> Tensor {
        let (per_head, device) = (self.outputs * self.features, self.parameters.theta().device());
        let range = |start: i64, len: i64| Tensor::arange_start(start, start + len, (Kind::Int64, device));
        let biases = self.k * per_head;
        let indices = Tensor::cat(&[range(j * per_head, per_head), range(biases + j * self.outputs, self.outputs)], 0);
        let mut rng = stream(0, "overwritten");
        let kind = self.parameters.theta().kind();
        let one = Heads::new(1, self.features, self.outputs, &mut rng, (kind, device)).expect("one head");
        one.parameters.theta().shallow_clone().copy_(&self.parameters.theta().index_select(0, &indices));
        *self = one;
        indices
    }

    /// A copy that shares nothing.
    pub fn copy(&self) -> Self {
        Heads { parameters: self.parameters.copy(), ..*self }
    }

    /// The weights of all heads, or what is laid out like them, as one matrix, `[K*A, H]`.
    fn matrix(&self, weights: &Weights) -> Tensor {
        weights[self.weight].view([self.k * self.outputs, self.features])
    }

    /// `[K, B, A] -> [B, K*A]`
    fn by_sample(&self, gradient: &Tensor) -> Tensor {
        gradient.permute([1, 0, 2]).reshape([-1, self.k * self.outputs])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Heads, Tensor) {
        let heads = Heads::new(3, 4, 2, &mut stream(0, "weights"), tch::kind::FLOAT_CPU).unwrap();
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
    fn the_mean_layer_gives_the_mean_of_the_outputs() {
        let (heads, z) = sample();
        let a = Tensor::from_slice(&[0.5f32, 0.2, 0.3]);
        let expected = (heads.forward(&z) * a.view([3, 1, 1])).sum_dim_intlist([0].as_slice(), false, None::<Kind>);
        assert!((heads.mean(&z, &a) - expected).abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn a_head_kept_alone_is_as_it_was() {
        let (mut heads, z) = sample();
        let (out, theta) = (heads.forward(&z), heads.parameters.theta().copy());
        let indices = heads.keep_only(1);
        assert_eq!(heads.k(), 1);
        assert_eq!(heads.forward(&z).get(0), out.get(1));
        assert_eq!(heads.parameters.theta(), &theta.index_select(0, &indices));
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
        let (of_parameters, parts) = heads.parameters.gradient();
        heads.parameter_gradient(&z, &gradient, &parts);
        let found = [of_parameters, heads.feature_gradient(&gradient, None)];
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.size(), expected.size());
            assert!((found - expected).abs().max().double_value(&[]) < 1e-5);
        }
    }

    #[test]
    fn no_heads_is_an_error() {
        assert!(matches!(Heads::new(0, 4, 2, &mut stream(0, "weights"), tch::kind::FLOAT_CPU), Err(Error::NoHeads)));
    }
}
