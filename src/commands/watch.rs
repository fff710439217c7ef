//! `alrao watch`: renders an episode of a trained agent to a GIF or in a window.

use std::path::PathBuf;

use alrao_core::path::Shown;
use anyhow::Result;
use clap::ArgGroup;

use crate::catalog::Catalog;
use crate::output::say;
use crate::output_file;
use crate::runs::episode;
use crate::seed::seed;

/// The arguments of `alrao watch`.
#[derive(clap::Args)]
#[command(group(ArgGroup::new("output").args(["gif", "window"]).required(true).multiple(true)))]
pub struct WatchArgs {
    /// Run directory.
    pub run: PathBuf,
    /// Write the episode to this file, .gif.
    #[arg(long, value_name = "FILE")]
    pub gif: Option<PathBuf>,
    /// Show the episode in a window.
    #[arg(long)]
    pub window: bool,
    /// Random seed of the episode [default: that of the run's first test episode].
    #[arg(long, value_parser = seed)]
    pub seed: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// [`UsageError`](crate::usage_error::UsageError) if the run doesn't exist, its environment has no picture, the file has
/// another ending or can't be written, or there is no display.
pub fn watch(args: &WatchArgs, catalog: &Catalog) -> Result<()> {
    if let Some(path) = &args.gif {
        output_file::check(path, &["gif"])?;
    }
    let episode = episode(catalog, &args.run, args.seed)?;
    if let Some(path) = &args.gif {
        episode.save_gif(path)?;
    }
    say!("{}", episode.describe())?;
    if let Some(path) = &args.gif {
        say!("{}", path.shown())?;
    }
    if args.window {
        episode.show()?;
    }
    Ok(())
}
