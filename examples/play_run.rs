//! A run from code: created in a directory, trained, opened again, evaluated, and its policy played.
//!
//! `cargo run --release --example play_run` takes about ten seconds.

use alrao::envs::EnvironmentSettings;
use alrao::{Catalog, Config, Error, Run};

/// Trains CartPole for `steps` in the directory `path`, then plays an episode by hand; returns its return.
pub fn play(path: &std::path::Path, steps: u64) -> Result<f64, Error> {
    let catalog = Catalog::builtin();
    let mut config = Config::agent(EnvironmentSettings::new("cartpole"), steps);
    config.seed = 1;
    let summary = Run::create(path, config, &catalog)?.train()?;
    println!("{}", summary.outcome.describe());

    let run = Run::open(path, &catalog)?; // as another program would, later
    println!("another 20 episodes: {:.1}", run.evaluate(20, 99)?.returns.mean);
    let policy = run.policy()?;
    let mut environment = catalog.environments.make(&EnvironmentSettings::new("cartpole"))?;
    environment.reset(42)?;
    let mut episode_return = 0.0;
    loop {
        let step = environment.step(policy.action(environment.observation())?)?;
        episode_return += step.reward;
        if step.ended() {
            return Ok(episode_return);
        }
    }
}

#[allow(dead_code)] // the tests call `play`
fn main() -> Result<(), Error> {
    println!("return of one episode: {}", play("runs/play-run".as_ref(), 20_000)?);
    Ok(())
}
