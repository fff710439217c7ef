//! A run seen through by a program of someone's own, without the command line.

use alrao::config::Config;
use alrao::run_directory::{load_best, read_summary};
use alrao::runs;
use alrao::summary::Outcome;
use alrao::wrong_request::WrongRequest;

#[test]
fn a_program_trains_a_run_and_has_its_summary_and_its_figure() {
    let sets = [
        "schedule.steps=600",
        "schedule.validate_every=200",
        "schedule.validation_episodes=1",
        "schedule.test_episodes=2",
        "agent.warm_up=100",
        "agent.network.hidden=[8]",
        "device=cpu",
    ];
    let config = Config::read("pendulum", &sets.map(String::from)).unwrap();
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("run");
    let summary = runs::train(&run, config.clone()).unwrap();
    assert!(matches!(summary.outcome, Outcome::Agent { steps: 600, test: Some(test), .. } if test.episodes == 2));
    assert_eq!(read_summary(&run).unwrap().as_ref(), Some(&summary));
    load_best(&run).unwrap();
    let figure = runs::draw(&run).unwrap().unwrap();
    assert!(std::fs::read_to_string(figure).unwrap().starts_with("<svg"));

    assert_eq!(runs::resume(&run).unwrap(), summary);
    assert!(runs::train(&run, config.clone()).unwrap_err().is::<WrongRequest>());
    let damaged = Config { threads: 0, ..config };
    let other = root.path().join("other");
    alrao::run_directory::RunDirectory::create(&other, &damaged).unwrap();
    assert!(runs::resume(&other).unwrap_err().is::<WrongRequest>());
}
