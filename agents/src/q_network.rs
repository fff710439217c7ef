//! A Q-network without learning-rate tuning: a body (an MLP or a custom body) whose units have random learning rates,
//! and K heads, each with a value per action, averaged by the Switch.
//!
//! It can be used alone, in a custom training loop:
//! ```
//! use alrao_agents::inputs::Inputs;
//! use alrao_agents::q_network::{QNetwork, QNetworkSettings};
//! use alrao_core::{method::Method, tch::{Device, Tensor}};
//!
//! let settings = QNetworkSettings { hidden_sizes: vec![32, 32], ..Default::default() };
//! let mut q = QNetwork::new(Inputs::vector(2), 3, &settings, &Method::alrao_adam(), 0, Device::Cpu)?;
//! let observations = Tensor::from_slice(&[0.0f32, 1.0, 1.0, 0.0]).view([2, 2]); // [B, observation]
//! let (actions, targets) = (Tensor::from_slice(&[0i64, 2]), Tensor::from_slice(&[0.5f32, -0.5])); // [B]
//! q.learn(&observations, actions, targets)?;
//! let best: usize = q.greedy(&[0.0, 1.0])?;
//! # assert!(best < 3);
//! # Ok::<(), alrao_agents::Error>(())
//! ```

use alrao_core::Error;
use alrao_core::device::readable_without_sync;
use alrao_core::filled::filled;
use alrao_core::heads::Outputs;
use alrao_core::layers::{Body, NormalizedBody};
use alrao_core::learner::{Learner, Report};
use alrao_core::likelihood::{Huber, Likelihood};
use alrao_core::method::Method;
use alrao_core::network::{ForwardPass, Network};
use alrao_core::noise;
use alrao_core::parameters::ParameterBuilder;
use alrao_core::state_dict::StateDict;
use alrao_core::streams::stream;
use rand::RngExt;
use tch::{Device, Kind, TchError, Tensor};

use crate::bodies::Bodies;
use crate::inputs::Inputs;
use crate::mask::Mask;

pub use crate::q_network_settings::QNetworkSettings;

/// A Q-network with its learner.
pub struct QNetwork {
    network: Network<NormalizedBody>,
    learner: Learner,
    likelihood: TakenAction,
    /// seed of the noise of passes in training mode
    seed: u64,
}

impl QNetwork {
    /// Creates a Q-network with the settings' body from these inputs to the values of `actions` actions. Its initial
    /// weights and learning rates derive from `seed`.
    ///
    /// # Errors
    /// [`Setting`](crate::Error::Setting): no body has this name, or the body doesn't take these inputs; [`Error::NoHeads`]: the method has no heads.
    pub fn new(
        inputs: Inputs,
        actions: usize,
        settings: &QNetworkSettings,
        method: &Method,
        seed: u64,
        device: Device,
    ) -> Result<Self, crate::Error> {
        let body = Bodies::default().body(settings, inputs)?;
        Ok(Self::with_body(inputs, actions, settings, body, method, seed, device)?)
    }

