//! Several environments in one training, `agent.num_envs`: steps and updates are those of one environment, whatever the
//! number of environments, and neither threads nor a resume change the result.

use alrao_agents::dqn::AgentSettings;
use alrao_agents::q_network::QNetworkSettings;
use alrao_agents::training::{DqnEvent, DqnStopReason, DqnTrainer, Schedule};
use alrao_core::method::Method;
use alrao_core::tch::Device;
use alrao_envs::{Environment, EnvironmentError, EnvironmentSettings, Registry};

const STEPS: u64 = 1_003; // a multiple of no number of environments below

fn trainer(num_envs: usize, env_threads: usize) -> DqnTrainer {
    alrao_core::tch::set_num_threads(1);
    let make = || -> Result<Box<dyn Environment>, EnvironmentError> {
        Registry::builtin().make(&EnvironmentSettings::new("cartpole"))
    };
    let schedule = Schedule {
        validate_every: 250,
        validation_episodes: 2,
        checkpoint_every: 430,
        log_every: 100,
        ..Schedule::of(STEPS)
    };
    let settings = AgentSettings {
        num_envs,
        env_threads,
        learning_starts: 100,
        batch_size: Some(16),
        buffer_size: 500,
        frame_stack: 2,
        train_freq: Some(3),
        network: QNetworkSettings { hidden_sizes: vec![16, 16], ..Default::default() },
        ..Default::default()
    };
    DqnTrainer::new(&schedule, &settings, &Method::alrao(), &make, 0, Device::Cpu).unwrap()
}

/// Trains to the end and returns the events.
fn events(training: &mut DqnTrainer) -> Vec<DqnEvent> {
    let mut events = Vec::new();
    loop {
        match training.advance().unwrap() {
            DqnStopReason::Event(event) => events.push(event),
            DqnStopReason::Checkpoint => {}
            DqnStopReason::Finished => return events,
        }
    }
}

#[test]
fn environments_share_one_training() {
    for num_envs in [1, 4, 8] {
        let mut training = trainer(num_envs, 1);
        let of_one_thread = events(&mut training);
        assert_eq!(training.steps(), STEPS);
        let multiples_of_3 = STEPS / 3 - 100 / 3;
        assert_eq!(training.agent().q().learner().updates(), multiples_of_3, "{num_envs} environments");
        let logged = of_one_thread.iter().filter_map(|event| match event {
            DqnEvent::Update { step, .. } => Some(*step),
            _ => None,
        });
        assert_eq!(logged.collect::<Vec<_>>(), [200, 300, 400, 500, 600, 700, 800, 900, 1_000, STEPS]);
        let mut lengths = 0;
        for event in &of_one_thread {
            if let DqnEvent::Episode { episode_return, length, .. } = event {
                assert_eq!(*episode_return, *length as f64, "CartPole's reward is 1");
                lengths += length;
            }
        }
        assert!((STEPS - 500..=STEPS).contains(&lengths), "{lengths} steps in episodes that ended");

        for threads in [2, 3] {
            assert_eq!(events(&mut trainer(num_envs, threads)), of_one_thread, "{num_envs} on {threads} threads");
        }

        let mut interrupted = trainer(num_envs, 1);
        let mut before = Vec::new();
        let mut checkpoints = 0;
        while checkpoints < 2 {
            match interrupted.advance().unwrap() {
                DqnStopReason::Event(event) => before.push(event),
                DqnStopReason::Checkpoint => checkpoints += 1,
                DqnStopReason::Finished => unreachable!("checkpoints come before the end"),
            }
        }
        assert_eq!(interrupted.steps(), 860_u64.next_multiple_of(num_envs as u64));
        let (tensors, replay, state) = interrupted.save();
        let state = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        let mut resumed = trainer(num_envs, 2);
        resumed.load(&tensors, &replay, state).unwrap();
        before.extend(events(&mut resumed));
        assert_eq!(before, of_one_thread, "{num_envs} environments, resumed");
    }
}
