//! `alrao export`: writes the policy of a run's best checkpoint for other programs.

use std::path::PathBuf;

use alrao_core::path::Shown;
use anyhow::Result;

use crate::catalog::Catalog;
use crate::export::{self, ExportedPolicy, Format};
use crate::output::say;
use crate::run_directory::folder_of;
use crate::usage_error::UsageError;

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
/// [`UsageError`] if the file has another ending, is among the run's checkpoints or can't be written, the run is not an
/// agent's or has no best checkpoint yet, or its body can't be exported; else the checkpoint is damaged.
pub fn export(args: &ExportArgs, catalog: &Catalog) -> Result<()> {
    let format = Format::of(&args.out)?;
    refuse_checkpoints(args)?;
    let policy = ExportedPolicy::of_run(&args.run, catalog)?;
    export::write(&policy, &args.out, format)?;
    say!("{}", policy.describe())?;
    say!("{}", args.out.shown())
}

/// Refuses an output that would replace the run's checkpoint.
fn refuse_checkpoints(args: &ExportArgs) -> Result<(), UsageError> {
    let resolved = folder_of(&args.out).canonicalize().ok().zip(args.run.join("checkpoints").canonicalize().ok());
    match resolved.is_some_and(|(folder, checkpoints)| folder.starts_with(checkpoints)) {
        true => Err(UsageError(format!("{}: is among the run's checkpoints; choose another --out", args.out.shown()))),
        false => Ok(()),
    }
}
