//! The examples, run as their readers run them.

#[path = "../examples/callback.rs"]
mod callback;
#[path = "../examples/custom_body.rs"]
mod custom_body;
#[path = "../examples/custom_environment.rs"]
mod custom_environment;
#[path = "../examples/gym_rs_environment.rs"]
mod gym_rs_environment;
#[path = "../examples/play_run.rs"]
mod play_run;
#[path = "../examples/q_values.rs"]
mod q_values;
#[path = "../examples/supervised.rs"]
mod supervised;
#[path = "../examples/sweep.rs"]
mod sweep;
#[path = "../examples/tic_tac_toe.rs"]
mod tic_tac_toe;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alrao::envs::EnvironmentSettings;
use alrao::{App, Config, Run, runs};

/// Trains a run of this program from a configuration and `KEY=VALUE` settings; returns its mean test return.
fn train(app: App, config: &str, sets: &[&str]) -> f64 {
    let catalog = app.catalog().unwrap();
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    let root = tempfile::tempdir().unwrap();
    let run = Run::create(root.path().join("run"), Config::read(config, &sets, &catalog).unwrap(), &catalog).unwrap();
    run.train().unwrap().outcome.primary_metric().unwrap()
}

#[test]
fn a_custom_environment_is_learned_with_the_defaults() {
    let mean = train(
        custom_environment::app(),
        "catch",
        &["schedule.steps=20000", "schedule.validation_episodes=20", "device=cpu"],
    );
    assert!(mean > 0.9, "mean return {mean}, at most 1");
}

#[test]
fn settings_of_a_custom_environment_are_set_and_checked() {
    let catalog = custom_environment::app().catalog().unwrap();
    let read = |set: &str| {
        let config = Config::read("catch", &[set.into()], &catalog).and_then(|config| config.resolve(&catalog));
        config.map(drop).map_err(|error| format!("{error:#}"))
    };
    read("environment.width=9").unwrap();
    let error = read("environment.widht=9").unwrap_err();
    assert!(error.contains("`widht` is not a setting of `catch`: it has `width`, `height`"), "{error}");
    let error = read("environment.width=1").unwrap_err();
    assert!(error.contains("width and height must be at least 2"), "{error}");
}

/// In training, validations and test, and by several environments.
#[test]
fn with_action_masks_a_game_is_won_without_one_illegal_action() {
    let illegal = Arc::new(AtomicU64::new(0));
    let play = |sets: &[&str]| {
        let small = ["device=cpu", "schedule.validation_episodes=200", "schedule.test_episodes=300"];
        let fast = ["agent.network.hidden_sizes=[128,128]", "agent.num_envs=8", "agent.train_freq=2"];
        train(tic_tac_toe::app(Arc::clone(&illegal)), "tic-tac-toe", &[&small[..], &fast, sets].concat())
    };
    let mean = play(&["schedule.steps=24000"]);
    assert!(mean >= 0.9, "mean result {mean}, at most 1");
    assert_eq!(illegal.load(Ordering::Relaxed), 0);
    play(&["schedule.steps=1100", "environment.masked=false"]);
    assert!(illegal.load(Ordering::Relaxed) > 0, "without masks, fields are taken twice");
}

#[test]
fn a_custom_environment_is_shown_by_its_scene() {
    let catalog = custom_environment::app().catalog().unwrap();
    let mut environment = catalog.environments.make(&EnvironmentSettings::new("catch")).unwrap();
    environment.reset(3).unwrap(); // the ball in the middle of the top row, the paddle at the left
    let frame = environment.render_state().unwrap().render();
    let pixel = |x: usize, y: usize| &frame.rgb()[3 * (y * 300 + x)..][..3];
    assert_eq!([pixel(150, 21), pixel(21, 278), pixel(150, 278)], [[204, 77, 77], [0; 3], [255; 3]]);

    let root = tempfile::tempdir().unwrap();
    let sets = ["schedule.steps=600", "schedule.validate_every=300", "schedule.validation_episodes=2", "device=cpu"];
    let sets: Vec<String> =
        sets.into_iter().chain(["schedule.record=true", "agent.learning_starts=100"]).map(Into::into).collect();
    let config = Config::read("catch", &sets, &catalog).unwrap();
    let run = Run::create(root.path().join("run"), config, &catalog).unwrap();
    run.train().unwrap();
    let gif = root.path().join("episode.gif");
    let episode = runs::episode(&catalog, run.path(), None).unwrap();
    assert!(episode.describe().ends_with(", length 6"), "{}", episode.describe());
    episode.save_gif(&gif).unwrap();
    let recordings = run.path().join("recordings");
    for gif in [gif, recordings.join("step-300.gif"), recordings.join("step-600.gif")] {
        let bytes = std::fs::read(&gif).unwrap();
        let frames = bytes.windows(3).filter(|bytes| bytes == b"\x21\xf9\x04").count(); // of six steps and the reset
        assert!(bytes.starts_with(b"GIF89a") && frames == 7, "{}: {frames} frames", gif.display());
    }
}

#[test]
fn a_gym_rs_environment_is_trained() {
    let sets = ["schedule.steps=1500", "schedule.validation_episodes=1", "schedule.test_episodes=2", "device=cpu"];
    assert!(train(gym_rs_environment::app(), "gym-rs-cartpole", &sets) > 0.0);
}

