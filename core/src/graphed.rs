//! Forward and backward passes of a body as CUDA graphs: captured when a batch shape occurs for the second time,
//! replayed from then on. On a CPU, passes run eagerly.
//!
//! Heads, likelihood, averaging and optimizers stay outside the graphs, because they may change from step to step.

use std::rc::Rc;

use tch::{Device, Tensor};

use crate::cuda_graph::{Capturer, CudaGraph, zeros_like_contiguous};
use crate::network::{ForwardPass, Network};
use crate::parameters::Weights;

/// Eager passes before a capture, after which libtorch has chosen its algorithms and allocated their workspaces.
const WARM_UP: usize = 2;

/// Shapes of the inputs.
type Shapes = Vec<Vec<i64>>;

/// CUDA graphs of a network's passes, by the inputs' shapes.
#[derive(Default)]
pub struct GraphedPasses {
    capturer: Option<Capturer>,
    by_shape: Vec<(Shapes, Option<Rc<GraphedPass>>)>,
}

/// A captured pass.
struct GraphedPass {
    inputs: Vec<Tensor>,
    /// features, `[B, H]`, and any other outputs
    outputs: Vec<Tensor>,
    /// the gradient with respect to the features, `[B, H]`
    feature_gradient: Tensor,
    /// the gradient with respect to the parameters, `[P]`
    parameter_gradient: Tensor,
    forward: CudaGraph,
    backward: CudaGraph,
}

impl GraphedPasses {
    /// Creates an empty set of graphs for a device. Passes run eagerly on a CPU, or if libtorch can't capture graphs.
    pub fn new(device: Device) -> Self {
        let capturer = match device {
            Device::Cuda(n) => Capturer::new(n).ok(),
            _ => None,
        };
        GraphedPasses { capturer, by_shape: Vec::new() }
    }

    /// Runs a forward pass in training mode, see [`Network::forward_with`]. `forward` computes the features, `[B, H]`,
    /// and any other outputs, which are returned with the pass, from the inputs, of which the first is the batch. All
    /// outputs are valid until the next pass with inputs of the same shapes.
    pub fn forward<B>(
        &mut self,
        network: &Network<B>,
        inputs: &[&Tensor],
        forward: impl Fn(&B, &Weights, &[&Tensor]) -> Vec<Tensor>,
    ) -> (ForwardPass, Vec<Tensor>) {
        let shapes: Shapes = inputs.iter().map(|input| input.size()).collect();
        let known = self.by_shape.iter().position(|(known, _)| *known == shapes);
        let Some(graphed) = known.and_then(|known| self.by_shape[known].1.clone()) else {
            let pass = eager(network, inputs, &forward);
            match (&self.capturer, known) {
                (None, _) => {}
                (Some(_), None) => self.by_shape.push((shapes, None)),
                // after the pass, so that the capture doesn't consume the pass's random numbers
                (Some(capturer), Some(known)) => {
                    self.by_shape[known].1 = Some(Rc::new(GraphedPass::new(capturer, network, inputs, &forward)));
                }
            }
            return pass;
        };
        for (mut static_input, input) in graphed.inputs.iter().map(Tensor::shallow_clone).zip(inputs) {
            static_input.copy_(input);
        }
        graphed.forward.replay();
        let mut outputs: Vec<Tensor> = graphed.outputs.iter().map(Tensor::shallow_clone).collect();
        let rest = outputs.split_off(1);
        let backward = Box::new(move |feature_gradient: &Tensor| graphed.backward(feature_gradient));
        (network.graphed_pass(outputs.remove(0), backward), rest)
    }
}

/// Runs the pass eagerly.
fn eager<B>(
    network: &Network<B>,
    inputs: &[&Tensor],
    forward: impl Fn(&B, &Weights, &[&Tensor]) -> Vec<Tensor>,
) -> (ForwardPass, Vec<Tensor>) {
    let mut rest = Vec::new();
    let pass = network.forward_with(|body, weights| {
        let mut outputs = forward(body, weights, inputs);
        rest = outputs.split_off(1);
        outputs.remove(0)
    });
    (pass, rest)
}

impl GraphedPass {
    fn new<B>(
        capturer: &Capturer,
        network: &Network<B>,
        inputs: &[&Tensor],
        forward: &impl Fn(&B, &Weights, &[&Tensor]) -> Vec<Tensor>,
    ) -> Self {
        let parameters = network.parameters();
        let inputs: Vec<Tensor> = inputs
            .iter()
            .map(|input| {
                let mut static_input = zeros_like_contiguous(input);
                static_input.copy_(input);
                static_input
            })
            .collect();
        let borrowed: Vec<&Tensor> = inputs.iter().collect();
        let forwards = || {
            let (theta, weights) = parameters.leaf();
            (theta, forward(network.body(), &weights, &borrowed))
        };
        let backwards = |theta: &Tensor, z: &Tensor, feature_gradient: &Tensor| {
            let surrogate = z.flatten(0, -1).dot(&feature_gradient.flatten(0, -1));
            Tensor::run_backward(&[surrogate], &[theta], false, false).remove(0)
        };
        let capture = || {
            let mut feature_gradient = None;
            for _ in 0..WARM_UP {
                let (theta, outputs) = forwards();
                let feature_gradient = feature_gradient.get_or_insert_with(|| zeros_like_contiguous(&outputs[0]));
                let _ = backwards(&theta, &outputs[0], feature_gradient);
            }
            let feature_gradient = feature_gradient.expect("warmed up");
            let (forward, (theta, outputs)) = capturer.capture(None, forwards);
            let (backward, parameter_gradient) =
                capturer.capture(Some(forward.pool()), || backwards(&theta, &outputs[0], &feature_gradient));
            let outputs = outputs.iter().map(Tensor::detach).collect();
            let inputs = borrowed.iter().map(|input| input.shallow_clone()).collect();
            GraphedPass { inputs, outputs, feature_gradient, parameter_gradient, forward, backward }
        };
        capturer.on_side_stream(|| parameters.with_buffers_restored(capture))
    }

    /// Computes the gradient with respect to the parameters, `[P]`, from the gradient with respect to the features,
    /// `[B, H]`, of the last forward pass.
    fn backward(&self, gradient: &Tensor) -> Tensor {
        self.feature_gradient.shallow_clone().copy_(gradient);
        self.backward.replay();
        self.parameter_gradient.shallow_clone()
    }
}