    /// Creates a Q-network with a custom body: `body` gets the number of inputs and makes a body for `[B, len]`: for
    /// normalized observations, or for images' values, which stay as they are. Of the settings, only `dueling` and `sigma` apply. The body's noise
    /// derives from `seed` too.
    ///
    /// ```
    /// use alrao_agents::inputs::Inputs;
    /// use alrao_agents::q_network::{QNetwork, QNetworkSettings};
    /// use alrao_core::layers::{Body, Linear};
    /// use alrao_core::parameters::{ParameterBuilder, Weights};
    /// use alrao_core::{method::Method, tch::{Device, Tensor}};
    ///
    /// struct Tanh(Linear);
    ///
    /// impl Body for Tanh {
    ///     fn features(&self) -> i64 {
    ///         16
    ///     }
    ///
    ///     fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
    ///         self.0.forward(weights, x).tanh()
    ///     }
    /// }
    ///
    /// let body = |builder: &mut ParameterBuilder, inputs| Tanh(Linear::new(builder, inputs, 16));
    /// let settings = QNetworkSettings::default();
    /// let q = QNetwork::with_body(Inputs::vector(2), 3, &settings, body, &Method::default(), 0, Device::Cpu)?;
    /// assert!(q.greedy(&[0.0, 1.0])? < 3);
    /// # Ok::<(), alrao_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoHeads`]: the method has no heads; [`Error::ParameterWithoutUnit`]: a parameter of the body has no
    /// unit.
    pub fn with_body<B: Body + 'static>(
        inputs: Inputs,
        actions: usize,
        settings: &QNetworkSettings,
        body: impl FnOnce(&mut ParameterBuilder, i64) -> B,
        method: &Method,
        seed: u64,
        device: Device,
    ) -> Result<Self, Error> {
        let network = Network::new(
            normalized(inputs, body),
            method.num_heads,
            outputs(actions, settings),
            &mut stream(seed, "weights"),
            (Kind::Float, device),
        )?;
        let learner = Learner::new(method, &network, &mut stream(seed, "rates"))?;
        Ok(QNetwork { network, learner, likelihood: TakenAction(Huber { sigma: settings.sigma }), seed })
    }

    /// Checks that this machine has the memory to train a Q-network with so many heads and this body, see
    /// [`with_body`](Self::with_body), without creating it.
    ///
    /// # Errors
    /// [`Error::Memory`] if it hasn't.
    pub fn check_memory<B: Body + 'static>(
        inputs: Inputs,
        actions: usize,
        settings: &QNetworkSettings,
        body: impl FnOnce(&mut ParameterBuilder, i64) -> B,
        num_heads: i64,
    ) -> Result<(), Error> {
        Network::check_memory(normalized(inputs, body), num_heads, outputs(actions, settings))
    }

    /// Runs a forward pass in training mode on inputs, `[B, len]`. The noise of bodies that have some
    /// derives from the seed and the number of updates.
    ///
    /// # Errors
    /// [`Error::Shape`] if the observations' length differs.
    pub fn forward(&self, observations: &Tensor) -> Result<ForwardPass, Error> {
        if self.network.body().same_in_train_and_eval() {
            return self.network.forward(observations);
        }
        let mut rng = stream(self.seed, &format!("noise of update {}", self.learner.updates()));
        noise::with_seed(rng.random(), || self.network.forward(observations))
    }

    /// Makes one update towards `targets`, `[B]`, for the values of `actions`, `[B]` indices, at `observations`,
    /// `[B, len]`.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Index`]: the arguments don't fit each other or the network; errors of
    /// [`Learner::step`]. The network is then unchanged.
    pub fn learn(&mut self, observations: &Tensor, actions: Tensor, targets: Tensor) -> Result<Report, Error> {
        let pass = self.forward(observations)?;
        self.learn_from(&pass, actions, targets, None)
    }

    /// Makes one update, see [`learn`](Self::learn), from a forward pass of this network. `weights`, `[B]`, multiply
    /// the samples' losses.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Index`]: the arguments don't fit each other or the pass; errors of [`Learner::step`].
    pub fn learn_from(
        &mut self,
        pass: &ForwardPass,
        actions: Tensor,
        targets: Tensor,
        weights: Option<&Tensor>,
    ) -> Result<Report, Error> {
        let target = Target { actions, values: targets, weights: weights.map(Tensor::shallow_clone) };
        self.learner.step(&mut self.network, pass, &self.likelihood, &target)
    }

    /// Returns the greedy action for one observation as the network's inputs, `[len]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the observation's length differs.
    pub fn greedy(&self, observation: &[f32]) -> Result<usize, Error> {
        Ok(greedy_actions(&self.network, observation, &[None])?[0])
    }

    /// Returns the network.
    pub fn network(&self) -> &Network<NormalizedBody> {
        &self.network
    }

    /// Sets the mean and standard deviation that observations are normalized by, `[len]` each; images are not.
    pub fn set_obs_stats(&mut self, mean: &[f64], std: &[f64]) {
        if let Some(norm) = self.network.body().input_norm() {
            norm.set(self.network.parameters().weights(), mean, std);
        }
    }

    /// Multiplies all action values by `factor`, by rescaling the heads.
    pub fn scale_values(&mut self, factor: f64) {
        self.network.scale_outputs(factor);
    }

    /// Returns the learner.
    pub fn learner(&self) -> &Learner {
        &self.learner
    }

    /// Adds network and learner to `tensors` as `prefix.network.*` and `prefix.learner.*`.
    pub fn save(&self, prefix: &str, tensors: &mut StateDict) {
        self.network.save(&format!("{prefix}.network"), tensors);
        self.learner.save(&self.network, &format!("{prefix}.learner"), tensors);
    }

    /// Restores the state written by `save`.
    ///
    /// # Errors
    /// [`Error::MissingTensor`], [`Error::TensorShape`]: the state is another network's.
    pub fn load(&mut self, prefix: &str, tensors: &StateDict) -> Result<(), Error> {
        self.network.load(&format!("{prefix}.network"), tensors)?;
        self.learner.load(&self.network, &format!("{prefix}.learner"), tensors)
    }
}

