//! MinAtar's games against the package's, on traces that `goldens/minatar_goldens.py` wrote down.

#![cfg(feature = "gym")]

use std::error::Error;

use alrao_envs::numpy_random::default_rng;
use alrao_envs::{Environment, EnvironmentSettings, ObservationRef, Registry, RenderState, Step};
use serde::Deserialize;

type Outcome = Result<(), Box<dyn Error>>;

#[derive(Deserialize)]
struct Golden {
    traces: Vec<Trace>,
}

#[derive(Deserialize)]
struct Trace {
    environment: EnvironmentSettings,
    seed: u64,
    episodes: u64,
    checks: String,
}

const STEPS: usize = 500;
const EVERY: usize = 10;

fn cells(env: &dyn Environment) -> &[bool] {
    match env.typed_observation() {
        ObservationRef::Bool(cells) => cells,
        other => panic!("{} in a game", other.dtype()),
    }
}

/// 64-bit FNV-1a of the observations, each cell as a byte, and the steps' rewards and terminal flags.
struct Hash(u64);

impl Hash {
    fn add(&mut self, bytes: impl IntoIterator<Item = u8>) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn add_observation(&mut self, env: &dyn Environment) {
        self.add(cells(env).iter().map(|&value| value.into()));
    }
}

fn games() -> impl Iterator<Item = &'static str> {
    ["asterix", "breakout", "freeway", "seaquest", "space-invaders"].into_iter()
}

fn game(name: &str) -> EnvironmentSettings {
    EnvironmentSettings::new(format!("minatar-{name}"))
}

#[test]
fn episodes_are_the_packages() -> Outcome {
    let golden: Golden = serde_json::from_str(include_str!("goldens/minatar.json"))?;
    assert_eq!(golden.traces.len(), 100);
    for Trace { environment, seed, episodes, checks } in golden.traces {
        let mut env = Registry::builtin().make(&environment)?;
        let mut draws = default_rng(seed + 1);
        let (mut hash, mut episode) = (Hash(0xcbf2_9ce4_8422_2325), 0);
        env.reset(seed)?;
        hash.add_observation(&*env);
        for step in 1..=STEPS {
            let outcome = env.step(draws.integers(0, env.num_actions() as i32) as usize)?;
            hash.add_observation(&*env);
            hash.add([outcome.reward as u8, outcome.terminated.into()]);
            if outcome.terminated {
                episode += 1;
                env.reset(seed + 1000 * episode)?;
                hash.add_observation(&*env);
            }
            if step % EVERY == 0 {
                let at = 4 * (step / EVERY - 1);
                let seen = format!("{:04x}", hash.0 & 0xffff);
                let steps = step - EVERY + 1..=step;
                assert_eq!(seen, checks[at..at + 4], "{environment:?}, seed {seed}, in one of the steps {steps:?}");
            }
        }
        assert_eq!(episode, episodes, "{environment:?}, seed {seed}");
    }
    Ok(())
}

#[test]
fn the_low_half_of_a_seed_counts() -> Outcome {
    let opening = |seed| {
        let mut env = Registry::builtin().make(&game("freeway"))?;
        env.reset(seed)?;
        (0..50).try_for_each(|_| env.step(1).map(drop))?;
        Ok::<_, Box<dyn Error>>(cells(&*env).to_vec())
    };
    assert_eq!(opening(7)?, opening(7 + (5 << 32))?);
    assert_ne!(opening(7)?, opening(8)?);
    Ok(())
}

#[test]
fn the_full_action_space_has_what_does_nothing_too() -> Outcome {
    for (name, minimal) in games().zip([5, 3, 3, 6, 4]) {
        let count = |settings| Registry::builtin().make(settings).map(|env| env.num_actions());
        let full = game(name).with("full_action_space", true);
        assert_eq!((count(&game(name))?, count(&full)?), (minimal, 6), "{name}");
    }
    Ok(())
}

#[test]
fn an_action_always_repeated_is_the_first_one_of_all() -> Outcome {
    let mut env = Registry::builtin().make(&game("breakout").with("sticky_action_prob", 1.0))?;
    env.reset(3)?;
    let paddle = |env: &dyn Environment| (0..10).find(|x| cells(env)[(90 + x) * 4]);
    for _ in 0..4 {
        env.step(1)?;
    }
    assert_eq!(paddle(&*env), Some(4));
    Ok(())
}

#[test]
fn an_episode_that_goes_on_is_truncated() -> Outcome {
    // Under water nothing lasts; above it, nothing happens that ends the game.
    let mut env = Registry::builtin().make(&game("seaquest").with("sticky_action_prob", 0.0))?;
    env.reset(0)?;
    let steps: Vec<Step> = (0..10_000).map(|_| env.step(0)).collect::<Result<_, _>>()?;
    let (last, others) = steps.split_last().expect("some steps");
    assert!(!others.iter().any(Step::ended));
    assert_eq!((last.terminated, last.truncated), (false, true));
    Ok(())
}

#[test]
fn the_render_state_is_what_is_observed() -> Outcome {
    for name in games() {
        let mut env = Registry::builtin().make(&game(name))?;
        assert_eq!(env.render_state(), None, "{name}");
        env.reset(2)?;
        for action in [0, 1, 2].repeat(9) {
            if env.step(action)?.ended() {
                break;
            }
        }
        let Some(RenderState::Grid(state)) = env.render_state() else { return Err("no grid".into()) };
        let observed = cells(&*env).to_vec();
        assert_eq!(state.cells, observed, "{name}");
        assert_eq!(state.shape.iter().product::<usize>(), observed.len(), "{name}");
    }
    Ok(())
}

#[test]
fn wrong_names_and_settings_are_told() {
    let refusal = |settings: EnvironmentSettings| Registry::builtin().make(&settings).err().unwrap().to_string();
    let told = refusal(game("brakout"));
    assert!(told.starts_with("there is no environment `minatar-brakout`: did you mean `minatar-breakout`"), "{told}");
    assert_eq!(
        refusal(game("freeway").with("sticky_action_probability", 0.1)),
        "`sticky_action_probability` is not a setting of `minatar-freeway`: it has `sticky_action_prob`, \
         `difficulty_ramping`, `full_action_space`, `reward_scale`"
    );
    for value in [-0.1, 1.5, f64::NAN] {
        assert_eq!(
            refusal(game("asterix").with("sticky_action_prob", value)),
            format!("sticky_action_prob = {value}: must be from 0 to 1")
        );
    }
    assert_eq!(
        refusal(game("seaquest").with("difficulty_ramping", 1)),
        "difficulty_ramping = 1: invalid type: integer `1`, expected a boolean"
    );
}
