//! Trains an agent on an environment written here, from code.

use alrao::envs::{EnvSpec, Environment, EnvironmentError, EnvironmentSettings, NoSettings, Step};
use alrao::{App, Config, Run};

/// A walk from 0 to the goal at 3.
struct Corridor([f32; 1]);

impl Environment for Corridor {
    fn obs_dim(&self) -> usize {
        1
    }

    fn num_actions(&self) -> usize {
        2 // back, forth
    }

    fn reset(&mut self, _seed: u64) -> Result<(), EnvironmentError> {
        self.0 = [0.0];
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        self.0[0] = (self.0[0] + if action == 1 { 1.0 } else { -1.0 }).max(-3.0);
        Ok(Step { reward: -1.0, terminated: self.0[0] == 3.0, truncated: false })
    }

    fn observation(&self) -> &[f32] {
        &self.0
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spec = EnvSpec { time_limit: Some(50), ..EnvSpec::new("corridor", |_: NoSettings| Corridor([0.0])) };
    let catalog = App::new().spec(spec).catalog()?;
    let directory = std::env::current_dir()?.join("run");
    let run = Run::create(&directory, Config::agent(EnvironmentSettings::new("corridor"), 3_000), &catalog)?;
    run.train()?;
    let mean = run.evaluate(10, 1)?.returns.mean;
    assert_eq!(mean, -3.0, "the shortest way takes three steps");
    println!("mean return {mean}");
    Ok(())
}
