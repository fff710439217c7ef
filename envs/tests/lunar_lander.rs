//! The lunar lander apart from its episodes: settings, refusals, what there is to draw, worlds side by side.

#![cfg(feature = "gym")]

use std::thread;

use alrao_envs::{
    Environment, EnvironmentError, EnvironmentSettings, LanderScene, Registry, Scene, Step, Vector, heuristic,
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

fn scene(env: &dyn Environment) -> LanderScene {
    match env.scene() {
        Some(Scene::Lander(scene)) => scene,
        other => panic!("no lander to draw: {other:?}"),
    }
}

#[test]
fn settings_beyond_what_box2d_was_tried_with_are_refused() {
    let lander = |setting, value: f64| settings("lunar-lander").with(setting, value);
    // the nearest first
    let by_torques = "`reward_scale`, `turbulence_power`, `gravity`, `wind_power`, `enable_wind`";
    let by_continuous = "`enable_wind`, `turbulence_power`, `wind_power`, `reward_scale`, `gravity`";
    for (wrong, told) in [
        (lander("gravity", 0.0), "gravity = 0: it must be between -12 and 0"),
        (lander("gravity", f64::NAN), "gravity = NaN: it must be between -12 and 0"),
        (lander("wind_power", 20.5), "wind_power = 20.5: it must be from 0 to 20"),
        (lander("turbulence_power", -0.1), "turbulence_power = -0.1: it must be from 0 to 2"),
        (lander("torques", 5.0), &*format!("`torques` is no setting of `lunar-lander`: it has {by_torques}")),
        (lander("continuous", 1.0), &*format!("`continuous` is no setting of `lunar-lander`: it has {by_continuous}")),
        (
            settings("cartpole").with("enable_wind", true),
            "`enable_wind` is no setting of `cartpole`: it has `reward_scale`",
        ),
    ] {
        assert_eq!(make(&wrong).err().expect("not to be made").to_string(), told);
    }
}

#[test]
fn a_throttle_that_is_no_number_is_refused_and_changes_nothing() {
    let mut env = make(&settings("lunar-lander-continuous")).unwrap();
    assert_eq!((env.action_count(), env.action_len()), (0, 2));
    env.reset(3).unwrap();
    let before = (env.observation().to_vec(), env.scene());
    for (action, told) in [
        (&[0.0, f32::NAN][..], "the action's number 1 is NaN"),
        (&[0.0], "the action has 1 numbers where 2 are expected"),
    ] {
        assert_eq!(env.step_continuous(action).unwrap_err().to_string(), told);
    }
    let told = env.step(0).unwrap_err().to_string();
    assert_eq!(told, "this environment's actions are continuous: 2 numbers each, not an action's number");
    assert_eq!((env.observation().to_vec(), env.scene()), before);

    let mut clipped = make(&settings("lunar-lander-continuous")).unwrap();
    clipped.reset(3).unwrap();
    let infinite = env.step_continuous(&[f32::INFINITY, f32::NEG_INFINITY]).unwrap();
    assert_eq!(infinite, clipped.step_continuous(&[1.0, -1.0]).unwrap());
    assert_eq!(env.observation(), clipped.observation());
}

#[test]
fn a_scene_shows_what_is_flown() {
    let mut env = lander();
    assert_eq!(env.scene(), None);
    env.reset(1).unwrap();
    let LanderScene { terrain, helipad, lander, legs, .. } = scene(env.as_ref());
    assert_eq!(terrain.len(), 11);
    assert_eq!((terrain[0][0], terrain[10][0]), (0.0, 20.0));
    assert_eq!((helipad[0], helipad[1]), (8.0, 12.0));
    assert!((terrain[5][1] - helipad[2]).abs() < 0.05, "the pad is as high as the ground there");
    assert!((lander.x - 10.0).abs() < 1.0 && lander.y > 12.0, "{lander:?}");
    assert!(legs[1].x < lander.x && lander.x < legs[0].x, "{legs:?}");

    for (action, powers) in [(2, (1.0, 0.0)), (1, (0.0, -1.0)), (3, (0.0, 1.0)), (0, (0.0, 0.0))] {
        env.step(action).unwrap();
        let LanderScene { main_power, side_power, .. } = scene(env.as_ref());
        assert_eq!((main_power, side_power), powers, "action {action}");
    }
    while !env.step(heuristic::land(env.observation())).unwrap().ended() {
        let contact = scene(env.as_ref()).leg_contact.map(|touches| f32::from(u8::from(touches)));
        assert_eq!(contact, env.observation()[6..]);
    }
    assert_eq!(scene(env.as_ref()).leg_contact, [true, true]);
}

#[test]
fn worlds_of_different_threads_are_strangers() {
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
    let together = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(returns)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let alone = returns();
    assert!(together.iter().all(|returns| *returns == alone));
}

/// What a copy saw after a step, what it sees next, and the step's reward and flags.
type Seen = (Vec<f32>, Vec<f32>, Step);

const STEPS: usize = 500;

fn seed(copy: usize, episode: u64) -> u64 {
    100 * copy as u64 + episode
}

/// Lands in the even copies, and does anything in the others.
fn action(copy: usize, t: usize, observation: &[f32]) -> usize {
    if copy.is_multiple_of(2) { heuristic::land(observation) } else { (t * t / 7 + t + copy) % 4 }
}

fn together(settings: &EnvironmentSettings, copies: usize, threads: usize) -> Vec<Vec<Seen>> {
    let (many, threads) = (copies.try_into().unwrap(), threads.try_into().unwrap());
    let mut vector = Vector::new(many, threads, |_| make(settings), seed).unwrap();
    vector.reset().unwrap();
    let mut seen = vec![Vec::new(); copies];
    for t in 0..STEPS {
        let actions: Vec<_> =
            vector.observations().chunks(8).enumerate().map(|(copy, seen)| action(copy, t, seen)).collect();
        vector.step(&actions).unwrap();
        let rows = vector.reached().chunks(8).zip(vector.observations().chunks(8)).zip(vector.steps());
        for (seen, ((reached, next), step)) in seen.iter_mut().zip(rows) {
            seen.push((reached.to_vec(), next.to_vec(), *step));
        }
    }
    seen
}

fn alone(settings: &EnvironmentSettings, copy: usize) -> Vec<Seen> {
    let mut env = make(settings).unwrap();
    let mut episode = 0;
    env.reset(seed(copy, episode)).unwrap();
    let taken = (0..STEPS).map(|t| {
        let step = env.step(action(copy, t, env.observation())).unwrap();
        let reached = env.observation().to_vec();
        if step.ended() {
            episode += 1;
            env.reset(seed(copy, episode)).unwrap();
        }
        (reached, env.observation().to_vec(), step)
    });
    taken.collect()
}

#[test]
fn landers_fly_together_as_they_fly_alone() {
    let usual = settings("lunar-lander");
    let windy = usual.clone().with("enable_wind", true).with("gravity", -7.5);
    for settings in [usual, windy] {
        let expected: Vec<_> = (0..14).map(|copy| alone(&settings, copy)).collect();
        let all = || expected.iter().flatten();
        assert!(all().filter(|(reached, ..)| reached[6..] != [0.0, 0.0]).count() > 100, "legs touch the ground");
        for ended in [-100.0, 100.0] {
            assert!(all().any(|(.., step)| step.terminated && step.reward == ended), "an episode ends with {ended}");
        }
        // in lanes of which some are empty, or none, and one by one
        for (copies, threads) in [(14, 1), (14, 3), (8, 1), (2, 2)] {
            assert!(together(&settings, copies, threads) == expected[..copies], "{copies} copies, {threads} threads");
        }
    }
}