/// Returns the constructor of the network's body from that of the settings' body.
fn normalized<B: Body + 'static>(
    inputs: Inputs,
    body: impl FnOnce(&mut ParameterBuilder, i64) -> B,
) -> impl FnOnce(&mut ParameterBuilder) -> NormalizedBody {
    let (len, is_image) = (inputs.len() as i64, inputs.image().is_some());
    move |builder| {
        let body = |builder: &mut ParameterBuilder| body(builder, len);
        match is_image {
            true => NormalizedBody::without_norm(builder, len, body),
            false => NormalizedBody::new(builder, len, body),
        }
    }
}

fn outputs(actions: usize, settings: &QNetworkSettings) -> Outputs {
    if settings.dueling { Outputs::Dueling(actions as i64) } else { Outputs::Linear(actions as i64) }
}

/// Returns the greedy legal actions, `[n]`, for observations as the network's inputs, `[n, len]` in one slice, with their
/// masks, `[n]`.
///
/// # Errors
/// [`Error::Shape`] if the length of the observations or of a mask differs.
pub fn greedy_actions<B: Body>(
    network: &Network<B>,
    observations: &[f32],
    masks: &[Mask],
) -> Result<Vec<usize>, Error> {
    let (device, n) = (network.a().device(), masks.len() as i64);
    let mut values = network.mean(&Tensor::from_slice(observations).view([n, -1]).to_device(device))?; // [n, A]
    if masks.iter().any(Option::is_some) {
        let all = vec![true; values.size()[1] as usize];
        let rows = masks.iter().map(|mask| Tensor::from_slice(mask.unwrap_or(&all)));
        for legal in rows.clone() {
            Error::check_shape("action masks", &values.size()[1..], &legal)?;
        }
        let illegal = Tensor::stack(&rows.collect::<Vec<_>>(), 0).logical_not().to_device(device); // [n, A]
        values = values.masked_fill(&illegal, f64::NEG_INFINITY);
    }
    let actions = Vec::<i64>::try_from(values.argmax(1, false)).expect("a vector of indices");
    Ok(actions.into_iter().map(|action| action as usize).collect())
}

/// Likelihood of the target for the action that was taken; other actions' outputs have no influence.
struct TakenAction(Huber);

/// Targets of a batch.
struct Target {
    /// Indices of actions, `[B]`.
    actions: Tensor,
    /// Target values, `[B]`.
    values: Tensor,
    /// Weights of the samples' losses, `[B]`; `None` for equal weights. The heads' evidence is unweighted.
    weights: Option<Tensor>,
}

impl Likelihood for TakenAction {
    type Target = Target;

    fn check(&self, out: &Tensor, target: &Target) -> Result<(), Error> {
        let (batch, actions) = (&out.size()[1..2], out.size()[2]);
        Error::check_shape("actions", batch, &target.actions)?;
        Error::check_shape("targets", batch, &target.values)?;
        target.weights.as_ref().map_or(Ok(()), |weights| Error::check_shape("weights", batch, weights))?;
        if !readable_without_sync(target.actions.device()) {
            return Ok(()); // the device's kernel checks the indices
        }
        let unknown = to_vec(&target.actions).into_iter().find(|action| !(0..actions).contains(action));
        unknown.map_or(Ok(()), |found| Err(Error::Index { what: "actions", found, last: actions - 1 }))
    }

    fn log_prob(&self, out: &Tensor, target: &Target) -> Tensor {
        self.log_prob_and_gradient(out, target).0
    }

    fn gradient(&self, out: &Tensor, target: &Target) -> Tensor {
        self.log_prob_and_gradient(out, target).1
    }

    fn log_prob_and_gradient(&self, out: &Tensor, target: &Target) -> (Tensor, Tensor) {
        let out = out.transpose(0, 1); // [B, K, A], the memory layout
        let (log_p, gradient) = if readable_without_sync(out.device()) {
            self.in_rust(&out, target)
        } else {
            self.via_libtorch(&out, target)
        };
        (log_p.transpose(0, 1), gradient.transpose(0, 1))
    }
}

