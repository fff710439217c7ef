//! The policy of a run as a program: reads an observation a line, a JSON array of the network's inputs, and answers each with
//! a line `{"action":1,"q_values":[0.5,0.75]}`, as `examples/onnx-policy` does for an exported policy.
//!
//! `cargo run --release --example q_values -- runs/lander < OBSERVATIONS`

use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use alrao::{Catalog, Run};

/// Answers every line of `observations` on `answers`; says on standard error how fast.
pub fn answer(
    run: &str,
    observations: impl BufRead,
    mut answers: impl Write,
) -> Result<(), Box<dyn std::error::Error>> {
    let run = Run::open(run, &Catalog::builtin())?;
    alrao::core::tch::set_num_threads(run.config().threads as i32);
    let policy = run.policy()?;
    let (mut actions, mut acting) = (0, Duration::ZERO);
    for line in observations.lines() {
        let observation: Vec<f32> = serde_json::from_str(&line?)?;
        let start = Instant::now();
        let action = policy.action(&observation)?;
        acting += start.elapsed();
        actions += 1;
        let q_values = policy.q_values(&observation, 1)?;
        writeln!(answers, "{}", serde_json::json!({ "action": action, "q_values": q_values }))?;
    }
    eprintln!("{actions} actions, {:.0} a second", f64::from(actions) / acting.as_secs_f64());
    Ok(())
}

#[allow(dead_code)] // the tests call `answer`
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let run = std::env::args().nth(1).ok_or("usage: q_values RUN < OBSERVATIONS")?;
    answer(&run, io::stdin().lock(), io::stdout().lock())
}
