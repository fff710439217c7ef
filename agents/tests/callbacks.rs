//! Callbacks: when they are called, what they record, how they stop a training, and that a resume doesn't change it.

use std::cell::RefCell;
use std::rc::Rc;

use alrao_agents::Error;
use alrao_agents::callback::{Callback, CallbackError, EndedEpisode, TrainingContext};
use alrao_agents::dqn::AgentSettings;
use alrao_agents::evaluation::Evaluation;
use alrao_agents::q_network::QNetworkSettings;
use alrao_agents::ready_callbacks::EveryNSteps;
use alrao_agents::training::{DqnEvent, DqnStopReason, DqnTrainer, Schedule};
use alrao_core::method::Method;
use alrao_core::tch::{self, Device};
use alrao_envs::{Environment, EnvironmentError, EnvironmentSettings, Registry};
use serde_json::Value;

fn trainer(schedule: Schedule, num_envs: usize) -> DqnTrainer {
    tch::set_num_threads(1);
    let make = || -> Result<Box<dyn Environment>, EnvironmentError> {
        Registry::builtin().make(&EnvironmentSettings::new("cartpole"))
    };
    let network = QNetworkSettings { hidden_sizes: vec![8], ..Default::default() };
    let settings = AgentSettings { num_envs, learning_starts: 50, batch_size: Some(8), network, ..Default::default() };
    DqnTrainer::new(&schedule, &settings, &Method::alrao(), &make, 0, Device::Cpu).unwrap()
}

fn schedule() -> Schedule {
    Schedule { validate_every: 100, validation_episodes: 2, checkpoint_every: 130, log_every: 50, ..Schedule::of(400) }
}

fn events(training: &mut DqnTrainer) -> Result<Vec<DqnEvent>, Error> {
    let mut events = Vec::new();
    loop {
        match training.advance()? {
            DqnStopReason::Event(event) => events.push(event),
            DqnStopReason::Checkpoint => {}
            DqnStopReason::Finished => return Ok(events),
        }
    }
}

