//! The lunar lander: settings, invalid actions, the render state, threads and vector environments.

#![cfg(feature = "gym")]

use std::thread;

use alrao_envs::{
    Environment, EnvironmentError, EnvironmentSettings, LanderRenderState, Registry, RenderState, Step, VectorEnv,
    heuristic,
};

fn settings(name: &str) -> EnvironmentSettings {
    EnvironmentSettings::new(name)
}

fn make(settings: &EnvironmentSettings) -> Result<Box<dyn Environment>, EnvironmentError> {
    Registry::builtin().make(settings)
}

fn lander() -> Box<dyn Environment> {
    make(&settings("lunar-lander")).unwrap()
}

fn render_state(env: &dyn Environment) -> LanderRenderState {
    match env.render_state() {
        Some(RenderState::Lander(state)) => state,
        other => panic!("not a lander: {other:?}"),
    }
}

#[test]
fn settings_out_of_range_are_errors() {
    let lander = |setting, value: f64| settings("lunar-lander").with(setting, value);
    // the nearest first
    let by_torques = "`reward_scale`, `turbulence_power`, `gravity`, `wind_power`, `enable_wind`";
    let by_continuous = "`enable_wind`, `turbulence_power`, `wind_power`, `reward_scale`, `gravity`";
    for (wrong, message) in [
        (lander("gravity", 0.0), "gravity = 0: must be between -12 and 0"),
        (lander("gravity", f64::NAN), "gravity = NaN: must be between -12 and 0"),
        (lander("wind_power", 20.5), "wind_power = 20.5: must be from 0 to 20"),
        (lander("turbulence_power", -0.1), "turbulence_power = -0.1: must be from 0 to 2"),
        (lander("torques", 5.0), &*format!("`torques` is not a setting of `lunar-lander`: it has {by_torques}")),
        (
            lander("continuous", 1.0),
            &*format!("`continuous` is not a setting of `lunar-lander`: it has {by_continuous}"),
        ),
        (
            settings("cartpole").with("enable_wind", true),
            "`enable_wind` is not a setting of `cartpole`: it has `reward_scale`",
        ),
    ] {
        assert_eq!(make(&wrong).err().expect("an error").to_string(), message);
    }
}

#[test]
fn an_invalid_continuous_action_is_an_error_and_changes_nothing() {
    let mut env = make(&settings("lunar-lander-continuous")).unwrap();
    assert_eq!((env.num_actions(), env.action_dim()), (0, 2));
    env.reset(3).unwrap();
    let before = (env.observation().to_vec(), env.render_state());
    for (action, message) in [
        (&[0.0, f32::NAN][..], "environment `lunar-lander-continuous`: the action's number 1 is NaN"),
        (&[0.0], "environment `lunar-lander-continuous`: the action has 1 numbers, but the action space has 2"),
    ] {
        assert_eq!(env.step_continuous(action).unwrap_err().to_string(), message);
    }
    let message = env.step(0).unwrap_err().to_string();
    let expected = "the action space is continuous: call `step_continuous` with 2 numbers, not `step`";
    assert_eq!(message, format!("environment `lunar-lander-continuous`: {expected}"));
    assert_eq!((env.observation().to_vec(), env.render_state()), before);

    let mut clipped = make(&settings("lunar-lander-continuous")).unwrap();
    clipped.reset(3).unwrap();
    let infinite = env.step_continuous(&[f32::INFINITY, f32::NEG_INFINITY]).unwrap();
    assert_eq!(infinite, clipped.step_continuous(&[1.0, -1.0]).unwrap());
    assert_eq!(env.observation(), clipped.observation());
}

