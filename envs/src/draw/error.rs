//! What can go wrong with pictures.

use std::io;
use std::path::PathBuf;

/// Why a picture could not be made or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The numbers of pixels and of values disagree, or there are no pixels.
    #[error("{width} x {height} pixels can't be made of {values} values: they take 3 each, and there must be some")]
    Values {
        /// Pixels in a row.
        width: u16,
        /// Rows.
        height: u16,
        /// How many values were given.
        values: usize,
    },

    /// An animation of nothing.
    #[error("an animation needs at least one frame")]
    NoFrames,

    /// A GIF counts in hundredths of a second, and viewers slow down what is faster than two of them.
    #[error("fps = {fps}: a GIF shows 1 to 50 frames a second")]
    FrameRate {
        /// What was asked for.
        fps: u32,
    },

    /// A frame that doesn't fit the others of an animation.
    #[error("frame {index} has {}x{} pixels, the first has {}x{}", .size.0, .size.1, .first.0, .first.1)]
    Size {
        /// Which frame; the first is 0.
        index: usize,
        /// Its width and height.
        size: (u16, u16),
        /// The first frame's width and height.
        first: (u16, u16),
    },

    /// The file could not be written; what was there before is still there.
    #[error("can't write {}", .path.display())]
    Write {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
