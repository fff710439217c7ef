//! Plays a policy that `alrao export` wrote, in Rust without libtorch: tract runs the network.
//!
//! `onnx-policy policy.onnx` reads an observation a line, a JSON array of its values in row-major order, and answers each with
//! a line `{"action":1,"q_values":[0.5,0.75]}`. `examples/play_onnx.py --command` plays Gymnasium's environments with it.

use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tract_onnx::prelude::*;

/// A policy that takes one observation at a time.
struct Policy {
    model: Arc<TypedRunnableModel>,
    /// shape and type of the observation, with a batch of 1
    shape: Vec<usize>,
    dtype: DatumType,
}

impl Policy {
    fn load(path: &str) -> Result<Self> {
        let model = tract_onnx::onnx().model_for_path(path)?;
        let one = HashMap::from([(model.symbols.sym("batch"), 1.to_dim())]);
        let model = model.into_typed()?.set_symbols(&one)?.into_optimized()?;
        let observation = model.input_fact(0)?;
        let (shape, dtype) =
            (observation.shape.as_concrete().context("an observation of no fixed shape")?, observation.datum_type);
        Ok(Policy { shape: shape.to_vec(), dtype, model: model.into_runnable()? })
    }

    /// Returns the action with the largest value, and the actions' values in raw units of reward.
    fn act(&self, observation: &[f32]) -> Result<(i64, Vec<f32>)> {
        let len = self.shape.iter().product::<usize>();
        ensure!(observation.len() == len, "an observation has {len} values, not {}", observation.len());
        let observation = tract_ndarray::ArrayView::from_shape(self.shape.clone(), observation)?;
        let observation = Tensor::from(observation.to_owned()).cast_to_dt(self.dtype)?.into_owned();
        let outputs = self.model.run(tvec![observation.into()])?;
        let q_values = outputs[0].to_plain_array_view::<f32>()?.iter().copied().collect();
        Ok((outputs[1].to_plain_array_view::<i64>()?[[0]], q_values))
    }
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).context("usage: onnx-policy POLICY.onnx < OBSERVATIONS")?;
    let policy = Policy::load(&path).with_context(|| path.clone())?;
    let (mut out, mut actions, mut acting) = (io::stdout().lock(), 0, Duration::ZERO);
    for line in io::stdin().lock().lines() {
        let observation: Vec<f32> = numbers(&serde_json::from_str(&line?)?)?;
        let start = Instant::now();
        let (action, q_values) = policy.act(&observation)?;
        acting += start.elapsed();
        actions += 1;
        writeln!(out, "{}", json!({ "action": action, "q_values": q_values }))?;
        out.flush()?; // the answer may be waited for
    }
    eprintln!("{actions} actions, {:.0} a second", f64::from(actions) / acting.as_secs_f64());
    Ok(())
}

/// Returns the numbers of an array; `false` is 0 and `true` is 1.
fn numbers(array: &Value) -> Result<Vec<f32>> {
    let number = |value: &Value| value.as_f64().or(value.as_bool().map(|value| f64::from(u8::from(value))));
    let values = array.as_array().context("an observation is an array")?.iter();
    values.map(|value| Ok(number(value).with_context(|| format!("{value} is no number"))? as f32)).collect()
}
