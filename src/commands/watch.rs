//! `alrao watch`: renders an episode of a trained agent to a GIF or in a window.

use std::path::PathBuf;

use alrao_envs::Registry;
use anyhow::Result;

use crate::runs::episode;

/// The arguments of `alrao watch`.
#[derive(clap::Args)]
pub struct WatchRequest {
    /// Run directory.
    pub run: PathBuf,
    /// Write the episode to this GIF file.
    #[arg(long, value_name = "FILE", required_unless_present = "window")]
    pub gif: Option<PathBuf>,
    /// Show the episode in a window.
    #[arg(long)]
    pub window: bool,
    /// Random seed of the episode [default: that of the run's first test episode].
    #[arg(long)]
    pub seed: Option<u64>,
}

/// Runs the command.
///
/// # Errors
/// [`WrongRequest`](crate::wrong_request::WrongRequest) if the run doesn't exist, its environment can't be rendered, or
/// there is no display; else the file can't be written.
pub fn watch(request: &WatchRequest, registry: &Registry) -> Result<()> {
    let episode = episode(registry, &request.run, request.seed)?;
    println!("{}", episode.words());
    if let Some(path) = &request.gif {
        episode.save_gif(path)?;
        println!("{}", path.display());
    }
    if request.window {
        episode.show()?;
    }
    Ok(())
}
