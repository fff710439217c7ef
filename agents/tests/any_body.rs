//! A body without a derivative of its own, with noise in it, trains inside an agent: its noise is of the run's seed, what
//! it learns from is a pass in training, what it is compared with and acts by are passes without noise.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use alrao_agents::dqn::AgentSettings;
use alrao_agents::q_network::{QNetwork, QNetworkSettings};
use alrao_agents::training::{DqnEvent, DqnStopReason, DqnTrainer, Schedule};
use alrao_core::layers::{BatchNorm, Body, Linear};
use alrao_core::method::Method;
use alrao_core::parameters::{ParameterBuilder, Weights};
use alrao_core::state_dict::StateDict;
use alrao_core::tch::{self, Device, Tensor};
use alrao_envs::{Environment, EnvironmentError, Step, TimeLimit};

/// The passes of a body.
type Passes = Rc<RefCell<Vec<Seen>>>;

/// Whether a pass was one in training, of how many samples, and which of their features were dropped.
struct Seen {
    training: bool,
    samples: i64,
    dropped: Vec<bool>,
}

/// `z = dropout(tanh(norm(W x + b)))`, normalised over the batch.
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

/// Whoever says what he sees gets 1, whoever doesn't gets nothing.
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

const WARM_UP: u64 = 100;
const BATCH: usize = 16;

fn training(seed: u64, double_q: bool, passes: &Passes) -> DqnTrainer {
    tch::set_num_threads(1);
    let make = || -> Result<Box<dyn Environment>, EnvironmentError> {
        Ok(Box::new(TimeLimit::new(Echo { seen: [0.0; 2], steps: 0 }, 10)))
    };
    let schedule = Schedule { validate_every: 600, validation_episodes: 5, checkpoint_every: 300, ..Schedule::of(600) };
    let settings =
        AgentSettings { gamma: 0.5, batch_size: BATCH, learning_starts: WARM_UP, double_q, ..Default::default() };
    let body = |builder: &mut ParameterBuilder, inputs| Noisy::new(builder, inputs, passes.clone());
    DqnTrainer::with_body(&schedule, &settings, body, &Method::alrao(), &make, seed, Device::Cpu).unwrap()
}

/// Trains until this stop reason; returns the events on the way.
fn advance_to(reason: &DqnStopReason, training: &mut DqnTrainer) -> Vec<DqnEvent> {
    let mut told = Vec::new();
    loop {
        match training.advance().unwrap() {
            DqnStopReason::Event(event) => told.push(event),
            found if found == *reason => return told,
            DqnStopReason::Checkpoint => {}
            DqnStopReason::Finished => panic!("the training is over"),
        }
    }
}

/// Every byte of what a training is saved as.
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
fn it_learns_and_goes_on_from_a_checkpoint_to_the_same_bytes() {
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
    // what others draw meanwhile is nothing to it
    tch::manual_seed(77);
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
fn learning_alone_is_in_training() {
    let batch = BATCH as i64;
    for double_q in [true, false] {
        let passes = Passes::default();
        let mut training = training(0, double_q, &passes);
        let _ = advance_to(&DqnStopReason::Checkpoint, &mut training);
        let passes = passes.take();
        let count =
            |training, samples| passes.iter().filter(|p| (p.training, p.samples) == (training, samples)).count();
        let updates = 300 - WARM_UP as usize;
        assert_eq!(count(true, batch), updates);
        assert_eq!(passes.iter().filter(|p| p.training).count(), updates);
        // the target network's values, and by Double DQN the network's, which chooses by them
        assert_eq!(count(false, batch), updates * if double_q { 2 } else { 1 });
        assert!(count(false, 1) > 0, "it acted by passes without noise");
    }
}

#[test]
fn the_noise_is_of_the_seed_and_the_update() {
    let settings = QNetworkSettings::default();
    let x = Tensor::from_slice(&[0f32, 1., 1., 0., 0.5, 0.5]).view([3, 2]);
    let passes = Passes::default();
    let q = |seed| {
        let body = |builder: &mut ParameterBuilder, inputs| Noisy::new(builder, inputs, passes.clone());
        QNetwork::with_body(2, 2, &settings, body, &Method::alrao(), seed, Device::Cpu).unwrap()
    };
    let dropped = |q: &QNetwork| {
        let _ = q.forward(&x).unwrap();
        passes.borrow_mut().pop().unwrap().dropped
    };
    let mut learnt = q(0);
    let first = dropped(&learnt);
    assert_eq!(first, dropped(&learnt), "an update has one noise");
    assert_eq!(first, dropped(&q(0)));
    assert_ne!(first, dropped(&q(1)));
    let (actions, targets) = (Tensor::from_slice(&[0i64, 1, 0]), Tensor::from_slice(&[1f32, 2., 3.]));
    learnt.learn(&x, actions, targets).unwrap();
    assert_ne!(first, dropped(&learnt), "the next has another");
}
