//! Windows where there is nothing to show one on. That they show and close as they should has to be looked at.

#![cfg(feature = "window")]

use std::env;
use std::error::Error;
use std::process::Command;

use alrao_envs::{Frame, Playback, WindowError, show};

fn frame() -> Frame {
    Frame::new(1, 1, vec![0; 3]).expect("one pixel")
}

#[test]
#[ignore = "is for a process of its own, in which SDL finds no display"]
fn shows_nothing() {
    assert!(matches!(show("", 30, [frame()]), Err(WindowError::NoDisplay { .. })));
}

#[test]
fn without_a_display_there_is_an_error() -> Result<(), Box<dyn Error>> {
    let mut child = Command::new(env::current_exe()?);
    child.args(["--exact", "shows_nothing", "--ignored"]).env("SDL_VIDEODRIVER", "dummy");
    let output = child.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    Ok(())
}

#[test]
fn there_must_be_something_to_show_and_a_time_for_it() {
    assert_eq!(show("", 30, []).ok(), Some(Playback::Finished));
    assert!(matches!(show("", 0, [frame()]), Err(WindowError::FrameRate)));
}
