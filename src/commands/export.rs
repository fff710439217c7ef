//! `alrao export`: writes the policy of a run's best checkpoint for other programs.

use std::path::PathBuf;

use alrao_core::path::Shown;
use anyhow::Result;

use crate::catalog::Catalog;
use crate::export::{self, ExportedPolicy, Format};
use crate::output::say;

/// The arguments of `alrao export`.
#[derive(clap::Args)]
pub struct ExportArgs {
    /// Run directory of an agent.
    pub run: PathBuf,
    /// Output file: `.onnx` from the environment's observation to the actions' values, or `.safetensors` with the tensors of
    /// a network in PyTorch.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// [`UsageError`](crate::usage_error::UsageError) if the file has another ending, is among a run's checkpoints or can't be written, the run is not an
/// agent's or has no best checkpoint yet, or its body can't be exported; else the checkpoint is damaged.
pub fn export(args: &ExportArgs, catalog: &Catalog) -> Result<()> {
    let format = Format::of(&args.out)?;
    let policy = ExportedPolicy::of_run(&args.run, catalog)?;
    export::write(&policy, &args.out, format)?;
    say!("{}", policy.describe())?;
    say!("{}", args.out.shown())
}