type Calls = Vec<(&'static str, u64)>;

/// Notes its calls, counts its steps and records the count; at a step, does something else.
#[derive(Clone, Default)]
struct Counter {
    steps: u64,
    at: Option<(u64, &'static str)>,
    calls: Rc<RefCell<Calls>>,
}

impl Counter {
    fn note(&self, what: &'static str, training: &TrainingContext<'_>) -> Result<(), CallbackError> {
        self.calls.borrow_mut().push((what, training.step));
        Ok(())
    }
}

impl Callback for Counter {
    fn name(&self) -> &str {
        "counter"
    }

    fn on_training_start(&mut self, training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        self.note("start", training)
    }

    fn on_step(&mut self, training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        self.steps += 1;
        if self.steps.is_multiple_of(40) {
            training.record("counted", self.steps as f64);
        }
        match self.at {
            Some((step, "stop")) if step == training.step => training.stop("enough"),
            Some((step, "fail")) if step == training.step => return Err("no disk".into()),
            Some((step, "panic")) if step == training.step => panic!("no way"),
            _ => {}
        }
        Ok(())
    }

    fn on_episode_end(&mut self, training: &mut TrainingContext<'_>, _: EndedEpisode) -> Result<(), CallbackError> {
        self.note("episode", training)
    }

    fn on_validation(&mut self, training: &mut TrainingContext<'_>, _: &Evaluation) -> Result<(), CallbackError> {
        self.note("validation", training)
    }

    fn on_checkpoint(&mut self, training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        self.note("checkpoint", training)
    }

    fn on_training_end(&mut self, training: &mut TrainingContext<'_>) -> Result<(), CallbackError> {
        self.note("end", training)
    }

    fn save(&self) -> Value {
        self.steps.into()
    }

    fn load(&mut self, state: Value) -> Result<(), CallbackError> {
        self.steps = serde_json::from_value(state)?;
        Ok(())
    }
}

/// Trains with a counter and returns the events and the calls.
fn counted(at: Option<(u64, &'static str)>) -> (Result<Vec<DqnEvent>, Error>, Calls) {
    let (mut training, counter) = (trainer(schedule(), 1), Counter { at, ..Default::default() });
    training.add_callback(Box::new(counter.clone())).unwrap();
    let events = events(&mut training);
    (events, counter.calls.take())
}

#[test]
fn callbacks_are_called_at_each_event_and_record_metrics() {
    let (events, calls) = counted(None);
    let events = events.unwrap();
    let of = |what| calls.iter().filter(|call| call.0 == what).map(|call| call.1).collect::<Vec<_>>();
    assert_eq!(of("start"), [0]);
    assert_eq!(of("validation"), [100, 200, 300, 400]);
    assert_eq!(of("checkpoint"), [130, 260, 390, 400]);
    assert_eq!(of("end"), [400]);
    assert_eq!(calls[calls.len() - 2..], [("end", 400), ("checkpoint", 400)], "the checkpoint knows of the end");
    let episodes = events.iter().filter(|event| matches!(event, DqnEvent::Episode { .. })).count();
    assert!(episodes > 5 && of("episode").len() == episodes);
    let metrics = events.iter().filter_map(|event| match event {
        DqnEvent::Metric { step, name, value } => Some((*step, name.as_str(), *value)),
        _ => None,
    });
    let expected: Vec<_> = (1..=10).map(|i| (40 * i, "counted", 40.0 * i as f64)).collect();
    assert_eq!(metrics.collect::<Vec<_>>(), expected);
}

#[test]
fn a_stopped_training_ends_like_one_that_came_to_its_end() {
    let (mut training, counter) = (trainer(schedule(), 1), Counter { at: Some((170, "stop")), ..Default::default() });
    training.add_callback(Box::new(counter.clone())).unwrap();
    let events = events(&mut training).unwrap();
    assert_eq!((training.steps(), training.stopped()), (170, Some("enough")));
    let last = &events[events.len() - 2..];
    assert!(
        matches!(last, [DqnEvent::Validation { step: 170, .. }, DqnEvent::Update { step: 170, .. }]),
        "{last:?}: the last updates are logged, and the network is validated"
    );
    let calls = counter.calls.take();
    assert_eq!(calls[calls.len() - 3..], [("validation", 170), ("end", 170), ("checkpoint", 170)]);
}

#[test]
fn errors_and_panics_name_callback_and_step() {
    for (what, words) in [("fail", "no disk"), ("panic", "panicked: no way")] {
        let error = counted(Some((60, what))).0.unwrap_err();
        assert_eq!(error.to_string(), "callback `counter` at step 60");
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), words);
    }
    let mut training = trainer(Schedule { patience: Some(3), ..schedule() }, 1);
    training.add_callback(Box::new(Counter::default())).unwrap();
    let error = training.add_callback(Box::new(Counter::default())).unwrap_err().to_string();
    assert_eq!(error, "there are two callbacks named `counter`: rename one");
}

/// Saves at a checkpoint and resumes from it; the events are those of an uninterrupted training.
fn resumed_equals_whole(schedule: &Schedule, num_envs: usize) -> Vec<DqnEvent> {
    let new = || {
        let mut training = trainer(schedule.clone(), num_envs);
        training.add_callback(Box::new(EveryNSteps::new(3, Counter::default()))).unwrap();
        training
    };
    let whole = events(&mut new()).unwrap();
    for stop in 1..=4 {
        let (mut training, mut events_before, mut checkpoints) = (new(), Vec::new(), 0);
        while checkpoints < stop {
            match training.advance().unwrap() {
                DqnStopReason::Event(event) => events_before.push(event),
                DqnStopReason::Checkpoint => checkpoints += 1,
                DqnStopReason::Finished => break,
            }
        }
        let (tensors, replay, state) = training.save();
        let state: String = serde_json::to_string(&state).unwrap();
        let mut resumed = new();
        resumed.load(&tensors, &replay, serde_json::from_str(&state).unwrap()).unwrap();
        events_before.extend(events(&mut resumed).unwrap());
        assert_eq!(events_before, whole, "resumed at checkpoint {stop}");
        assert_eq!((resumed.steps(), resumed.stopped()), (training_end(&whole), resumed.stopped()));
        let error = trainer(schedule.clone(), num_envs).load(&tensors, &replay, serde_json::from_str(&state).unwrap());
        assert!(matches!(error, Err(Error::Callback { name, .. }) if name == "counter"));
    }
    whole
}

fn training_end(events: &[DqnEvent]) -> u64 {
    events
        .iter()
        .rev()
        .find_map(|event| if let DqnEvent::Validation { step, .. } = event { Some(*step) } else { None })
        .unwrap()
}

#[test]
fn patience_and_stop_at_survive_a_resume() {
    let whole = resumed_equals_whole(&schedule(), 4);
    assert_eq!(training_end(&whole), 400);
    let counted = whole.iter().filter(|event| matches!(event, DqnEvent::Metric { .. })).count();
    assert_eq!(
        counted, 2,
        "every step of four environments passes a multiple of 3: 100 calls, of which each 40th records"
    );
    let impossible = Schedule { stop_at: Some(1e9), ..schedule() };
    assert_eq!(training_end(&resumed_equals_whole(&impossible, 1)), 400, "out of reach");
    let reached = Schedule { stop_at: Some(1.0), ..schedule() };
    assert_eq!(training_end(&resumed_equals_whole(&reached, 1)), 100);
    // the policy hardly changes from one validation to the next
    let impatient = Schedule { validate_every: 2, patience: Some(3), ..schedule() };
    let end = training_end(&resumed_equals_whole(&impatient, 1));
    assert!((58..400).contains(&end), "{end}");
}
