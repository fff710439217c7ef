//! Agents with a custom body, differentiated by autograd and with dropout. The dropout derives from the run's seed.
//! Updates use passes in training mode; targets and actions use passes in evaluation mode.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use alrao_agents::dqn::AgentSettings;
use alrao_agents::inputs::Inputs;
use alrao_agents::q_network::{QNetwork, QNetworkSettings};
use alrao_agents::training::{DqnEvent, DqnStopReason, DqnTrainer, Schedule};
use alrao_core::layers::{BatchNorm, Body, Linear};
use alrao_core::method::Method;
use alrao_core::noise;
use alrao_core::parameters::{ParameterBuilder, Weights};
use alrao_core::state_dict::StateDict;
use alrao_core::tch::{Device, Tensor};
use alrao_envs::{Environment, EnvironmentError, Step, TimeLimit};

/// Recorded passes of a body.
type Passes = Rc<RefCell<Vec<Seen>>>;

/// A pass: whether it was in training mode, the number of samples, and which features were dropped.
struct Seen {
    training: bool,
    samples: i64,
    dropped: Vec<bool>,
}

/// `z = dropout(tanh(norm(W x + b)))`, with batch normalization.
struct Noisy {
    linear: Linear,
    norm: BatchNorm,
    passes: Passes,
}

impl Noisy {
    fn new(builder: &mut ParameterBuilder, inputs: i64, passes: Passes) -> Self {
        let linear = builder.scope("linear", |b| Linear::new(b, inputs, 32));
        let norm = builder.scope("norm", |b| BatchNorm::new(b, 32));
        Noisy { linear, norm, passes }
    }
}

impl Body for Noisy {
    fn features(&self) -> i64 {
        32
    }

    fn forward(&self, weights: &Weights, x: &Tensor) -> Tensor {
        let normal = self.norm.forward(weights, &self.linear.forward(weights, x));
        let (training, samples) = (weights.training(), x.size()[0]);
        let z = normal.tanh().dropout(0.2, training);
        let dropped = Vec::try_from(z.eq(0.0).flatten(0, 1)).unwrap();
        self.passes.borrow_mut().push(Seen { training, samples, dropped });
        z
    }
}

/// An environment whose reward is 1 if the action equals the observation, else 0.
struct Echo {
    seen: [f32; 2],
    steps: u64,
}

impl Environment for Echo {
    fn obs_dim(&self) -> usize {
        2
    }

    fn num_actions(&self) -> usize {
        2
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        (self.seen, self.steps) = ([(seed % 2) as f32, 0.5], seed);
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        let reward = if action as f32 == self.seen[0] { 1.0 } else { 0.0 };
        self.steps = self.steps.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.seen[0] = (self.steps >> 63) as f32;
        Ok(Step { reward, terminated: false, truncated: false })
    }

    fn observation(&self) -> &[f32] {
        &self.seen
    }
}

const LEARNING_STARTS: u64 = 100;
const BATCH: usize = 16;

fn training(seed: u64, double_q: bool, passes: &Passes) -> DqnTrainer {
    tch::set_num_threads(1);
    let make = || -> Result<Box<dyn Environment>, EnvironmentError> {
        Ok(Box::new(TimeLimit::new(Echo { seen: [0.0; 2], steps: 0 }, 10)))
    };
    let schedule = Schedule { validate_every: 600, validation_episodes: 5, checkpoint_every: 300, ..Schedule::of(600) };
    let settings = AgentSettings {
        gamma: 0.5,
        batch_size: Some(BATCH),
        learning_starts: LEARNING_STARTS,
        train_freq: Some(1),
        double_q,
        ..Default::default()
    };
    let body = |builder: &mut ParameterBuilder, inputs| Noisy::new(builder, inputs, passes.clone());
    DqnTrainer::with_body(&schedule, &settings, body, &Method::alrao(), &make, seed, Device::Cpu).unwrap()
}

