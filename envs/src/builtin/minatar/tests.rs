//! The games alone, on one stream of draws for all episodes, as an environment of the package plays them when it is reset
//! without a seed. `tests/goldens/minatar_goldens.py` wrote down what is expected.

use serde::Deserialize;

use super::game::{Game, GameAction, SIDE};
use super::random_state::RandomState;
use super::sticky::StickyActions;
use super::*;

#[derive(Deserialize)]
struct Golden {
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    environment: Settings,
    seed: u32,
    /// `lcg`, `up` or a sequence.
    actions: String,
    rewards: u32,
    ends: u32,
    reset_hash: String,
    hash: String,
}

#[derive(Deserialize)]
struct Settings {
    name: String,
    sticky_action_prob: f64,
    difficulty_ramping: bool,
}

/// The package's numbers of a run's actions.
fn actions(run: &Run) -> Vec<usize> {
    match &*run.actions {
        "lcg" => {
            let mut state = run.seed;
            let draw = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                ((6 * u64::from(state)) >> 32) as usize
            };
            (0..3000).map(draw).collect()
        }
        "up" => vec![2; 6000],
        // Two actions a character.
        text => {
            let pair = |character: char| character.to_digit(36).map(|value| [value / 6, value % 6]);
            let found = text.chars().filter_map(pair).flatten().map(|action| action as usize);
            found.chain([0; 60]).collect()
        }
    }
}

/// 64-bit FNV-1a.
struct Hash(u64);

impl Hash {
    fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }

    fn add_observation<G: Game>(&mut self, game: &G) {
        let mut observation = vec![0; SIDE * SIDE * G::CHANNELS];
        game.observe(|x, y, channel| observation[(y as usize * SIDE + x as usize) * G::CHANNELS + channel] = 1);
        observation.into_iter().for_each(|byte| self.add(byte));
    }
}

fn assert_plays_as_written<G: Game>(run: &Run) {
    let Settings { name, sticky_action_prob, difficulty_ramping } = &run.environment;
    let (mut rng, mut sticky) = (RandomState::new(run.seed), StickyActions::new(*sticky_action_prob));
    let mut game = G::start(*difficulty_ramping, &mut rng);
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    hash.add_observation(&game);
    assert_eq!(format!("{:016x}", hash.0), run.reset_hash, "{name}, seed {}, reset", run.seed);
    let (mut rewards, mut ends) = (0, 0);
    for action in actions(run) {
        let outcome = game.step(sticky.choose(GameAction::ALL[action], &mut rng), &mut rng);
        hash.add(outcome.reward as u8);
        hash.add(outcome.terminal.into());
        hash.add_observation(&game);
        rewards += outcome.reward;
        ends += u32::from(outcome.terminal);
        if outcome.terminal {
            game = G::start(*difficulty_ramping, &mut rng);
            hash.add_observation(&game);
        }
    }
    let told = (rewards, ends, format!("{:016x}", hash.0));
    assert_eq!(told, (run.rewards, run.ends, run.hash.clone()), "{name}, seed {}, {}", run.seed, run.actions);
}

#[test]
fn games_are_the_packages_on_one_stream_of_draws() {
    let golden: Golden = serde_json::from_str(include_str!("../../../tests/goldens/minatar.json")).unwrap();
    assert_eq!(golden.runs.len(), 15);
    for run in &golden.runs {
        match &*run.environment.name {
            "minatar-asterix" => assert_plays_as_written::<Asterix>(run),
            "minatar-breakout" => assert_plays_as_written::<Breakout>(run),
            "minatar-freeway" => assert_plays_as_written::<Freeway>(run),
            "minatar-seaquest" => assert_plays_as_written::<Seaquest>(run),
            "minatar-space-invaders" => assert_plays_as_written::<SpaceInvaders>(run),
            name => panic!("there is no game {name}"),
        }
    }
}
