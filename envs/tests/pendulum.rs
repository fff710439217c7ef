//! Bitwise comparison of the pendulum with Gymnasium's episodes, recorded by `goldens/pendulum.py`.

#![cfg(feature = "gym")]

use std::error::Error;
use std::fs;
use std::path::Path;

use alrao_envs::{
    Environment, EnvironmentSettings, Pendulum, PendulumEnv, PendulumRenderState, Registry, RenderState, Resumable,
    Step,
};
use gym_rs::core::{ActionReward, Env};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    episodes: Vec<Episode>,
}

#[derive(Deserialize)]
struct Episode {
    seed: u64,
    torques: Vec<f32>,
    observations: Vec<[f32; 3]>,
    rewards: Vec<f64>,
}

fn episodes() -> Result<Vec<Episode>, Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/pendulum.json");
    let golden: Golden = serde_json::from_slice(&fs::read(path)?)?;
    Ok(golden.episodes)
}

fn pendulum() -> Result<Box<dyn Environment>, Box<dyn Error>> {
    Ok(Registry::builtin().make(&EnvironmentSettings::new("pendulum"))?)
}

fn to_f32(state: impl Into<Vec<f64>>) -> Vec<f32> {
    state.into().iter().map(|&value| value as f32).collect()
}

#[test]
fn episodes_with_continuous_torques_equal_gymnasiums() -> Result<(), Box<dyn Error>> {
    let mut pendulum = Pendulum::new();
    for Episode { seed, torques, observations, rewards } in episodes()? {
        let (start, _) = pendulum.reset(Some(seed), false, None);
        assert_eq!(to_f32(start), observations[0], "seed {seed}");
        for (step, torque) in torques.into_iter().enumerate() {
            let ActionReward { observation, reward, .. } = pendulum.step(torque);
            assert_eq!(reward.into_inner(), rewards[step], "seed {seed}, step {step}");
            assert_eq!(to_f32(observation), observations[step + 1], "seed {seed}, step {step}");
        }
    }
    Ok(())
}

#[test]
fn episodes_with_five_discrete_torques_equal_gymnasiums() -> Result<(), Box<dyn Error>> {
    let mut env = pendulum()?;
    for Episode { seed, torques, observations, rewards } in episodes()?.into_iter().step_by(2) {
        env.reset(seed)?;
        for (step, torque) in torques.into_iter().enumerate() {
            let action = (torque + 2.0) as usize;
            let truncated = step + 1 == 200;
            let expected = Step { reward: rewards[step], terminated: false, truncated };
            assert_eq!(env.step(action)?, expected, "seed {seed}, step {step}");
            assert_eq!(env.observation(), observations[step + 1], "seed {seed}, step {step}");
        }
    }
    Ok(())
}

#[test]
fn the_first_and_last_action_have_the_maximum_torque() -> Result<(), Box<dyn Error>> {
    for torques in [2, 3, 4, 31] {
        let mut pendulum = Pendulum::new();
        let mut env = PendulumEnv::discrete(torques)?;
        assert_eq!(env.num_actions(), torques);
        for (action, torque) in [(0, -2.0), (torques - 1, 2.0)] {
            pendulum.reset(Some(1), false, None);
            env.reset(1)?;
            let expected = pendulum.step(torque);
            assert_eq!(env.step(action)?.reward, expected.reward.into_inner());
            assert_eq!(env.observation(), to_f32(expected.observation));
        }
    }
    Ok(())
}

#[test]
fn a_restored_episode_continues_identically() -> Result<(), Box<dyn Error>> {
    let mut env = Resumable::new(pendulum()?);
    env.reset(11)?;
    for step in 0..120 {
        env.step(step % 5)?;
    }
    let saved = serde_json::to_string(&env.snapshot())?;
    let mut restored = Resumable::new(pendulum()?);
    restored.restore(&serde_json::from_str(&saved)?)?;
    for step in 0..80 {
        assert_eq!(restored.observation(), env.observation());
        assert_eq!(restored.step(step * 7 % 5)?, env.step(step * 7 % 5)?);
    }
    assert_eq!(restored.snapshot(), env.snapshot());
    assert!(restored.step(0).is_err(), "the episode has ended after 200 steps");
    Ok(())
}

#[test]
fn the_render_state_has_the_angle_and_the_last_torque() -> Result<(), Box<dyn Error>> {
    let mut env = Resumable::new(pendulum()?);
    let torque = |env: &dyn Environment| match env.render_state() {
        Some(RenderState::Pendulum(PendulumRenderState { theta, torque })) => {
            let [cos, sin, _] = env.observation() else { panic!("three values") };
            assert_eq!([theta.cos() as f32, theta.sin() as f32], [*cos, *sin]);
            torque
        }
        scene => panic!("{scene:?}"),
    };
    env.reset(0)?;
    assert_eq!(torque(&env), None);
    env.step(0)?;
    assert_eq!(torque(&env), Some(-2.0));
    env.reset(0)?;
    assert_eq!(torque(&env), None);
    Ok(())
}
