//! The agent learns the action values of an environment with two states, known in closed form, to 1e-2.
//!
//! Action 0 stays and action 1 moves to the other state; rewards are 0 and -1/2 in state 0, 1 and 0 in state 1. With a
//! discount factor of 1/2, the optimal policy moves to state 1 and stays there:
//! `Q(1, stay) = 1 / (1 - 1/2) = 2`, `Q(0, move) = -1/2 + 2/2 = 1/2`, `Q(0, stay) = Q(1, move) = 1/2 * 1/2 = 1/4`.

use alrao_agents::dqn::AgentSettings;
use alrao_agents::q_network::QNetworkSettings;
use alrao_agents::training::{DqnStopReason, DqnTrainer, Schedule};
use alrao_core::method::Method;
use alrao_core::optimizer::LrScheduleKind::{Constant, Cosine};
use alrao_core::tch::{Device, Tensor};
use alrao_envs::{Environment, EnvironmentError, Step, TimeLimit};

#[derive(Default)]
struct TwoStates([f32; 2]);

impl Environment for TwoStates {
    fn obs_dim(&self) -> usize {
        2
    }

    fn num_actions(&self) -> usize {
        2
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        self.0 = [[1.0, 0.0], [0.0, 1.0]][seed as usize % 2];
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        let state = usize::from(self.0[1] == 1.0);
        let reward = [[0.0, -0.5], [1.0, 0.0]][state][action];
        if action == 1 {
            self.0.swap(0, 1);
        }
        Ok(Step { reward, terminated: false, truncated: false })
    }

    fn observation(&self) -> &[f32] {
        &self.0
    }
}

/// Trains an agent for `steps` environment steps, in episodes of 10.
fn trained(settings: AgentSettings, steps: u64) -> DqnTrainer {
    alrao_core::tch::set_num_threads(1);
    let make =
        || -> Result<Box<dyn Environment>, EnvironmentError> { Ok(Box::new(TimeLimit::new(TwoStates::default(), 10))) };
    let schedule = Schedule { validation_episodes: 1, ..Schedule::of(steps) };
    let network = QNetworkSettings { hidden_sizes: vec![32, 32], ..Default::default() };
    let settings = AgentSettings { gamma: 0.5, n_step: Some(1), network, ..settings };
    let mut training = DqnTrainer::new(&schedule, &settings, &Method::alrao(), &make, 0, Device::Cpu).unwrap();
    while training.advance().unwrap() != DqnStopReason::Finished {}
    training
}

/// Returns the largest error of an action value after 7,000 environment steps.
fn largest_error(double_q: bool, num_envs: usize) -> f64 {
    let settings = AgentSettings { learning_starts: 200, double_q, num_envs, ..Default::default() };
    let training = trained(settings, 7_000);
    let states = Tensor::from_slice(&[1f32, 0., 0., 1.]).view([2, 2]);
    let values = training.agent().target().mean(&states).unwrap() / training.agent().reward_factor();
    let expected = Tensor::from_slice(&[0.25f32, 0.5, 2.0, 0.25]).view([2, 2]);
    (values - expected).abs().max().double_value(&[])
}

#[test]
fn values_match_the_closed_form() {
    for (double_q, num_envs) in [(true, 1), (false, 1), (true, 8)] {
        let error = largest_error(double_q, num_envs);
        assert!(error < 1e-2, "double_q {double_q}, {num_envs} environments: {error}");
    }
}

#[test]
fn cosine_learning_rates_reach_zero_at_the_last_update() {
    for (lr_schedule, gradient_steps) in [(Cosine, 1), (Cosine, 2), (Constant, 1)] {
        let settings = AgentSettings {
            lr_schedule,
            train_freq: Some(3),
            gradient_steps,
            learning_starts: 130,
            ..Default::default()
        };
        let training = trained(settings, 190);
        let (learner, updates) = (training.agent().q().learner(), 20 * gradient_steps);
        assert_eq!(learner.updates(), updates);
        assert_eq!(learner.method().lr_schedule.factor(updates), if lr_schedule == Cosine { 0.0 } else { 1.0 });
    }
}
