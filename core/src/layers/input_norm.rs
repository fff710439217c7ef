//! Normalization of inputs to mean 0 and standard deviation 1, feature by feature. The caller sets the statistics.
//!
//! Without it, a feature with values around 0.07 has almost no influence compared with a feature around 1, at any
//! learning rate.

use std::rc::Rc;

use tch::Tensor;

use super::{Backward, Body, Module};
use crate::Error;
use crate::parameters::{BufferId, ParameterBuilder, Weights};
use crate::slices::{Scalar, simd_dispatch, sliceable, with_slices};

/// A body with normalized inputs, or with inputs that need no normalization. Clones share the body, which stores only
/// indices of weights.
#[derive(Clone)]
pub struct NormalizedBody {
    inputs: i64,
    input_norm: Option<InputNorm>,
    body: Rc<dyn Body>,
}

impl NormalizedBody {
    /// Creates the body made by `body` with a normalization of its `inputs` features, which is the identity until its
    /// statistics are set.
    pub fn new<B: Body + 'static>(
        builder: &mut ParameterBuilder,
        inputs: i64,
        body: impl FnOnce(&mut ParameterBuilder) -> B,
    ) -> Self {
        let input_norm = Some(builder.scope("inputs", |b| InputNorm::new(b, inputs)));
        NormalizedBody { inputs, input_norm, body: Rc::new(body(builder)) }
    }

    /// Creates the body made by `body` for `inputs` features that stay as they are, as pixels.
    pub fn without_norm<B: Body + 'static>(
        builder: &mut ParameterBuilder,
        inputs: i64,
        body: impl FnOnce(&mut ParameterBuilder) -> B,
    ) -> Self {
        NormalizedBody { inputs, input_norm: None, body: Rc::new(body(builder)) }
    }

    /// Returns the normalization of the inputs, if there is one.
    pub fn input_norm(&self) -> Option<&InputNorm> {
        self.input_norm.as_ref()
    }

    /// `[B, I] -> [B, I]`
    fn normalized(&self, weights: &Weights, x: &Tensor) -> Tensor {
        self.input_norm.as_ref().map_or_else(|| x.shallow_clone(), |norm| norm.forward(weights, x))
    }
}

impl Body for NormalizedBody {
    fn features(&self) -> i64 {
        self.body.features()
    }

    fn check(&self, x: &Tensor) -> Result<(), Error> {
        Error::check_shape("inputs", &[-1, self.inputs], x)?;
        self.body.check(x)
    }

    /// Normalizes the inputs and runs the body, `[B, I] -> [B, H]`.
    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        self.body.forward(weights, &self.normalized(weights, x))
    }

    fn forward_with_backward(&self, weights: &Weights, x: &Tensor) -> Option<(Tensor, Backward)> {
        self.body.forward_with_backward(weights, &self.normalized(weights, x))
    }

    fn same_in_train_and_eval(&self) -> bool {
        self.body.same_in_train_and_eval()
    }

    fn modules(&self, weights: &Weights) -> Option<Vec<Module>> {
        let norm = self.input_norm.iter().map(|norm| norm.module(weights));
        Some(norm.chain(self.body.modules(weights)?).collect())
    }
}

/// Input normalization, `(x - mean) / std`. `mean` and `std` are buffers, `[I]`.
#[derive(Clone, Debug)]
pub struct InputNorm {
    mean: BufferId,
    std: BufferId,
}

impl InputNorm {
    /// Creates a layer over `features` features, with mean 0 and standard deviation 1.
    pub fn new(builder: &mut ParameterBuilder, features: i64) -> Self {
        InputNorm { mean: builder.buffer("mean", &[features], 0.0), std: builder.buffer("std", &[features], 1.0) }
    }

