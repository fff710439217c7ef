//! A validation that a checkpoint broke off is made again: the events are those of an uninterrupted training.

use std::cell::Cell;

use alrao_agents::dqn::AgentSettings;
use alrao_agents::q_network::QNetworkSettings;
use alrao_agents::training::{DqnEvent, DqnStopReason, DqnTrainer, Schedule};
use alrao_core::method::Method;
use alrao_core::tch::Device;
use alrao_envs::{EnvironmentSettings, Registry};

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

/// Requests a checkpoint at every 97th question, which is in a validation as a rule.
fn requested() -> bool {
    ASKED.set(ASKED.get() + 1);
    ASKED.get().is_multiple_of(97)
}

fn trainer() -> DqnTrainer {
    alrao_core::tch::set_num_threads(1);
    let make = || Registry::builtin().make(&EnvironmentSettings::new("pendulum"));
    let schedule = Schedule { validation_episodes: 2, validate_every: 50, ..Schedule::of(300) };
    let network = QNetworkSettings { hidden_sizes: vec![16], ..Default::default() };
    let settings = AgentSettings { learning_starts: 40, batch_size: Some(16), network, ..Default::default() };
    DqnTrainer::new(&schedule, &settings, &Method::alrao(), &make, 0, Device::Cpu).unwrap()
}

#[test]
fn a_validation_that_was_broken_off_is_made_again() {
    let (mut training, mut whole) = (trainer(), Vec::new());
    loop {
        match training.advance().unwrap() {
            DqnStopReason::Event(event) => whole.push(event),
            DqnStopReason::Checkpoint => {}
            DqnStopReason::Finished => break,
        }
    }
    assert_eq!(whole.iter().filter(|event| matches!(event, DqnEvent::Validation { .. })).count(), 6);
    let (mut training, mut events, mut stops) = (trainer(), Vec::new(), Vec::new());
    training.checkpoint_when(requested);
    loop {
        match training.advance().unwrap() {
            DqnStopReason::Event(event) => events.push(event),
            DqnStopReason::Checkpoint => {
                stops.push(training.steps());
                let (tensors, replay, state) = training.save();
                training = trainer();
                training.load(&tensors, &replay, state).unwrap();
                // Each validation takes 200 steps of its episodes; the requests come more often, until one is left alone.
                let before = stops.iter().filter(|step| **step == training.steps()).count();
                training.checkpoint_when(if before < 3 { requested } else { || false });
            }
            DqnStopReason::Finished => break,
        }
    }
    assert!(stops.windows(2).any(|pair| pair[0] == pair[1] && pair[0] % 50 == 0), "{stops:?}");
    assert_eq!(events, whole);
}