#[test]
fn a_custom_body_learns_cartpole_better_than_chance() {
    let sets = [
        "agent.network.body=fourier",
        "agent.network.hidden_sizes=[64]",
        "schedule.steps=8000",
        "schedule.validation_episodes=3",
        "schedule.test_episodes=10",
        "device=cpu",
    ];
    let mean = train(custom_body::app(), "cartpole", &sets);
    assert!(mean > 60.0, "mean return {mean}; a random policy has 22");
}

#[test]
fn a_callback_records_metrics_and_stops_a_run() {
    let catalog = App::new().callback(|| callback::LongEpisodes::new(30.0)).catalog().unwrap();
    let sets = ["schedule.steps=9000", "schedule.validation_episodes=2", "schedule.test_episodes=2", "device=cpu"];
    let sets: Vec<String> = sets.iter().map(|set| set.to_string()).collect();
    let root = tempfile::tempdir().unwrap();
    let config = Config::read("cartpole", &sets, &catalog).unwrap();
    let run = Run::create(root.path().join("run"), config, &catalog).unwrap();
    let summary = run.train().unwrap();
    let alrao::summary::Outcome::Agent { steps, stopped, test, .. } = &summary.outcome else { unreachable!() };
    assert!(*steps < 9000 && test.is_some(), "{steps} steps");
    assert!(stopped.as_ref().unwrap().starts_with("the mean length of 10 episodes is"), "{stopped:?}");
    assert_eq!(run.train().unwrap(), summary, "a stopped run is done");
    let metrics = std::fs::read_to_string(run.path().join("metrics.jsonl")).unwrap();
    assert!(metrics.contains(r#"{"kind":"metric","step":"#) && metrics.contains(r#""name":"mean_length","value":"#));
    let figure = alrao::plots::metrics(&run.path().into()).unwrap();
    figure.save(&root.path().join("metrics.svg")).unwrap();
    assert!(std::fs::read_to_string(root.path().join("metrics.svg")).unwrap().contains("mean_length"));
    let twice = App::new().callback(callback::LongEpisodes::default).callback(callback::LongEpisodes::default);
    let config = run.config().clone();
    let error = Run::create(root.path().join("twice"), config, &twice.catalog().unwrap()).and_then(|run| run.train());
    assert!(error.unwrap_err().to_string().contains("two callbacks named `long_episodes`"));
    let error = Run::open(run.path(), &alrao::Catalog::builtin()).unwrap().train();
    assert!(error.is_ok(), "a run that is done needs no callback");
}

#[test]
fn supervised_networks_learn() {
    let error = supervised::regression(1000).unwrap();
    assert!(error < 0.02, "mean squared error {error}; that of 0 is 0.17");
    let accuracy = supervised::classification(1000).unwrap();
    assert!(accuracy > 0.95, "accuracy {accuracy}");
}

#[test]
fn a_run_is_played_from_code() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let episode_return = play_run::play(&run, 1_500).unwrap();
    assert!(episode_return > 0.0);

    let (observations, mut answers) = ("[0.0,0.1,0.0,-0.1]\n[0,0,0.2,0]\n", Vec::new());
    q_values::answer(run.to_str().unwrap(), observations.as_bytes(), &mut answers).unwrap();
    let answers: Vec<serde_json::Value> =
        String::from_utf8(answers).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 2);
    for answer in answers {
        let values: Vec<f64> = serde_json::from_value(answer["q_values"].clone()).unwrap();
        let best = usize::from(values[1] > values[0]);
        assert_eq!((values.len(), &answer["action"]), (2, &best.into()));
    }
}

#[test]
fn a_sweep_from_code_resumes_what_it_has() {
    let root = tempfile::tempdir().unwrap();
    let first = sweep::sweep(root.path(), &[16], 2, 1_200).unwrap();
    assert_eq!((first[0].0, first[0].1.len()), (16, 2));
    let started = std::time::Instant::now();
    assert_eq!(sweep::sweep(root.path(), &[16], 2, 1_200).unwrap(), first);
    assert!(started.elapsed().as_secs() < 5, "finished runs are read");
}

#[test]
fn names_that_clash_are_an_error_of_the_program() {
    let message = |app: App| app.catalog().unwrap_err().to_string();
    let twice = || custom_environment::app().environment("catch", |_: alrao::envs::NoSettings| Nothing);
    assert_eq!(message(twice()), "there are two environments named `catch`: rename one");
    assert!(message(App::new().environment("pendulum", |_: alrao::envs::NoSettings| Nothing)).contains("`pendulum`"));
    let twice =
        custom_body::app().body("mlp", |builder, inputs, _| alrao::core::layers::Mlp::new(builder, inputs, &[2], 1.0));
    assert!(message(twice).contains("already has this name"));
}

/// An environment that never runs.
struct Nothing;

impl alrao::envs::Environment for Nothing {
    fn obs_dim(&self) -> usize {
        1
    }

    fn num_actions(&self) -> usize {
        1
    }

    fn reset(&mut self, _seed: u64) -> Result<(), alrao::envs::EnvironmentError> {
        Ok(())
    }

    fn step(&mut self, _action: usize) -> Result<alrao::envs::Step, alrao::envs::EnvironmentError> {
        Ok(alrao::envs::Step { reward: 0.0, terminated: true, truncated: false })
    }

    fn observation(&self) -> &[f32] {
        &[0.0]
    }
}
