//! K output heads (paper, section 4.4), in one tensor and one matrix product each way.
//!
//! `out_j = z W_j^T + b_j` for each head j, with `W: [K, A, H]`, `b: [K, A]`. The gradients are written by hand,
//! because the outputs are differentiated twice: each head uses its own loss, the body the mixture's. For the
//! optimizer, each head is one unit.
//!
//! For dueling heads, `W` and `b` are computed from a value layer's and an advantage layer's parameters. Heads with an
//! adaptive softmax are no matrix product: their outputs are log-probabilities, and autograd differentiates them.

use tch::{Device, Kind, Tensor};

use crate::Error;
use crate::adaptive_softmax::{AdaptiveSoftmax, Cutoffs};
use crate::dueling::Dueling;
use crate::matmul::{linear, matmul, matmul_into};
use crate::parameters::{Init, ParameterBuilder, ParameterId, Parameters, Weights};
use crate::slices::column_sums_into;
use crate::streams::{Stream, stream};

/// K output heads with shared features.
#[derive(Debug)]
pub struct Heads {
    k: i64,
    outputs: i64,
    features: i64,
    parameters: Parameters,
    layer: Layer,
}

/// Output layer of a head, with its number of outputs A. An integer converts to `Linear`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// Linear functions of all features.
    Linear(i64),
    /// A state value from half of the features plus advantages from the other half (Wang et al., 2016).
    Dueling(i64),
    /// Log-probabilities of classes that are ordered by frequency (Grave et al., 2017).
    AdaptiveSoftmax(Cutoffs),
}

impl From<i64> for Outputs {
    fn from(outputs: i64) -> Self {
        Outputs::Linear(outputs)
    }
}

/// Parameters that the heads' outputs are computed from.
#[derive(Clone, Debug)]
enum Layer {
    Linear { weight: ParameterId, bias: ParameterId },
    Dueling(Dueling),
    AdaptiveSoftmax(AdaptiveSoftmax),
}

impl Layer {
    /// Adds the parameters of `k` heads, one unit each, to the builder.
    fn new(builder: &mut ParameterBuilder, k: i64, features: i64, outputs: Outputs) -> Self {
        match outputs {
            Outputs::Linear(outputs) => {
                let bound = Init::Uniform((features as f64).powf(-0.5));
                let weight = builder.add("weight", &[k, outputs, features], bound);
                let bias = builder.add("bias", &[k, outputs], bound);
                builder.add_units(k, &[(weight, outputs * features), (bias, outputs)]);
                Layer::Linear { weight, bias }
            }
            Outputs::Dueling(outputs) => Layer::Dueling(Dueling::new(builder, k, features, outputs)),
            Outputs::AdaptiveSoftmax(cutoffs) => {
                Layer::AdaptiveSoftmax(AdaptiveSoftmax::new(builder, k, features, cutoffs))
            }
        }
    }
}

impl Heads {
    /// Creates `k` heads over `features` features with independent initial weights from `rng`.
    ///
    /// # Errors
    /// [`Error::NoHeads`] if `k` is 0.
    pub fn new(
        k: i64,
        features: i64,
        outputs: impl Into<Outputs>,
        rng: &mut Stream,
        (kind, device): (Kind, Device),
    ) -> Result<Self, Error> {
        if k < 1 {
            return Err(Error::NoHeads);
        }
        let mut builder = ParameterBuilder::new(rng);
        let outputs = outputs.into();
        let layer = Layer::new(&mut builder, k, features, outputs.clone());
        let outputs = match outputs {
            Outputs::Linear(outputs) | Outputs::Dueling(outputs) => outputs,
            Outputs::AdaptiveSoftmax(cutoffs) => cutoffs.classes(),
        };
        Ok(Heads { k, outputs, features, parameters: builder.finish(device, kind)?, layer })
    }

    /// Checks that this machine has the memory to train such heads.
    ///
    /// # Errors
    /// [`Error::Memory`] if it hasn't.
    pub(crate) fn check_memory(k: i64, features: i64, outputs: impl Into<Outputs>) -> Result<(), Error> {
        let mut unused = stream(0, "unused");
        let mut builder = ParameterBuilder::new(&mut unused);
        let _ = Layer::new(&mut builder, k, features, outputs.into());
        builder.check_memory()
    }