impl TakenAction {
    /// Computes `log p_j`, `[B, K]`, and the gradient of `-log p_j`, `[B, K, A]`, from outputs, `[B, K, A]`, with
    /// libtorch.
    fn via_libtorch(&self, out: &Tensor, target: &Target) -> (Tensor, Tensor) {
        let [batch, heads, _] = out.size()[..] else { unreachable!("outputs are [B, K, A]") };
        let action = target.actions.view([batch, 1, 1]).expand([batch, heads, 1], false);
        let values = target.values.view([batch, 1, 1]);
        let taken = out.gather(2, &action, false); // [B, K, 1]
        let mut score = self.0.score(&taken, &values);
        if let Some(weights) = &target.weights {
            score *= weights.view([batch, 1, 1]);
        }
        let gradient = out.zeros_like().scatter_(2, &action, &score); // [B, K, A]
        (self.0.log_density(&taken, &values).view([batch, heads]), gradient)
    }

    /// Computes `log p_j`, `[B, K]`, and the gradient of `-log p_j`, `[B, K, A]`, from outputs, `[B, K, A]`, in a loop,
    /// which is faster than libtorch calls for small batches.
    fn in_rust(&self, out: &Tensor, target: &Target) -> (Tensor, Tensor) {
        let shape = &out.size()[..];
        let &[_, heads, outputs] = shape else { unreachable!("outputs are [B, K, A]") };
        let (out, actions, values) =
            (to_vec::<f32>(out), to_vec::<i64>(&target.actions), to_vec::<f32>(&target.values));
        let weights: Option<Vec<f32>> = target.weights.as_ref().map(to_vec);
        let mut scores = vec![0.0; out.len() / outputs as usize]; // [B, K]
        let log_p = filled(&shape[..2], |log_p| {
            let by_sample = log_p.chunks_exact_mut(heads as usize).zip(scores.chunks_exact_mut(heads as usize));
            for (i, (log_p, scores)) in by_sample.enumerate() {
                let weight = weights.as_ref().map_or(1.0, |weights| weights[i]);
                let of_heads = out[i * (heads * outputs) as usize..].chunks_exact(outputs as usize);
                for ((out, log_p), score) in of_heads.zip(log_p).zip(scores) {
                    let (log_density, raw) = self.0.log_density_and_score(out[actions[i] as usize], values[i]);
                    (*log_p, *score) = (log_density, raw * weight);
                }
            }
        });
        let gradient = filled(shape, |gradient| {
            let of_heads = gradient.chunks_exact_mut(outputs as usize).zip(scores);
            let taken = actions.iter().flat_map(|&action| std::iter::repeat_n(action as usize, heads as usize));
            of_heads.zip(taken).for_each(|((gradient, score), action)| gradient[action] = score);
        });
        (log_p, gradient)
    }
}

