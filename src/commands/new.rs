//! `alrao new`: writes a crate with a custom environment, as `alrao-setup new` does.

use std::path::PathBuf;

use alrao_setup::{Failure, SourceArgs, is_closed_output, new_crate, provide};
use anyhow::Result;

use crate::output::Closed;
use crate::usage_error::UsageError;

/// The arguments of `alrao new`.
#[derive(clap::Args)]
pub struct NewArgs {
    /// Folder of the crate; it must be empty or missing.
    pub dir: PathBuf,
    #[command(flatten)]
    source: SourceArgs,
}

/// Runs the command.
///
/// # Errors
/// [`UsageError`] if the folder isn't empty, its name is no crate's, or there is no source of alrao; else the folder can't
/// be written or the libraries not be downloaded.
pub fn new(args: NewArgs) -> Result<()> {
    let written =
        args.source.source().and_then(|source| new_crate(&args.dir, &source, |project| provide(project, false)));
    written.map_err(|error| match error.downcast_ref::<Failure>() {
        Some(Failure::Usage(_)) => UsageError(format!("{error:#}")).into(),
        _ if is_closed_output(&error) => Closed.into(),
        _ => error,
    })
}
