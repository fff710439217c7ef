//! A run trained by a custom program, without the command line.

use alrao::envs::EnvSpec;
use alrao::run_directory::{load_best, read_summary};
use alrao::runs;
use alrao::summary::Outcome;
use alrao::usage_error::UsageError;
use alrao::{Catalog, Config};

#[test]
fn a_program_trains_plots_and_resumes_a_run_in_a_custom_environment() {
    let sets = [
        "environment.name=mine",
        "schedule.steps=600",
        "schedule.validate_every=200",
        "schedule.validation_episodes=1",
        "schedule.test_episodes=2",
        "agent.learning_starts=100",
        "agent.network.hidden_sizes=[8]",
        "device=cpu",
    ];
    let mut catalog = Catalog::builtin();
    let mine = catalog.environments.spec("pendulum").unwrap().into_owned();
    catalog.environments.register(EnvSpec { name: "mine".into(), ..mine }).unwrap();
    let config = Config::read("pendulum", &sets.map(String::from), &catalog).unwrap();
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let summary = runs::train(&run, config.clone(), &catalog).unwrap();
    assert!(matches!(summary.outcome, Outcome::Agent { steps: 600, test: Some(test), .. } if test.episodes == 2));
    assert_eq!(summary.task, "mine");
    assert!(runs::episode(&catalog, &run, None).unwrap().describe().ends_with("length 200"));
    assert_eq!(read_summary(&run).unwrap().as_ref(), Some(&summary));
    load_best(&run).unwrap();
    let figure = runs::draw(&run).unwrap().unwrap();
    assert!(std::fs::read_to_string(figure).unwrap().starts_with("<svg"));

    assert_eq!(runs::resume(&run, &catalog).unwrap(), summary);
    assert!(runs::train(&run, config.clone(), &catalog).unwrap_err().is::<UsageError>());
    let invalid = Config { threads: 0, ..config };
    let other = root.path().join("other");
    alrao::run_directory::RunDirectory::create(&other, &invalid, None).unwrap();
    assert!(runs::resume(&other, &catalog).unwrap_err().is::<UsageError>());
}