    /// Normalizes a batch, `[B, I] -> [B, I]`.
    pub fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let (mean, std) = (weights.buffer(self.mean), weights.buffer(self.std));
        simd_dispatch!(normalize_rows(x, mean, std)).unwrap_or_else(|| (x - mean).g_div_(std))
    }

    /// Describes the layer, for [`Body::modules`].
    pub fn module(&self, weights: &Weights) -> Module {
        let buffer = |id| weights.buffer(id).shallow_clone();
        Module::Normalize { mean: buffer(self.mean), std: buffer(self.std) }
    }

    /// Sets mean and standard deviation, `[I]` each. A feature with standard deviation 0 is only centered.
    pub fn set(&self, weights: &Weights, mean: &[f64], std: &[f64]) {
        let divisors: Vec<f64> = std.iter().map(|&std| if std > 0.0 { std } else { 1.0 }).collect();
        weights.buffer(self.mean).shallow_clone().copy_(&Tensor::from_slice(mean));
        weights.buffer(self.std).shallow_clone().copy_(&Tensor::from_slice(&divisors));
    }
}

#[inline(always)]
fn normalize_rows<T: Scalar>(x: &Tensor, mean: &Tensor, std: &Tensor) -> Option<Tensor> {
    sliceable::<T>(x)?;
    let mut y = x.empty_like();
    with_slices::<T, _, _, _>(
        [&mut y],
        [x, mean, std],
        #[inline(always)]
        |[y], [x, mean, std]| {
            for (y, x) in y.chunks_exact_mut(mean.len()).zip(x.chunks_exact(mean.len())) {
                let statistics = mean.iter().zip(std);
                y.iter_mut().zip(x).zip(statistics).for_each(|((y, &x), (&mean, &std))| *y = (x - mean) / std);
            }
        },
    )?;
    Some(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::via_libtorch;
    use crate::layers::Mlp;
    use crate::layers::tests::{assert_close, build, numbers};

    #[test]
    fn inputs_are_unchanged_until_statistics_are_set() {
        let (layer, parameters) = build(|b| InputNorm::new(b, 3));
        let x = numbers(&[4, 3]);
        assert_close(&layer.forward(parameters.weights(), &x), &x, 1e-7);
        layer.set(parameters.weights(), &[1.0, -2.0, 0.5], &[0.1, 0.0, 4.0]);
        let expected = (&x - Tensor::from_slice(&[1.0f32, -2.0, 0.5])) / Tensor::from_slice(&[0.1f32, 1.0, 4.0]);
        assert_close(&layer.forward(parameters.weights(), &x), &expected, 1e-5);
        assert_close(&via_libtorch(|| layer.forward(parameters.weights(), &x)), &expected, 1e-5);
    }

    #[test]
    fn a_normalized_body_runs_on_normalized_inputs() {
        let mlp = |b: &mut ParameterBuilder| Mlp::new(b, 3, &[5, 4], 1.0);
        let ((body, parameters), (alone, of_alone)) = (build(|b| NormalizedBody::new(b, 3, mlp)), build(mlp));
        assert_eq!(parameters.theta(), of_alone.theta());
        body.input_norm().unwrap().set(parameters.weights(), &[0.5, 0.0, -0.1], &[0.3, 1.0, 2.0]);
        let (x, gradient) = (numbers(&[6, 3]), numbers(&[6, 4]).cos());
        let inner = (&x - Tensor::from_slice(&[0.5f32, 0.0, -0.1])) / Tensor::from_slice(&[0.3f32, 1.0, 2.0]);
        let (z, backward) = body.forward_with_backward(parameters.weights(), &x).unwrap();
        let (expected, alone_backward) = alone.forward_with_backward(of_alone.weights(), &inner).unwrap();
        assert_close(&z, &expected, 1e-6);
        assert_close(&body.forward(parameters.weights(), &x), &expected, 1e-6);
        let ((flat, of), (expected, of_expected)) = (parameters.grad_buffer(), of_alone.grad_buffer());
        backward(gradient.copy(), &of);
        alone_backward(gradient, &of_expected);
        assert_close(&flat, &expected, 1e-5);
        assert!(body.same_in_train_and_eval() && body.features() == 4);
        assert!(body.check(&numbers(&[6, 2])).unwrap_err().to_string().contains("[-1, 3]"));
    }
}
