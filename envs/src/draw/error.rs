//! The errors of frames and animations.

use std::io;
use std::path::PathBuf;

/// An error of creating or writing frames.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The number of values doesn't fit the size, or is 0.
    #[error(
        "a frame of {width} x {height} pixels can't have {values} values: give 3 values for each pixel, and at least one pixel"
    )]
    Values {
        /// The width, in pixels.
        width: u16,
        /// The height, in pixels.
        height: u16,
        /// The number of values.
        values: usize,
    },

    /// An animation without frames.
    #[error("an animation needs at least one frame")]
    NoFrames,

    /// A frame rate that GIFs don't support: they count in hundredths of a second, and viewers slow down frames shorter
    /// than two.
    #[error("fps = {fps}: must be from 1 to 50 for a GIF")]
    FrameRate {
        /// The frame rate.
        fps: u32,
    },

    /// A frame of another size than the first.
    #[error("frame {index} has {}x{} pixels, but the first has {}x{}", .size.0, .size.1, .first.0, .first.1)]
    Size {
        /// The frame's index, from 0.
        index: usize,
        /// The frame's width and height.
        size: (u16, u16),
        /// The first frame's width and height.
        first: (u16, u16),
    },

    /// The file can't be written; an existing file is left unchanged.
    #[error("can't write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}
