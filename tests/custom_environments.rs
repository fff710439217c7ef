//! What custom environments do wrong while agents train in them: the run says where, and stays usable.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use alrao::envs::{EnvSpec, Environment, EnvironmentError, EnvironmentSettings, NoSettings, Step};
use alrao::{App, Catalog, Config, Error, Run};
use serde_json::Value;

/// A walk on a line whose steps go wrong in some way once a fuse has burnt down.
struct Walk {
    fault: Fault,
    fuse: Arc<AtomicI64>,
    place: Vec<f32>,
    mask: Vec<bool>,
    steps: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Panic,
    NaN,
    NoEnd,
    LongerObservation,
    InfiniteReward,
    NoLegalAction,
    LongerMask,
}

impl Environment for Walk {
    fn obs_dim(&self) -> usize {
        self.place.len()
    }

    fn num_actions(&self) -> usize {
        2
    }

    fn reset(&mut self, seed: u64) -> Result<(), EnvironmentError> {
        (self.place, self.mask, self.steps) = (vec![(seed % 5) as f32 - 2.0], vec![true; 2], 0);
        Ok(())
    }

    fn step(&mut self, action: usize) -> Result<Step, EnvironmentError> {
        self.place[0] += action as f32 * 2.0 - 1.0;
        self.steps += 1;
        let mut reward = -f64::from(self.place[0].abs());
        if self.fuse.fetch_sub(1, Ordering::Relaxed) == 0 {
            match self.fault {
                Fault::None | Fault::NoEnd => {}
                Fault::Panic => panic!("the line ends here"),
                Fault::NaN => self.place[0] = f32::NAN,
                Fault::LongerObservation => self.place.push(0.0),
                Fault::InfiniteReward => reward = f64::INFINITY,
                Fault::NoLegalAction => self.mask = vec![false; 2],
                Fault::LongerMask => self.mask.push(true),
            }
        }
        let endless = self.fault == Fault::NoEnd;
        let terminated = self.place[0].abs() > 4.0 && !endless;
        Ok(Step { reward, terminated, truncated: self.steps == 20 && !endless })
    }

    fn observation(&self) -> &[f32] {
        &self.place
    }

    fn action_mask(&self) -> Option<&[bool]> {
        Some(&self.mask)
    }
}

/// A program with the walk, which goes wrong at its `fuse`-th step.
fn catalog(fault: Fault, fuse: i64) -> Catalog {
    let fuse = Arc::new(AtomicI64::new(fuse));
    let make =
        move |_: NoSettings| Walk { fault, fuse: Arc::clone(&fuse), place: vec![0.0], mask: vec![true; 2], steps: 0 };
    App::new().spec(EnvSpec::new("walk", make)).catalog().unwrap()
}

fn create(path: &Path, catalog: &Catalog) -> Run {
    let mut config = Config::agent(EnvironmentSettings::new("walk"), 900);
    config.device = "cpu".into();
    let alrao::config::Task::Agent(task) = &mut config.task else { unreachable!("an agent's") };
    (task.schedule.validate_every, task.schedule.validation_episodes) = (300, 2);
    (task.schedule.test_episodes, task.schedule.checkpoint_every, task.schedule.log_every) = (2, 100, 100);
    (task.agent.learning_starts, task.agent.network.hidden_sizes) = (100, vec![8]);
    Run::create(path, config, catalog).unwrap()
}

/// The records of a run without wall-clock times.
fn records(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let mut records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for record in &mut records {
        record.as_object_mut().unwrap().retain(|key, _| key != "seconds" && !key.ends_with("_per_second"));
    }
    records
}

fn best(run: &Path) -> Vec<u8> {
    fs::read(run.join("checkpoints/best/network.safetensors")).unwrap()
}

#[test]
fn a_fault_names_environment_and_step_and_the_run_resumes_bit_identically() {
    let root = tempfile::tempdir().unwrap();
    let whole = root.path().join("whole");
    create(&whole, &catalog(Fault::None, 0)).train().unwrap();
    for (fault, name, words) in [
        (Fault::Panic, "panic", "panicked: the line ends here"),
        (Fault::NaN, "nan", "the observation's value 0 is NaN"),
        (Fault::LongerObservation, "longer", "the observation has 2 values, but `obs_dim` is 1"),
        (Fault::InfiniteReward, "infinite", "the reward of step"),
        (Fault::NoLegalAction, "stuck", "`action_mask` has no legal action"),
        (Fault::LongerMask, "longer mask", "`action_mask` has 3 values, but there are 2 actions"),
    ] {
        let path = root.path().join(name);
        let error = create(&path, &catalog(fault, 450)).train().unwrap_err();
        assert!(matches!(error, Error::Failed(_)), "{error}");
        let message = error.to_string();
        assert!(message.contains("environment `walk`: ") && message.contains(words), "{message}");
        assert!(message.contains("step"), "{message}");

        Run::open(&path, &catalog(Fault::None, 0)).unwrap().train().unwrap();
        assert_eq!(records(&path), records(&whole), "{name}");
        assert_eq!(best(&path), best(&whole), "{name}");
    }
}

#[test]
fn a_program_without_the_environment_is_told_to_use_the_one_that_has_it() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("run");
    create(&path, &catalog(Fault::None, 0));
    let error = Run::open(&path, &Catalog::builtin()).unwrap_err();
    assert!(matches!(error, Error::Usage(_)));
    let message = error.to_string();
    assert!(message.contains("there is no environment `walk`") && message.contains("use the program that made it"));
}

#[test]
fn without_a_picture_recordings_are_refused_before_the_run_and_watching_says_how_to_add_one() {
    let root = tempfile::tempdir().unwrap();
    let (path, catalog) = (root.path().join("run"), catalog(Fault::None, 0));
    let run = create(&path, &catalog);
    run.train().unwrap();
    let words = "walk has no picture: have its method `render_state` return a `Scene` of shapes";
    let error = alrao::runs::episode(&catalog, &path, None).err().unwrap().to_string();
    assert!(error.starts_with(words), "{error}");

    let mut config = run.config().clone();
    let alrao::config::Task::Agent(task) = &mut config.task else { unreachable!("an agent's") };
    task.schedule.record = true;
    let recorded = root.path().join("recorded");
    let error = Run::create(&recorded, config, &catalog).unwrap_err();
    assert!(matches!(error, Error::Usage(_)) && !recorded.exists(), "{error}");
    assert!(error.to_string().starts_with(&format!("schedule.record: {words}")), "{error}");
}

#[test]
fn an_episode_without_end_is_ended_by_a_limit_which_is_said() {
    let root = tempfile::tempdir().unwrap();
    let catalog = catalog(Fault::NoEnd, -1);
    let mut config = create(&root.path().join("default"), &catalog).config().clone();
    let alrao::config::Task::Agent(task) = &mut config.task else { unreachable!("an agent's") };
    assert_eq!(task.schedule.max_evaluation_steps, 10_000);
    task.schedule.max_evaluation_steps = 50;
    let path = root.path().join("run");
    let run = Run::create(&path, config, &catalog).unwrap();
    let alrao::summary::Outcome::Agent { test, random_policy, .. } = run.train().unwrap().outcome else {
        unreachable!("an agent's")
    };
    assert_eq!((test.unwrap().at_limit, random_policy.at_limit), (2, 2));
    let validations: Vec<Value> = records(&path).into_iter().filter(|line| line["kind"] == "validation").collect();
    assert!(validations.len() == 3 && validations.iter().all(|line| line["at_limit"] == 2), "{validations:?}");
    assert_eq!(run.evaluate(3, 1).unwrap().at_limit, 3);
}