#[test]
fn the_render_state_agrees_with_the_episode() {
    let mut env = lander();
    assert_eq!(env.render_state(), None);
    env.reset(1).unwrap();
    let LanderRenderState { terrain, helipad, lander, legs, .. } = render_state(env.as_ref());
    assert_eq!(terrain.len(), 11);
    assert_eq!((terrain[0][0], terrain[10][0]), (0.0, 20.0));
    assert_eq!((helipad[0], helipad[1]), (8.0, 12.0));
    assert!((terrain[5][1] - helipad[2]).abs() < 0.05, "the pad is as high as the ground there");
    assert!((lander.x - 10.0).abs() < 1.0 && lander.y > 12.0, "{lander:?}");
    assert!(legs[1].x < lander.x && lander.x < legs[0].x, "{legs:?}");

    for (action, powers) in [(2, (1.0, 0.0)), (1, (0.0, -1.0)), (3, (0.0, 1.0)), (0, (0.0, 0.0))] {
        env.step(action).unwrap();
        let LanderRenderState { main_power, side_power, .. } = render_state(env.as_ref());
        assert_eq!((main_power, side_power), powers, "action {action}");
    }
    while !env.step(heuristic::land(env.observation())).unwrap().ended() {
        let contact = render_state(env.as_ref()).leg_contact.map(|touches| f32::from(u8::from(touches)));
        assert_eq!(contact, env.observation()[6..]);
    }
    assert_eq!(render_state(env.as_ref()).leg_contact, [true, true]);
}

#[test]
fn episodes_on_different_threads_are_independent() {
    let returns = || -> Vec<f64> {
        let mut env = lander();
        let mut episode = |seed| {
            env.reset(seed).unwrap();
            let mut total = 0.0;
            loop {
                let step = env.step(heuristic::land(env.observation())).unwrap();
                total += step.reward;
                if step.ended() {
                    return total;
                }
            }
        };
        (0..5).map(&mut episode).collect()
    };
    let parallel = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(returns)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let sequential = returns();
    assert!(parallel.iter().all(|returns| *returns == sequential));
}

/// An environment's observation after a step, its next observation, and the step's reward and flags.
type Outcome = (Vec<f32>, Vec<f32>, Step);

const STEPS: usize = 500;

fn seed(env: usize, episode: u64) -> u64 {
    100 * env as u64 + episode
}

/// Returns the heuristic's action in even environments, else an arbitrary one.
fn action(env: usize, t: usize, observation: &[f32]) -> usize {
    if env.is_multiple_of(2) { heuristic::land(observation) } else { (t * t / 7 + t + env) % 4 }
}

fn vector_env(settings: &EnvironmentSettings, num_envs: usize, threads: usize) -> Vec<Vec<Outcome>> {
    let (count, threads) = (num_envs.try_into().unwrap(), threads.try_into().unwrap());
    let mut envs = VectorEnv::new(count, threads, |_| make(settings), seed).unwrap();
    envs.reset().unwrap();
    let mut outcomes = vec![Vec::new(); num_envs];
    for t in 0..STEPS {
        let observations = envs.observations().chunks(8).enumerate();
        let actions: Vec<_> = observations.map(|(env, observation)| action(env, t, observation)).collect();
        envs.step(&actions).unwrap();
        let rows = envs.final_observations().chunks(8).zip(envs.observations().chunks(8)).zip(envs.steps());
        for (outcomes, ((last, next), step)) in outcomes.iter_mut().zip(rows) {
            outcomes.push((last.to_vec(), next.to_vec(), *step));
        }
    }
    outcomes
}

fn single_env(settings: &EnvironmentSettings, index: usize) -> Vec<Outcome> {
    let mut env = make(settings).unwrap();
    let mut episode = 0;
    env.reset(seed(index, episode)).unwrap();
    let outcomes = (0..STEPS).map(|t| {
        let step = env.step(action(index, t, env.observation())).unwrap();
        let last = env.observation().to_vec();
        if step.ended() {
            episode += 1;
            env.reset(seed(index, episode)).unwrap();
        }
        (last, env.observation().to_vec(), step)
    });
    outcomes.collect()
}

#[test]
fn a_vector_environment_equals_single_environments() {
    let default = settings("lunar-lander");
    let windy = default.clone().with("enable_wind", true).with("gravity", -7.5);
    for settings in [default, windy] {
        let expected: Vec<_> = (0..14).map(|index| single_env(&settings, index)).collect();
        let all = || expected.iter().flatten();
        assert!(all().filter(|(last, ..)| last[6..] != [0.0, 0.0]).count() > 100, "legs touch the ground");
        for ended in [-100.0, 100.0] {
            assert!(all().any(|(.., step)| step.terminated && step.reward == ended), "an episode ends with {ended}");
        }
        // with some or no empty SIMD lanes, and a single environment per thread
        for (num_envs, threads) in [(14, 1), (14, 3), (8, 1), (2, 2)] {
            let found = vector_env(&settings, num_envs, threads);
            assert!(found == expected[..num_envs], "{num_envs} environments, {threads} threads");
        }
    }
}
