//! An environment of one's own, trained with the defaults: no learning rate, no scale of rewards, nothing to choose.
//!
//! `cargo run --release --example custom_env` takes about a minute and ends near the best possible mean, 1.

use alrao::agents::dqn::AgentSettings;
use alrao::agents::training::{self, DqnEvent, DqnStopReason, DqnTrainer, Schedule};
use alrao::core::method::Method;
use alrao::core::tch::Device;
use alrao::envs::{Environment, EnvironmentError, Step};

/// A ball falls through a field 7 wide and 7 high; a paddle at the bottom catches it, or not.
#[derive(Default)]
struct Catch {
    /// column and row of the ball, column of the paddle, each from -1 to 1
    seen: [f32; 3],
    ball: [i32; 2],
    paddle: i32,
}

impl Catch {
    fn look(&mut self) {
        self.seen = [self.ball[0], self.ball[1], self.paddle].map(|place| place as f32 / 3.0 - 1.0);
    }
}

impl Environment for Catch {
    fn obs_dim(&self) -> usize {
        3
    }

    fn num_actions(&self) -> usize {
        3 // left, stay, right
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        (self.ball, self.paddle) = ([(seed % 7) as i32, 6], (seed / 7 % 7) as i32);
        self.look();
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        self.paddle = (self.paddle + action as i32 - 1).clamp(0, 6);
        self.ball[1] -= 1;
        self.look();
        let terminated = self.ball[1] == 0;
        let reward = match (terminated, self.paddle == self.ball[0]) {
            (true, true) => 1.0,
            (true, false) => -1.0,
            (false, _) => 0.0,
        };
        Ok(Step { reward, terminated, truncated: false })
    }

    fn observation(&self) -> &[f32] {
        &self.seen
    }
}

/// Trains for `steps` environment steps; the mean return over 100 fresh episodes.
pub fn train(steps: u64, settings: &AgentSettings) -> Result<f64, alrao::agents::Error> {
    let make = || -> Result<Box<dyn Environment>, EnvironmentError> { Ok(Box::new(Catch::default())) };
    alrao::core::tch::set_num_threads(1); // networks this small are fastest on one
    let seed = 0;
    let mut training = DqnTrainer::new(&Schedule::of(steps), settings, &Method::default(), &make, seed, Device::Cpu)?;
    loop {
        match training.advance()? {
            DqnStopReason::Event(DqnEvent::Validation { step, evaluation, .. }) => {
                println!("{step:6} steps: mean return {:5.2}", evaluation.returns.mean);
            }
            DqnStopReason::Event(_) | DqnStopReason::Checkpoint => {}
            DqnStopReason::Finished => break,
        }
    }
    Ok(training::test(training.eval_network(), &make, seed, 100)?.returns.mean)
}

#[allow(dead_code)] // the tests call `train`
fn main() -> Result<(), alrao::agents::Error> {
    println!("mean return of 100 test episodes: {:.2}", train(10_000, &AgentSettings::default())?);
    Ok(())
}
