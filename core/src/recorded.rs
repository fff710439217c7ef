//! Passes that repeat: on a GPU, a body's forward and backward pass for batches of one shape are recorded as CUDA graphs
//! when the shape comes a second time, and replayed from then on.
//!
//! What is computed is the same. The heads and all that learns stay outside, so whatever changes from step to step may.

use std::rc::Rc;

use tch::{Device, Tensor};

use crate::graphs::{Graph, Recorder, room_for};
use crate::network::{Network, Pass};
use crate::parameters::Weights;

/// Passes before a recording, so that libtorch has chosen its algorithms and has the room they need.
const WARM_UP: usize = 2;

/// Of several tensors.
type Shapes = Vec<Vec<i64>>;

/// The recordings of a network's passes, by the shapes of what goes in.
#[derive(Default)]
pub struct Recordings {
    recorder: Option<Recorder>,
    by_shape: Vec<(Shapes, Option<Rc<Recording>>)>,
}

/// A recorded pass.
struct Recording {
    inputs: Vec<Tensor>,
    /// features, `[B, H]`, and whatever else comes out
    outputs: Vec<Tensor>,
    /// the gradient with respect to the features, `[B, H]`
    of_features: Tensor,
    /// the gradient with respect to the parameters, `[P]`
    of_parameters: Tensor,
    forward: Graph,
    backward: Graph,
}

impl Recordings {
    /// Recordings of passes on this device. On a CPU nothing is recorded, nor where libtorch can't.
    pub fn on(device: Device) -> Self {
        let recorder = match device {
            Device::Cuda(n) => Recorder::new(n).ok(),
            _ => None,
        };
        Recordings { recorder, by_shape: Vec::new() }
    }

    /// A pass to learn from, as [`Network::pass_by`] makes it; `forward` computes the features, `[B, H]`, and whatever else
    /// from inputs, the batch first. These tensors hold what they do until the next pass of the same shapes.
    pub fn pass<B>(
        &mut self,
        network: &Network<B>,
        inputs: &[&Tensor],
        forward: impl Fn(&B, &Weights, &[&Tensor]) -> Vec<Tensor>,
    ) -> (Pass, Vec<Tensor>) {
        let shapes: Shapes = inputs.iter().map(|input| input.size()).collect();
        let known = self.by_shape.iter().position(|(known, _)| *known == shapes);
        let Some(recording) = known.and_then(|known| self.by_shape[known].1.clone()) else {
            let pass = eager(network, inputs, &forward);
            match (&self.recorder, known) {
                (None, _) => {}
                (Some(_), None) => self.by_shape.push((shapes, None)),
                // after the pass, whose noise it must not take
                (Some(recorder), Some(known)) => {
                    self.by_shape[known].1 = Some(Rc::new(Recording::new(recorder, network, inputs, &forward)));
                }
            }
            return pass;
        };
        for (mut room, input) in recording.inputs.iter().map(Tensor::shallow_clone).zip(inputs) {
            room.copy_(input);
        }
        recording.forward.replay();
        let mut outputs: Vec<Tensor> = recording.outputs.iter().map(Tensor::shallow_clone).collect();
        let rest = outputs.split_off(1);
        let backward = Box::new(move |of_features: &Tensor| recording.backward(of_features));
        (network.pass_of(outputs.remove(0), backward), rest)
    }
}

/// The pass without a recording.
fn eager<B>(
    network: &Network<B>,
    inputs: &[&Tensor],
    forward: impl Fn(&B, &Weights, &[&Tensor]) -> Vec<Tensor>,
) -> (Pass, Vec<Tensor>) {
    let mut rest = Vec::new();
    let pass = network.pass_by(|body, weights| {
        let mut outputs = forward(body, weights, inputs);
        rest = outputs.split_off(1);
        outputs.remove(0)
    });
    (pass, rest)
}

impl Recording {
    fn new<B>(
        recorder: &Recorder,
        network: &Network<B>,
        inputs: &[&Tensor],
        forward: &impl Fn(&B, &Weights, &[&Tensor]) -> Vec<Tensor>,
    ) -> Self {
        let parameters = network.parameters();
        let inputs: Vec<Tensor> = inputs
            .iter()
            .map(|input| {
                let mut room = room_for(input);
                room.copy_(input);
                room
            })
            .collect();
        let borrowed: Vec<&Tensor> = inputs.iter().collect();
        let forwards = || {
            let (theta, weights) = parameters.leaf();
            (theta, forward(network.body(), &weights, &borrowed))
        };
        let backwards = |theta: &Tensor, z: &Tensor, of_features: &Tensor| {
            let surrogate = z.flatten(0, -1).dot(&of_features.flatten(0, -1));
            Tensor::run_backward(&[surrogate], &[theta], false, false).remove(0)
        };
        let recorded = || {
            let mut of_features = None;
            for _ in 0..WARM_UP {
                let (theta, outputs) = forwards();
                let of_features = of_features.get_or_insert_with(|| room_for(&outputs[0]));
                let _ = backwards(&theta, &outputs[0], of_features);
            }
            let of_features = of_features.expect("warmed up");
            let (forward, (theta, outputs)) = recorder.record(None, forwards);
            let (backward, of_parameters) =
                recorder.record(Some(forward.pool()), || backwards(&theta, &outputs[0], &of_features));
            let outputs = outputs.iter().map(Tensor::detach).collect();
            let inputs = borrowed.iter().map(|input| input.shallow_clone()).collect();
            Recording { inputs, outputs, of_features, of_parameters, forward, backward }
        };
        recorder.aside(|| parameters.with_buffers_kept(recorded))
    }

    /// The gradient with respect to the parameters, `[P]`, from that with respect to the features, `[B, H]`, of the last
    /// forward pass.
    fn backward(&self, gradient: &Tensor) -> Tensor {
        self.of_features.shallow_clone().copy_(gradient);
        self.backward.replay();
        self.of_parameters.shallow_clone()
    }
}
