//! Runs with equal seeds are bit-identical; runs with different seeds differ.

use crate::{SMALL, alrao, assert_same, metrics, succeed};

#[test]
fn equal_seeds_give_identical_runs_and_others_do_not() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    for (name, seed) in [("first", 5), ("again", 5), ("other", 6)] {
        succeed(alrao(&format!("{SMALL} --seed {seed} --out {}", at(name).display())));
    }
    assert_same(&at("first"), &at("again"));
    assert_ne!(metrics(&at("first")), metrics(&at("other")));
}