/// Trains until this stop reason; returns the events on the way.
fn advance_to(reason: &DqnStopReason, training: &mut DqnTrainer) -> Vec<DqnEvent> {
    let mut events = Vec::new();
    loop {
        match training.advance().unwrap() {
            DqnStopReason::Event(event) => events.push(event),
            found if found == *reason => return events,
            DqnStopReason::Checkpoint => {}
            DqnStopReason::Finished => panic!("the training has finished"),
        }
    }
}

/// Returns the bytes of a training run's saved tensors.
fn bytes(training: &DqnTrainer) -> Vec<Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let (tensors, memory, _) = training.save();
    let file = |name: &str, tensors: &StateDict| {
        let path = directory.path().join(name);
        tensors.write(&path).unwrap();
        std::fs::read(path).unwrap()
    };
    vec![file("learner", &tensors), file("replay", &memory)]
}

#[test]
fn an_agent_with_dropout_learns_and_resumes_bit_identically() {
    let mut unstopped = training(0, true, &Passes::default());
    let _ = advance_to(&DqnStopReason::Checkpoint, &mut unstopped);
    let rest = advance_to(&DqnStopReason::Finished, &mut unstopped);
    let best = unstopped.best().unwrap().mean_return;
    assert!(best > 9.0, "{best} of 10");

    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let state = {
        let mut killed = training(0, true, &Passes::default());
        let _ = advance_to(&DqnStopReason::Checkpoint, &mut killed);
        let (tensors, memory, state) = killed.save();
        tensors.write(&path("learner")).unwrap();
        memory.write(&path("replay")).unwrap();
        state
    };
    // other users of libtorch's generator have no influence
    noise::with_seed(77, || ());
    let mut resumed = training(0, true, &Passes::default());
    let read = |path: &Path| StateDict::read(path).unwrap();
    resumed.load(&read(&path("learner")), &read(&path("replay")), state).unwrap();
    assert_eq!(advance_to(&DqnStopReason::Finished, &mut resumed), rest);
    assert!(bytes(&resumed) == bytes(&unstopped));

    let mut other = training(1, true, &Passes::default());
    let _ = advance_to(&DqnStopReason::Finished, &mut other);
    assert!(bytes(&other) != bytes(&unstopped));
}

#[test]
fn only_updates_use_training_mode() {
    let batch = BATCH as i64;
    for double_q in [true, false] {
        let passes = Passes::default();
        let mut training = training(0, double_q, &passes);
        let _ = advance_to(&DqnStopReason::Checkpoint, &mut training);
        let passes = passes.take();
        let count =
            |training, samples| passes.iter().filter(|p| (p.training, p.samples) == (training, samples)).count();
        let updates = 300 - LEARNING_STARTS as usize;
        assert_eq!(count(true, batch), updates);
        assert_eq!(passes.iter().filter(|p| p.training).count(), updates);
        // values of the target network and, for Double DQN, of the online network, which selects actions
        assert_eq!(count(false, batch), updates * if double_q { 2 } else { 1 });
        assert!(count(false, 1) > 0, "actions use evaluation mode");
    }
}

#[test]
fn dropout_derives_from_the_seed_and_the_update() {
    let settings = QNetworkSettings::default();
    let x = Tensor::from_slice(&[0f32, 1., 1., 0., 0.5, 0.5]).view([3, 2]);
    let passes = Passes::default();
    let q = |seed| {
        let body = |builder: &mut ParameterBuilder, inputs| Noisy::new(builder, inputs, passes.clone());
        QNetwork::with_body(Inputs::vector(2), 2, &settings, body, &Method::alrao(), seed, Device::Cpu).unwrap()
    };
    let dropped = |q: &QNetwork| {
        let _ = q.forward(&x).unwrap();
        passes.borrow_mut().pop().unwrap().dropped
    };
    let mut learned = q(0);
    let first = dropped(&learned);
    assert_eq!(first, dropped(&learned), "passes of an update have equal noise");
    assert_eq!(first, dropped(&q(0)));
    assert_ne!(first, dropped(&q(1)));
    let (actions, targets) = (Tensor::from_slice(&[0i64, 1, 0]), Tensor::from_slice(&[1f32, 2., 3.]));
    learned.learn(&x, actions, targets).unwrap();
    assert_ne!(first, dropped(&learned), "the next update has other noise");
}
