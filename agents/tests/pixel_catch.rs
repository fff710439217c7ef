//! Agents that learn from images: Catch, drawn in 84 by 84 pixels, by the convolutional network of Mnih et al. (2015). The
//! ball drifts, which a stack of two frames shows.

use std::fs;
use std::path::Path;

use alrao_agents::Error;
use alrao_agents::dqn::AgentSettings;
use alrao_agents::exploration::Exploration;
use alrao_agents::frame_stack::stack_frames;
use alrao_agents::priority::PrioritizedReplaySettings;
use alrao_agents::q_network::QNetworkSettings;
use alrao_agents::training::{DqnStopReason, DqnTrainer, Schedule, TestEpisodes, test};
use alrao_core::method::Method;
use alrao_core::state_dict::StateDict;
use alrao_core::tch::{self, Device};
use alrao_envs::{Environment, EnvironmentError, ObservationRef, ObservationShape, ObservationSpace, Step};

/// Cells a side, and pixels of a cell's.
const CELLS: usize = 7;
const CELL: usize = 12;
const SIDE: usize = CELLS * CELL;
/// Cells of the paddle.
const PADDLE: usize = 3;

/// A ball falls and drifts; the paddle on the bottom row must be below it at the end.
struct Catch {
    ball: [usize; 2],
    drift: i32,
    paddle: usize,
    pixels: Vec<u8>,
}

impl Catch {
    fn new() -> Self {
        Catch { ball: [0; 2], drift: 0, paddle: 0, pixels: vec![0; SIDE * SIDE] }
    }

    fn draw(&mut self) {
        self.pixels.fill(0);
        for ([row, column], cells) in [(self.ball, 1), ([CELLS - 1, self.paddle - 1], PADDLE)] {
            for y in row * CELL..(row + 1) * CELL {
                self.pixels[y * SIDE + column * CELL..][..cells * CELL].fill(255);
            }
        }
    }
}

impl Environment for Catch {
    fn obs_dim(&self) -> usize {
        SIDE * SIDE
    }

    fn observation_space(&self) -> ObservationSpace {
        ObservationSpace::pixels(ObservationShape::ChannelsFirst([1, SIDE, SIDE]))
    }

    fn num_actions(&self) -> usize {
        3
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        let draw = |shift: u32, n: u64| (seed >> shift) % n;
        self.ball = [0, draw(0, CELLS as u64) as usize];
        self.drift = draw(16, 3) as i32 - 1;
        self.paddle = CELLS / 2;
        self.draw();
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        self.paddle = (self.paddle + action - 1).clamp(1, CELLS - 2);
        let [row, column] = self.ball;
        let moved = column as i32 + self.drift;
        if !(0..CELLS as i32).contains(&moved) {
            self.drift = -self.drift; // a wall
        }
        self.ball = [row + 1, (column as i32 + self.drift) as usize];
        self.draw();
        let terminated = self.ball[0] == CELLS - 1;
        let caught = if self.ball[1].abs_diff(self.paddle) <= PADDLE / 2 { 1.0 } else { -1.0 };
        Ok(Step { reward: if terminated { caught } else { 0.0 }, terminated, truncated: false })
    }

    fn observation(&self) -> &[f32] {
        &[]
    }

    fn typed_observation(&self) -> ObservationRef<'_> {
        self.pixels.as_slice().into()
    }
}

fn make() -> Result<Box<dyn Environment>, EnvironmentError> {
    Ok(Box::new(Catch::new()))
}

fn settings(frame_stack: usize, width_factor: f64) -> AgentSettings {
    AgentSettings {
        frame_stack,
        buffer_size: 5_000,
        learning_starts: 200,
        network: QNetworkSettings { width_factor, ..Default::default() },
        ..Default::default()
    }
}