    /// Returns the number of heads, K.
    pub fn k(&self) -> i64 {
        self.k
    }

    /// Returns the number of outputs of each head, A.
    pub fn outputs(&self) -> i64 {
        self.outputs
    }

    /// Returns the parameters; unit j is head j.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    pub(crate) fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// Computes the outputs of all heads, `[B, H] -> [K, B, A]`, stored in memory as `[B, K, A]` if they are linear.
    pub fn forward(&self, z: &Tensor) -> Tensor {
        if let Layer::AdaptiveSoftmax(softmax) = &self.layer {
            return softmax.log_probabilities(self.parameters.weights(), z);
        }
        let out = linear(z, &self.matrix(), &self.bias()); // [B, K*A]
        out.view([-1, self.k, self.outputs]).permute([1, 0, 2])
    }

    /// Computes the outputs as [`forward`](Self::forward) does, but none of an adaptive softmax, `[K, B, 0]`: with many
    /// classes, a training step can't afford them.
    pub(crate) fn forward_in_training(&self, z: &Tensor) -> Tensor {
        match self.adaptive_softmax() {
            None => self.forward(z),
            Some(_) => z.new_empty([self.k, z.size()[0], 0], (z.kind(), z.device())),
        }
    }

    /// Computes the mean output under the averaging weights `a`, `[K]`, as the output of the averaged layer:
    /// `[B, H] -> [B, A]`; none unless heads are linear.
    pub fn mean(&self, z: &Tensor, a: &Tensor) -> Option<Tensor> {
        let (weight, bias) = self.averaged(a, false)?;
        Some(linear(z, &weight, &bias))
    }

    /// Computes the averaged layer, `sum_j a_j W_j`, `[A, H]`, and `sum_j a_j b_j`, `[A]`; none unless heads are linear.
    /// `some_excluded`: heads with weight 0 may be non-finite.
    pub fn averaged(&self, a: &Tensor, some_excluded: bool) -> Option<(Tensor, Tensor)> {
        if self.adaptive_softmax().is_some() {
            return None;
        }
        let mean = |stacked: Tensor| {
            if self.k == 1 {
                return stacked;
            }
            let mut by_head = stacked.view([self.k, -1]);
            if some_excluded {
                by_head = by_head.where_scalarother(&a.gt(0.0).unsqueeze(1), 0.0);
            }
            a.unsqueeze(0).mm(&by_head)
        };
        Some((mean(self.matrix()).view([self.outputs, self.features]), mean(self.bias()).view([-1])))
    }

    /// Returns the heads' adaptive softmax, if they have one.
    pub(crate) fn adaptive_softmax(&self) -> Option<&AdaptiveSoftmax> {
        match &self.layer {
            Layer::AdaptiveSoftmax(softmax) => Some(softmax),
            _ => None,
        }
    }

    /// Writes the gradient with respect to each parameter of linear heads to `grads`, from the features, `[B, H]`, and the
    /// gradient with respect to the outputs, `[K, B, A]`.
    ///
    /// # Panics
    /// If heads have an adaptive softmax.
    pub fn parameter_gradient(&self, z: &Tensor, gradient: &Tensor, grads: &Weights) {
        let gradient = self.by_sample(gradient); // [B, K*A]
        match &self.layer {
            Layer::Linear { weight, bias } => {
                matmul_into(&gradient.tr(), z, &grads[*weight].view([-1, self.features]));
                column_sums_into(&gradient, &grads[*bias].view([-1]));
            }
            Layer::Dueling(dueling) => {
                let of_bias = gradient.sum_dim_intlist([0].as_slice(), false, None::<Kind>);
                dueling.write_gradient(&matmul(&gradient.tr(), z), &of_bias, grads);
            }
            Layer::AdaptiveSoftmax(_) => unreachable!("autograd differentiates an adaptive softmax"),
        }
    }

