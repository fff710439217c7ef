//! Playback of frames in a window: [`show`].

use std::time::{Duration, Instant};

use sdl2::event::Event;
use sdl2::keyboard::Keycode;
use sdl2::pixels::PixelFormatEnum;
use sdl2::render::Canvas;
use sdl2::video::Window;

use crate::Frame;

/// How the playback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Playback {
    /// All frames were shown.
    Finished,
    /// The window was closed, or Escape or `q` was pressed.
    Closed,
}

/// An error of the playback.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// There is no display.
    #[error("there is no display to open a window on: {reason}")]
    NoDisplay {
        /// SDL's message.
        reason: String,
    },

    /// A frame rate of 0.
    #[error("fps = 0: must be at least 1")]
    FrameRate,

    /// A frame can't be shown.
    #[error("can't show frame {index}: {reason}")]
    Draw {
        /// The frame's index, from 0.
        index: usize,
        /// SDL's message.
        reason: String,
    },
}

/// Shows frames at `fps` frames per second in a window of the first frame's size, until the last frame, or until the
/// window is closed or Escape or `q` is pressed. The window can be resized.
///
/// Frames that arrive late are shown at once. Call it on the main thread, as SDL requires.
///
/// # Errors
/// [`WindowError::NoDisplay`], [`WindowError::FrameRate`], [`WindowError::Draw`].
pub fn show(title: &str, fps: u32, frames: impl IntoIterator<Item = Frame>) -> Result<Playback, WindowError> {
    if fps == 0 {
        return Err(WindowError::FrameRate);
    }
    let mut frames = frames.into_iter().enumerate().peekable();
    let Some((_, first)) = frames.peek() else { return Ok(Playback::Finished) };

    sdl2::hint::set("SDL_RENDER_SCALE_QUALITY", "linear"); // in a window of another size
    let no_display = |reason| WindowError::NoDisplay { reason };
    let sdl = sdl2::init().map_err(no_display)?;
    let mut events = sdl.event_pump().map_err(no_display)?;
    let mut canvas = open(&sdl, title, first).map_err(no_display)?;

    let mut next = Instant::now();
    for (index, frame) in frames {
        draw(&mut canvas, &frame).map_err(|reason| WindowError::Draw { index, reason })?;
        next = next.max(Instant::now()) + Duration::from_secs(1) / fps;
        while let Some(rest) = next.checked_duration_since(Instant::now()) {
            let milliseconds = rest.as_millis().max(1) as u32; // at most 1000
            if events.wait_event_timeout(milliseconds).is_some_and(|event| closes(&event)) {
                return Ok(Playback::Closed);
            }
        }
    }
    Ok(Playback::Finished)
}

fn open(sdl: &sdl2::Sdl, title: &str, first: &Frame) -> Result<Canvas<Window>, String> {
    let video = sdl.video()?;
    // Without a display, SDL may choose a driver that shows nothing.
    let driver = video.current_video_driver();
    if ["dummy", "evdev", "offscreen"].contains(&driver) {
        return Err(format!("SDL has only its {driver} driver here"));
    }
    let [width, height] = [first.width(), first.height()].map(u32::from);
    let window = video.window(title, width, height).position_centered().resizable().build();
    window.map_err(|error| error.to_string())?.into_canvas().build().map_err(|error| error.to_string())
}

fn draw(canvas: &mut Canvas<Window>, frame: &Frame) -> Result<(), String> {
    let [width, height] = [frame.width(), frame.height()].map(u32::from);
    canvas.set_logical_size(width, height).map_err(|error| error.to_string())?;
    let creator = canvas.texture_creator();
    let texture = creator.create_texture_static(PixelFormatEnum::RGB24, width, height);
    let mut texture = texture.map_err(|error| error.to_string())?;
    texture.update(None, frame.rgb(), usize::from(frame.width()) * 3).map_err(|error| error.to_string())?;
    canvas.clear();
    canvas.copy(&texture, None, None)?;
    canvas.present();
    Ok(())
}

fn closes(event: &Event) -> bool {
    matches!(event, Event::Quit { .. } | Event::KeyDown { keycode: Some(Keycode::Escape | Keycode::Q), .. })
}