fn trainer(settings: &AgentSettings, steps: u64) -> DqnTrainer {
    tch::set_num_threads(1);
    let schedule =
        Schedule { validate_every: steps, validation_episodes: 1, checkpoint_every: steps / 2, ..Schedule::of(steps) };
    DqnTrainer::new(&schedule, settings, &Method::alrao(), &make, 0, Device::Cpu).unwrap()
}

fn advance_to(reason: &DqnStopReason, training: &mut DqnTrainer) {
    while training.advance().unwrap() != *reason {}
}

/// A random policy has a return of about -0.2; the greedy one catches every ball.
#[test]
#[ignore = "takes a minute"]
fn catch_is_learned_from_stacked_pixels() {
    let exploration = Exploration { fraction: 0.5, ..Default::default() };
    let settings = AgentSettings { n_step: Some(1), exploration, ..settings(2, 0.25) };
    let mut training = trainer(&settings, 8_000);
    advance_to(&DqnStopReason::Finished, &mut training);
    let stacked = || Ok(stack_frames(make()?, settings.frame_stack));
    let episodes = TestEpisodes { seed: 0, episodes: 300, max_steps: 10_000 };
    let evaluation = test(training.eval_network(), &stacked, episodes, |_| {}).unwrap().summarize();
    assert!(evaluation.returns.mean > 0.9, "{evaluation:?}");
}

/// Writes a training's checkpoint and returns its files' bytes.
fn files(training: &DqnTrainer, dir: &Path) -> [Vec<u8>; 3] {
    let (learner, replay, state) = training.save();
    let bytes = [("learner", learner), ("replay", replay)].map(|(name, tensors)| {
        let path = dir.join(name);
        tensors.write(&path).unwrap();
        fs::read(path).unwrap()
    });
    let [learner, replay] = bytes;
    [learner, replay, serde_json::to_vec(&state).unwrap()]
}

/// The buffer overflows, and the checkpoint lies within an episode.
#[test]
fn a_killed_training_continues_to_the_same_bytes() {
    for alpha in [0.0, 0.6] {
        let prioritized_replay = PrioritizedReplaySettings { alpha, beta: 0.4 };
        let settings = AgentSettings { buffer_size: 190, batch_size: Some(8), prioritized_replay, ..settings(3, 0.05) };
        let (whole, killed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut training = trainer(&settings, 310);
        advance_to(&DqnStopReason::Checkpoint, &mut training);
        let [_, _, state] = files(&training, killed.path());
        advance_to(&DqnStopReason::Finished, &mut training);
        let expected = files(&training, whole.path());

        let mut again = trainer(&settings, 310);
        let read = |name| StateDict::read(&killed.path().join(name)).unwrap();
        again.load(&read("learner"), &read("replay"), serde_json::from_slice(&state).unwrap()).unwrap();
        advance_to(&DqnStopReason::Finished, &mut again);
        assert!(files(&again, whole.path()) == expected, "alpha {alpha}");
        assert!(training.agent().q().learner().updates() > 20);
    }
}

#[test]
fn a_checkpoint_of_another_shape_is_an_error() {
    let mut training = trainer(&settings(1, 0.05), 310);
    let (learner, replay, state) = training.save();
    let error = |frame_stack| {
        let loaded = trainer(&settings(frame_stack, 0.05), 310).load(&learner, &replay, state.clone());
        loaded.unwrap_err().to_string()
    };
    assert!(error(2).contains("conv0.weight"), "{}", error(2));
    training.load(&learner, &replay, state.clone()).unwrap();
}

#[test]
fn a_stack_longer_than_the_buffer_is_an_error() {
    let settings = AgentSettings { buffer_size: 40, frame_stack: 41, ..settings(1, 0.05) };
    let error = DqnTrainer::new(&Schedule::of(300), &settings, &Method::alrao(), &make, 0, Device::Cpu).err().unwrap();
    let expected = "agent.frame_stack = 41: the replay buffer holds 40 observations of an environment; stack at \
                    most so many";
    assert!(matches!(error, Error::Setting { .. }) && error.to_string() == expected, "{error}");
}
