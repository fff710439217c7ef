//! Long short-term memory with forget gates (Hochreiter and Schmidhuber, 1997), as in PyTorch. For each layer and time
//! step
//!
//! `i, f, o = sigmoid(..)`, `g = tanh(..)` of `W_ih x + b_ih + W_hh h + b_hh`,
//! `c <- f c + i g`, `h <- o tanh(c)`,
//!
//! with the four gates' rows stacked in the order i, f, g, o: `W_ih: [4H, I]`, `W_hh: [4H, H]`, and both
//! biases `[4H]`.
//!
//! The units are its cells, H per layer: all parameters of a cell's four gates share a learning rate (paper, section
//! 4.3).

use tch::{Device, Kind, Tensor};

use crate::parameters::{Init, ParameterBuilder, ParameterId, Weights};

/// A multi-layer LSTM.
#[derive(Clone, Debug)]
pub struct Lstm {
    hidden: i64,
    /// `W_ih`, `W_hh`, `b_ih`, `b_hh` of each layer
    layers: Vec<[ParameterId; 4]>,
}

/// Recurrent state: `h` and `c`, each `[layers, B, H]`.
pub type LstmState = (Tensor, Tensor);

impl Lstm {
    /// Creates `layers` layers of `hidden` cells. Initial values are uniform: weights with variance `1/inputs` (LeCun
    /// et al., 1998), biases in `+-1/sqrt(hidden)`. PyTorch's initial weights, in `+-1/sqrt(hidden)` too, have a third
    /// of that variance: too little here, because most cells stay close to their initial values.
    pub fn new(builder: &mut ParameterBuilder, inputs: i64, hidden: i64, layers: usize) -> Self {
        let weight = |inputs: i64| Init::Uniform((3.0 / inputs as f64).sqrt());
        let bias = Init::Uniform((hidden as f64).powf(-0.5));
        let layer = |i: usize| {
            let inputs = if i == 0 { inputs } else { hidden };
            builder.scope(format!("layer{i}"), |b| {
                let w_ih = b.add("weight_ih", &[4 * hidden, inputs], weight(inputs));
                let w_hh = b.add("weight_hh", &[4 * hidden, hidden], weight(hidden));
                let [b_ih, b_hh] = ["bias_ih", "bias_hh"].map(|name| b.add(name, &[4 * hidden], bias));
                // each gate's rows are the cells in order, so a cell owns every H-th row
                b.add_units(hidden, &[(w_ih, inputs), (w_hh, hidden), (b_ih, 1), (b_hh, 1)]);
                [w_ih, w_hh, b_ih, b_hh]
            })
        };
        Lstm { hidden, layers: (0..layers).map(layer).collect() }
    }

    /// Returns the zero state of a batch of `batch` sequences.
    pub fn zero_state(&self, batch: i64, options: (Kind, Device)) -> LstmState {
        let zeros = || Tensor::zeros([self.layers.len() as i64, batch, self.hidden], options);
        (zeros(), zeros())
    }

    /// Runs sequences, `[T, B, I] -> [T, B, H]`: returns the last layer's `h` at each time step, and the final state.
    pub fn forward(&self, weights: &Weights, x: &Tensor, (h, c): &LstmState) -> (Tensor, LstmState) {
        let parameters = match x.device() {
            Device::Cuda(_) => self.flat_parameters(weights),
            _ => self.layers.iter().flatten().map(|&id| weights[id].shallow_clone()).collect(),
        };
        let (z, h, c) = x.lstm(
            &[h, c],
            &parameters.iter().collect::<Vec<_>>(),
            true,
            self.layers.len() as i64,
            0.0,
            weights.training(),
            false,
            false,
        );
        (z, (h, c))
    }

