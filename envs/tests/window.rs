//! Errors of the window without a display; playback itself is checked by eye.

#![cfg(feature = "window")]

use std::env;
use std::error::Error;
use std::process::Command;

use alrao_envs::{Frame, Playback, WindowError, show};

fn frame() -> Frame {
    Frame::new(1, 1, vec![0; 3]).expect("one pixel")
}

#[test]
#[ignore = "run by `without_a_display_there_is_an_error` in a process without a display"]
fn no_display() {
    assert!(matches!(show("", 30, [frame()]), Err(WindowError::NoDisplay { .. })));
}

#[test]
fn without_a_display_there_is_an_error() -> Result<(), Box<dyn Error>> {
    let mut child = Command::new(env::current_exe()?);
    child.args(["--exact", "no_display", "--ignored"]).env("SDL_VIDEODRIVER", "dummy");
    let output = child.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    Ok(())
}

#[test]
fn no_frames_are_fine_and_a_frame_rate_of_zero_is_an_error() {
    assert_eq!(show("", 30, []).ok(), Some(Playback::Finished));
    assert!(matches!(show("", 0, [frame()]), Err(WindowError::FrameRate)));
}
