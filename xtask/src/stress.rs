//! `cargo xtask stress`: what sweeps must survive, for longer than the tests have time for.

use anyhow::Result;

use crate::cargo::{cargo, run as run_command};
use crate::checkout::Checkout;
use crate::setup;

/// Runs the slow tests of sweeps.
pub fn run(checkout: &Checkout) -> Result<()> {
    setup::run(checkout, false)?;
    let test = ["test", "--test", "command_line", "--", "--ignored", "--nocapture", "sweeps::"];
    run_command("endurance", cargo(checkout).args(test))
}