    /// Copies the parameters to one tensor in cuDNN's order, all matrices before all biases. Otherwise libtorch does so
    /// at each call, with a warning.
    fn flat_parameters(&self, weights: &Weights) -> Vec<Tensor> {
        let (matrices, biases): (Vec<_>, Vec<_>) = self.layers.iter().map(|layer| layer.split_at(2)).unzip();
        let parameters: Vec<&Tensor> = matrices.into_iter().chain(biases).flatten().map(|&id| &weights[id]).collect();
        let numels: Vec<i64> = parameters.iter().map(|parameter| parameter.numel() as i64).collect();
        let parts: Vec<Tensor> = parameters.iter().map(|parameter| parameter.flatten(0, -1)).collect();
        let views = Tensor::cat(&parts, 0).split_with_sizes(numels, 0);
        let views: Vec<Tensor> = views.iter().zip(parameters).map(|(view, of)| view.view_as(of)).collect();
        let (matrices, biases) = views.split_at(views.len() / 2);
        let layers = matrices.chunks(2).zip(biases.chunks(2));
        layers.flat_map(|(matrices, biases)| matrices.iter().chain(biases)).map(Tensor::shallow_clone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::tests::{assert_close, build, numbers};

    const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// Computes the equations of the module's documentation, step by step.
    fn by_hand(lstm: &Lstm, weights: &Weights, x: &Tensor, (h, c): &LstmState) -> (Tensor, LstmState) {
        let mut inputs: Vec<Tensor> = x.unbind(0);
        let (mut all_h, mut all_c) = (Vec::new(), Vec::new());
        for (i, [w_ih, w_hh, b_ih, b_hh]) in lstm.layers.iter().enumerate() {
            let (mut h, mut c) = (h.get(i as i64), c.get(i as i64));
            for x in &mut inputs {
                let gates = x.matmul(&weights[*w_ih].tr()) + &weights[*b_ih] + h.matmul(&weights[*w_hh].tr());
                let gates = (gates + &weights[*b_hh]).chunk(4, 1);
                c = gates[1].sigmoid() * c + gates[0].sigmoid() * gates[2].tanh();
                h = gates[3].sigmoid() * c.tanh();
                *x = h.shallow_clone();
            }
            all_h.push(h);
            all_c.push(c);
        }
        (Tensor::stack(&inputs, 0), (Tensor::stack(&all_h, 0), Tensor::stack(&all_c, 0)))
    }

    #[test]
    fn outputs_and_gradients_match_the_equations() {
        let (lstm, parameters) = build(|b| Lstm::new(b, 3, 4, 2));
        let (x, state) = (numbers(&[5, 2, 3]), (numbers(&[2, 2, 4]), numbers(&[2, 2, 4]) * 0.5));
        let gradient = |forward: &dyn Fn(&Weights) -> (Tensor, LstmState)| {
            let (leaf, weights) = parameters.leaf();
            let (z, (h, c)) = forward(&weights);
            let sum = (&z * numbers(&z.size())).sum(Kind::Float) + h.sum(Kind::Float) + c.sum(Kind::Float);
            (Tensor::run_backward(&[sum], &[leaf], false, false).remove(0), z, h, c)
        };
        let fused = gradient(&|weights| lstm.forward(weights, &x, &state));
        let slow = gradient(&|weights| by_hand(&lstm, weights, &x, &state));
        assert_eq!((fused.1.size(), fused.2.size()), (vec![5, 2, 4], vec![2, 2, 4]));
        for (fused, slow) in [(fused.0, slow.0), (fused.1, slow.1), (fused.2, slow.2), (fused.3, slow.3)] {
            assert_close(&fused, &slow, 1e-5);
        }
        let (alone, _) = lstm.forward(parameters.weights(), &x, &state);
        assert_close(&alone, &by_hand(&lstm, parameters.weights(), &x, &state).0, 1e-5);
    }

    #[test]
    fn flat_parameters_are_contiguous_in_cudnns_order() {
        let (lstm, parameters) = build(|b| Lstm::new(b, 3, 4, 2));
        let copies = lstm.flat_parameters(parameters.weights());
        let expected = lstm.layers.iter().flatten().map(|&id| &parameters.weights()[id]);
        assert!(copies.iter().eq(expected));
        let mut place = copies[0].data_ptr() as usize;
        for i in [0, 1, 4, 5, 2, 3, 6, 7] {
            assert_eq!(copies[i].data_ptr() as usize, place, "parameter {i}");
            place += size_of::<f32>() * copies[i].numel();
        }
    }

    #[test]
    fn a_sequence_continues_from_its_state() {
        let (lstm, parameters) = build(|b| Lstm::new(b, 3, 4, 2));
        let (x, start) = (numbers(&[6, 2, 3]), lstm.zero_state(2, FLOAT));
        let (whole, _) = lstm.forward(parameters.weights(), &x, &start);
        let (first, state) = lstm.forward(parameters.weights(), &x.narrow(0, 0, 2), &start);
        let (second, _) = lstm.forward(parameters.weights(), &x.narrow(0, 2, 4), &state);
        assert_close(&Tensor::cat(&[first, second], 0), &whole, 1e-6);
    }

    #[test]
    fn initial_weights_have_variance_1_over_inputs() {
        let (lstm, parameters) = build(|b| Lstm::new(b, 50, 100, 2));
        for (layer, inputs) in lstm.layers.iter().zip([50.0, 100.0]) {
            for (id, inputs) in [(layer[0], inputs), (layer[1], 100.0)] {
                let variance = parameters.weights()[id].square().mean(Kind::Float).double_value(&[]);
                assert!((inputs * variance - 1.0).abs() < 0.05, "{variance}");
            }
        }
    }

    /// Row r of each parameter with 4H rows belongs to cell r % H.
    #[test]
    fn all_gates_of_a_cell_are_one_unit() {
        let (_, parameters) = build(|b| Lstm::new(b, 3, 2, 2));
        let rows = |columns: usize, first: usize| {
            (0..8 * columns).map(move |e| first + e / columns % 2).collect::<Vec<usize>>()
        };
        let layer = |inputs, first| [rows(inputs, first), rows(2, first), rows(1, first), rows(1, first)].concat();
        assert_eq!(parameters.unit_of_element(), [layer(3, 0), layer(2, 2)].concat());
        assert_eq!(parameters.units(), 4);
    }
}
