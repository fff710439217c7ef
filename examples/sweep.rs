//! A sweep from code: every combination of values and seeds is a run in a directory of its own.
//!
//! `cargo run --release --example sweep` takes a minute. Runs that have finished are left as they are, so a sweep
//! that was interrupted goes on where it was. `alrao sweep` does the same from a file, several runs at a time.

use std::path::Path;

use alrao::agents::dqn::AgentSettings;
use alrao::config::Task;
use alrao::envs::EnvironmentSettings;
use alrao::{Catalog, Config, Error, Run};

/// Trains CartPole with each width of the hidden layers and each seed; returns each width's mean test returns.
pub fn sweep(folder: &Path, widths: &[i64], seeds: u64, steps: u64) -> Result<Vec<(i64, Vec<f64>)>, Error> {
    let catalog = Catalog::builtin();
    let mut results = Vec::new();
    for &width in widths {
        let mut returns = Vec::new();
        for seed in 0..seeds {
            let path = folder.join(format!("width{width}-seed{seed}"));
            let run = if path.exists() {
                Run::open(&path, &catalog)?
            } else {
                let mut config = Config::agent(EnvironmentSettings::new("cartpole"), steps);
                config.seed = seed;
                if let Task::Agent(task) = &mut config.task {
                    let mut agent = AgentSettings::default();
                    agent.network.hidden_sizes = vec![width, width];
                    task.agent = agent;
                }
                Run::create(&path, config, &catalog)?
            };
            returns.extend(run.train()?.outcome.primary_metric());
        }
        results.push((width, returns));
    }
    Ok(results)
}

#[allow(dead_code)] // the tests call `sweep`
fn main() -> Result<(), Error> {
    for (width, returns) in sweep("runs/widths".as_ref(), &[32, 256], 3, 20_000)? {
        println!("width {width}: {returns:.1?}");
    }
    Ok(())
}
