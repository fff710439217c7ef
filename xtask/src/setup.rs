//! `cargo xtask setup`: afterwards `cargo build`, `cargo test` and `cargo run` need no variable and no wrapper.

use alrao_setup::{Project, provide};
use anyhow::Result;

use crate::checkout::Checkout;

/// Sets this checkout up, as `alrao-setup` does a crate; with `cuda`, for NVIDIA GPUs too.
pub fn run(checkout: &Checkout, cuda: bool) -> Result<()> {
    provide(&Project { root: checkout.root.clone() }, cuda)
}