/// Returns all elements of a tensor in row-major order.
pub(crate) fn to_vec<T>(tensor: &Tensor) -> Vec<T>
where
    Vec<T>: TryFrom<Tensor, Error = TchError>,
{
    Vec::try_from(tensor.flatten(0, -1)).expect("elements of this dtype")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table_error(method: &Method, steps: usize, dueling: bool) -> f64 {
        tch::set_num_threads(1); // more threads slow each other down when tests run in parallel
        let settings = QNetworkSettings { hidden_sizes: vec![64, 64], dueling, ..Default::default() };
        let mut q = QNetwork::new(Inputs::vector(2), 2, &settings, method, 0, Device::Cpu).unwrap();
        let observations = Tensor::from_slice(&[0f32, 0., 0., 1., 1., 0., 1., 1.]).view([4, 2]).repeat([2, 1]);
        let actions = Tensor::from_slice(&[0i64, 0, 0, 0, 1, 1, 1, 1]);
        let targets = Tensor::from_slice(&[0.5f32, -0.5, -0.5, 0.5, 0.1, 0.2, 0.3, 0.4]);
        for _ in 0..steps {
            q.learn(&observations, actions.shallow_clone(), targets.shallow_clone()).unwrap();
        }
        let values = q.network().mean(&observations).unwrap().gather(1, &actions.unsqueeze(1), false).squeeze_dim(1);
        (values - targets).abs().max().double_value(&[])
    }

    #[test]
    fn xor_is_learned_without_choosing_a_learning_rate() {
        for dueling in [false, true] {
            let error = table_error(&Method::default(), 600, dueling);
            assert!(error < 0.05, "{error}");
        }
    }

    #[test]
    fn a_learning_rate_far_too_small_learns_nothing() {
        let error = table_error(&Method::sgd(1e-5).unwrap(), 600, false);
        assert!(error > 0.3, "{error}");
    }

    #[test]
    fn greedy_actions_are_legal() {
        let (inputs, settings) = (Inputs::vector(2), QNetworkSettings::default());
        let q = QNetwork::new(inputs, 3, &settings, &Method::default(), 0, Device::Cpu).unwrap();
        let observations = [0.5, -1.0].repeat(4);
        let best = q.greedy(&[0.5, -1.0]).unwrap();
        let [second, third] = [1, 2].map(|i| (best + i) % 3);
        let only = |legal: &[usize]| [0, 1, 2].map(|action| legal.contains(&action));
        let (of_second, of_third, of_two) = (only(&[second]), only(&[third]), only(&[best, third]));
        let masks = [Some(&of_second[..]), None, Some(&of_third), Some(&of_two)];
        assert_eq!(greedy_actions(q.network(), &observations, &masks).unwrap(), [second, best, third, best]);
        let error = greedy_actions(q.network(), &[0.5, -1.0], &[Some(&[true; 4])]).unwrap_err().to_string();
        assert!(error.contains("action masks") && error.contains("[4]"), "{error}");
    }

    #[test]
    fn an_action_out_of_range_is_an_error() {
        let (inputs, settings) = (Inputs::vector(2), QNetworkSettings::default());
        let mut q = QNetwork::new(inputs, 3, &settings, &Method::default(), 0, Device::Cpu).unwrap();
        for action in [-1i64, 3] {
            let actions = Tensor::from_slice(&[0, action]);
            let error = q.learn(&Tensor::zeros([2, 2], tch::kind::FLOAT_CPU), actions, Tensor::from_slice(&[0f32; 2]));
            assert!(matches!(error, Err(Error::Index { found, last: 2, .. }) if found == action));
        }
    }

    #[test]
    fn the_loop_matches_libtorch() {
        let numbers = |n: i64| (Tensor::arange(n, tch::kind::FLOAT_CPU) * 0.7).sin() * 5.0;
        let out = numbers(30).view([5, 2, 3]); // [B, K, A]
        for (sigma, weights) in [(0.5, None), (2.0, Some(numbers(5)))] {
            let target = Target { actions: Tensor::from_slice(&[2i64, 0, 1, 1, 0]), values: numbers(5).cos(), weights };
            let likelihood = TakenAction(Huber { sigma });
            let (in_rust, via_libtorch) = (likelihood.in_rust(&out, &target), likelihood.via_libtorch(&out, &target));
            for (one, other) in [(in_rust.0, via_libtorch.0), (in_rust.1, via_libtorch.1)] {
                assert_eq!(one.size(), other.size());
                assert!((one - other).abs().max().double_value(&[]) < 1e-5, "sigma {sigma}");
            }
        }
    }

    #[test]
    fn only_the_taken_action_has_a_gradient() {
        let out = Tensor::from_slice(&(0..12).map(|i| i as f32).collect::<Vec<_>>()).view([2, 2, 3]); // [K, B, A]
        let mut target = Target {
            actions: Tensor::from_slice(&[2i64, 0]),
            values: Tensor::from_slice(&[2.0f32, 9.5]),
            weights: None,
        };
        let likelihood = TakenAction(Huber { sigma: 1.0 });
        let gradient = Vec::<f32>::try_from(likelihood.gradient(&out, &target).flatten(0, -1)).unwrap();
        assert_eq!(gradient, [0., 0., 0., -1., 0., 0., 0., 0., 1., -0.5, 0., 0.]);
        let log_p = likelihood.log_prob(&out, &target);
        assert_eq!(log_p.size(), [2, 2]);
        let best = log_p.double_value(&[0, 0]); // exactly on target
        assert!((log_p.double_value(&[1, 1]) - (best - 0.125)).abs() < 1e-6);
        target.weights = Some(Tensor::from_slice(&[0.5f32, 0.25]));
        let weighted = Vec::<f32>::try_from(likelihood.gradient(&out, &target).flatten(0, -1)).unwrap();
        assert_eq!(weighted, [0., 0., 0., -0.25, 0., 0., 0., 0., 0.5, -0.125, 0., 0.]);
        assert_eq!(likelihood.log_prob(&out, &target), log_p);
    }
}
