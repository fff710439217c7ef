//! `cargo xtask stress`: the slow tests of killed sweeps.

use anyhow::Result;

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

/// Runs the slow tests of sweeps.
pub fn run(checkout: &Checkout) -> Result<()> {
    setup::run(checkout, false)?;
    let test = ["test", "--test", "command_line", "--", "--ignored", "--nocapture", "sweeps::"];
    run_command("the stress tests", cargo(checkout).args(test))
}
