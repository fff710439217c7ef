//! One seed gives one run, to the last byte; another seed gives another.

use crate::{SMALL, alrao, assert_same, metrics, succeed};

#[test]
fn the_same_seed_repeats_and_another_differs() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    for (name, seed) in [("first", 5), ("again", 5), ("other", 6)] {
        succeed(alrao(&format!("{SMALL} --seed {seed} --out {}", at(name).display())));
    }
    assert_same(&at("first"), &at("again"));
    assert_ne!(metrics(&at("first")), metrics(&at("other")));
}