    /// Computes the gradient with respect to the features, `[B, H]`, from that with respect to the outputs of linear heads,
    /// `[K, B, A]`. Only heads in `finite_heads`, `[K]` bool, contribute, if given.
    ///
    /// # Panics
    /// If heads have an adaptive softmax.
    pub fn feature_gradient(&self, gradient: &Tensor, finite_heads: Option<&Tensor>) -> Tensor {
        let mut matrix = self.matrix();
        if let Some(finite_heads) = finite_heads {
            let rows = finite_heads.repeat_interleave_self_int(self.outputs, 0, None).unsqueeze(1); // [K*A, 1]
            matrix = matrix.where_scalarother(&rows, 0.0);
        }
        matmul(&self.by_sample(gradient), &matrix)
    }

    /// Removes all heads but head `j` and returns the flat indices that its parameters had, `[P']`.
    pub(crate) fn prune_to(&mut self, j: i64) -> Tensor {
        let of_head: Vec<i64> = (0..)
            .zip(self.parameters.unit_of_element())
            .filter(|(_, unit)| *unit == j as usize)
            .map(|(e, _)| e)
            .collect();
        let theta = self.parameters.theta();
        let indices = Tensor::from_slice(&of_head).to_device(theta.device());
        let outputs = match &self.layer {
            Layer::Linear { .. } => Outputs::Linear(self.outputs),
            Layer::Dueling(_) => Outputs::Dueling(self.outputs),
            Layer::AdaptiveSoftmax(softmax) => Outputs::AdaptiveSoftmax(softmax.cutoffs().clone()),
        };
        let mut rng = stream(0, "overwritten");
        let one = Heads::new(1, self.features, outputs, &mut rng, (theta.kind(), theta.device())).expect("one head");
        one.parameters.theta().shallow_clone().copy_(&theta.index_select(0, &indices));
        *self = one;
        indices
    }

    /// Returns a deep copy.
    pub fn copy(&self) -> Self {
        Heads { parameters: self.parameters.copy(), layer: self.layer.clone(), ..*self }
    }

    /// Returns the matrix of all heads, `[K*A, H]`.
    fn matrix(&self) -> Tensor {
        let weights = self.parameters.weights();
        match &self.layer {
            Layer::Linear { weight, .. } => weights[*weight].view([-1, self.features]),
            Layer::Dueling(dueling) => dueling.matrix(weights),
            Layer::AdaptiveSoftmax(_) => unreachable!("an adaptive softmax has several matrices"),
        }
    }

    /// Returns the bias of all heads, `[K*A]`.
    fn bias(&self) -> Tensor {
        let weights = self.parameters.weights();
        match &self.layer {
            Layer::Linear { bias, .. } => weights[*bias].view([-1]),
            Layer::Dueling(dueling) => dueling.bias(weights),
            Layer::AdaptiveSoftmax(_) => unreachable!("an adaptive softmax has several matrices"),
        }
    }

