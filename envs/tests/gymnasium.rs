//! Bitwise comparison of all environments with Gymnasium's episodes, recorded by `goldens/goldens.py`.

#![cfg(feature = "gym")]

use std::error::Error;
use std::fs;
use std::path::Path;

use alrao_envs::numpy_random::{Generator, default_rng};
use alrao_envs::{Environment, EnvironmentSettings, Registry, Step, heuristic};
use serde::Deserialize;

type Outcome = Result<(), Box<dyn Error>>;

#[derive(Deserialize)]
struct Golden {
    scripted_mean: f64,
    variants: Vec<Variant>,
}

#[derive(Deserialize)]
struct Variant {
    environment: EnvironmentSettings,
    episodes: Vec<Episode>,
    trace: Vec<(Vec<f32>, f64)>,
}

#[derive(Deserialize)]
struct Episode {
    seed: u64,
    policy: Policy,
    steps: usize,
    hash: String,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Policy {
    Random,
    Scripted,
    Mixed,
}

fn golden() -> Result<Golden, Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/gymnasium.json");
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// A step and the observation after it.
type Row = (Vec<f32>, Step);

/// Plays an episode like `goldens/play.py`.
fn play(settings: &EnvironmentSettings, seed: u64, policy: Policy) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut env = Registry::builtin().make(settings)?;
    let mut draws = default_rng(seed + 1);
    env.reset(seed)?;
    let mut rows = vec![(env.observation().to_vec(), Step { reward: 0.0, terminated: false, truncated: false })];
    while !rows.last().is_some_and(|(_, step)| step.ended()) {
        let scripted = match policy {
            Policy::Random => false,
            Policy::Scripted => true,
            Policy::Mixed => draws.uniform(0.0, 1.0) < 0.5,
        };
        let step = if scripted {
            scripted_step(env.as_mut(), &settings.name)?
        } else {
            random_step(env.as_mut(), &settings.name, &mut draws)?
        };
        rows.push((env.observation().to_vec(), step));
    }
    Ok(rows)
}

fn scripted_step(env: &mut dyn Environment, name: &str) -> Result<Step, Box<dyn Error>> {
    let observation = env.observation();
    let last = env.num_actions().saturating_sub(1);
    let along = |index: usize| if observation[index] > 0.0 { last } else { 0 };
    let action = match name {
        "acrobot" => along(5),
        "cartpole" => along(3),
        "mountain-car" => along(1),
        "lunar-lander" => heuristic::land(observation),
        "lunar-lander-continuous" => return Ok(env.step_continuous(&heuristic::land_continuous(observation))?),
        name => return Err(format!("there is no script for {name}").into()),
    };
    Ok(env.step(action)?)
}

fn random_step(env: &mut dyn Environment, name: &str, draws: &mut Generator) -> Result<Step, Box<dyn Error>> {
    if env.action_dim() == 0 {
        return Ok(env.step(draws.integers(0, env.num_actions() as i32) as usize)?);
    }
    let limit = if name == "pendulum-continuous" { 2.0 } else { 1.0 };
    let action: Vec<f32> = (0..env.action_dim()).map(|_| draws.uniform(-1.25 * limit, 1.25 * limit) as f32).collect();
    Ok(env.step_continuous(&action)?)
}

/// Hashes the rows' bytes with 64-bit FNV-1a.
fn hash(rows: &[Row]) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for &byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    };
    for (observation, step) in rows {
        observation.iter().for_each(|value| add(&value.to_le_bytes()));
        add(&step.reward.to_le_bytes());
        add(&[step.terminated, step.truncated].map(u8::from));
    }
    format!("{hash:016x}")
}

#[test]
fn episodes_are_bit_identical_to_gymnasiums() -> Outcome {
    for Variant { environment, episodes, trace } in golden()?.variants {
        let first = play(&environment, episodes[0].seed, episodes[0].policy)?;
        for (step, ((observation, outcome), expected)) in first.iter().zip(&trace).enumerate() {
            assert_eq!((observation, outcome.reward), (&expected.0, expected.1), "{environment:?}, step {step}");
        }
        for Episode { seed, policy, steps, hash: expected } in episodes {
            let rows = play(&environment, seed, policy)?;
            assert_eq!((rows.len() - 1, hash(&rows)), (steps, expected), "{environment:?}, seed {seed}");
        }
    }
    Ok(())
}

#[test]
fn the_mean_return_of_the_heuristic_equals_gymnasiums() -> Outcome {
    let lander = EnvironmentSettings::new("lunar-lander");
    let mut total = 0.0;
    for seed in 0..100 {
        let rows = play(&lander, seed, Policy::Scripted)?;
        total += rows.iter().fold(0.0, |sum, (_, step)| sum + step.reward);
    }
    assert_eq!(total / 100.0, golden()?.scripted_mean);
    Ok(())
}
