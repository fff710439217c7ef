//! `alrao watch`: an episode of a trained agent, as a GIF or in a window.

use std::path::PathBuf;

use alrao_envs::Registry;
use anyhow::Result;

use crate::runs::episode;

/// What `alrao watch` is asked for.
#[derive(clap::Args)]
pub struct WatchRequest {
    /// A run directory.
    pub run: PathBuf,
    /// Write the episode as an animation.
    #[arg(long, value_name = "FILE", required_unless_present = "window")]
    pub gif: Option<PathBuf>,
    /// Show it in a window.
    #[arg(long)]
    pub window: bool,
    /// The seed of the episode; that of the run's first test episode by default.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// Runs the command: the first test episode of the run.
///
/// # Errors
/// [`WrongRequest`](crate::wrong_request::WrongRequest) if there is no such run, its environment has no picture, or there is no display; else what keeps
/// the file from being written.
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