    /// Reorders outputs' gradients, `[K, B, A] -> [B, K*A]`.
    fn by_sample(&self, gradient: &Tensor) -> Tensor {
        gradient.permute([1, 0, 2]).reshape([-1, self.k * self.outputs])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(outputs: &Outputs) -> (Heads, Tensor) {
        let heads = Heads::new(3, 4, outputs.clone(), &mut stream(0, "weights"), tch::kind::FLOAT_CPU).unwrap();
        let z = Tensor::from_slice(&(0..20).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>()).view([5, 4]);
        (heads, z)
    }

    const KINDS: [Outputs; 2] = [Outputs::Linear(2), Outputs::Dueling(2)];

    /// Computes the outputs by each head's formula, from parameters in the order they were added.
    fn by_hand(outputs: &Outputs, z: &Tensor, parameters: &[Tensor]) -> Tensor {
        let layer = |z: &Tensor, weight: &Tensor, bias: &Tensor| {
            z.unsqueeze(0).matmul(&weight.transpose(1, 2)) + bias.unsqueeze(1) // [K, B, A]
        };
        match outputs {
            Outputs::Linear(_) => layer(z, &parameters[0], &parameters[1]),
            Outputs::AdaptiveSoftmax(_) => unreachable!("isn't linear"),
            Outputs::Dueling(_) => {
                let value = layer(&z.narrow(1, 0, 2), &parameters[0], &parameters[2]);
                let advantages = layer(&z.narrow(1, 2, 2), &parameters[1], &parameters[3]);
                value + &advantages - advantages.mean_dim([2].as_slice(), true, None::<Kind>)
            }
        }
    }

    /// Returns views of a flat tensor of parameters, in the order they were added.
    fn parts(outputs: &Outputs, theta: &Tensor) -> Vec<Tensor> {
        let shapes: &[&[i64]] = match outputs {
            Outputs::Linear(_) => &[&[3, 2, 4], &[3, 2]],
            Outputs::Dueling(_) => &[&[3, 1, 2], &[3, 2, 2], &[3, 1], &[3, 2]],
            Outputs::AdaptiveSoftmax(_) => unreachable!("isn't linear"),
        };
        let lengths: Vec<i64> = shapes.iter().map(|shape| shape.iter().product()).collect();
        theta.split_with_sizes(&lengths, 0).iter().zip(shapes).map(|(part, shape)| part.view(*shape)).collect()
    }

    fn distance(a: &Tensor, b: &Tensor) -> f64 {
        assert_eq!(a.size(), b.size());
        (a - b).abs().max().double_value(&[])
    }

    #[test]
    fn outputs_match_the_formula() {
        for kind in KINDS {
            let (heads, z) = sample(&kind);
            let expected = by_hand(&kind, &z, &parts(&kind, heads.parameters.theta()));
            assert!(distance(&heads.forward(&z), &expected) < 1e-6, "{kind:?}");
        }
    }

    #[test]
    fn the_averaged_layer_gives_the_mean_output() {
        for kind in KINDS {
            let (heads, z) = sample(&kind);
            let a = Tensor::from_slice(&[0.5f32, 0.2, 0.3]);
            let expected = (heads.forward(&z) * a.view([3, 1, 1])).sum_dim_intlist([0].as_slice(), false, None::<Kind>);
            assert!(distance(&heads.mean(&z, &a).unwrap(), &expected) < 1e-6, "{kind:?}");
        }
    }

    #[test]
    fn pruning_keeps_the_remaining_heads_parameters() {
        for kind in KINDS {
            let (mut heads, z) = sample(&kind);
            let (out, theta) = (heads.forward(&z), heads.parameters.theta().copy());
            let indices = heads.prune_to(1);
            assert_eq!(heads.k(), 1);
            assert!(distance(&heads.forward(&z).get(0), &out.get(1)) < 1e-6, "{kind:?}");
            assert_eq!(heads.parameters.theta(), &theta.index_select(0, &indices));
        }
    }

    #[test]
    fn gradients_match_autograd() {
        for kind in KINDS {
            let (heads, z) = sample(&kind);
            let (theta, z) = (heads.parameters.theta().copy().set_requires_grad(true), z.set_requires_grad(true));
            let gradient = Tensor::from_slice(&(0..30).map(|i| (i as f32).cos()).collect::<Vec<_>>()).view([3, 5, 2]);
            let loss = (by_hand(&kind, &z, &parts(&kind, &theta)) * &gradient).sum(Kind::Float);
            let expected = Tensor::run_backward(&[loss], &[&theta, &z], false, false);
            let (of_parameters, grad_buffer) = heads.parameters.grad_buffer();
            heads.parameter_gradient(&z.detach(), &gradient, &grad_buffer);
            assert!(distance(&of_parameters, &expected[0]) < 1e-5, "{kind:?}");
            assert!(distance(&heads.feature_gradient(&gradient, None), &expected[1]) < 1e-5, "{kind:?}");
        }
    }

    #[test]
    fn no_heads_is_an_error() {
        assert!(matches!(Heads::new(0, 4, 2, &mut stream(0, "weights"), tch::kind::FLOAT_CPU), Err(Error::NoHeads)));
    }
}
