//! Frames of the classic-control environments are those in the documents, next to Gymnasium's frames of the same states.

#![cfg(all(feature = "draw", feature = "gym"))]

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use alrao_envs::{Environment, EnvironmentSettings, Frame, Registry};

/// Returns the frame after these actions.
fn frame(env: &str, seed: u64, actions: impl Iterator<Item = usize>) -> Result<Frame, Box<dyn Error>> {
    let mut env = Registry::builtin().make(&EnvironmentSettings::new(env))?;
    assert_eq!(env.render_state(), None);
    env.reset(seed)?;
    for action in actions {
        assert!(!env.step(action)?.ended());
    }
    Ok(env.render_state().ok_or("no picture")?.render())
}

/// Returns the two frames of a document's figure, ours first, each `[height, width, 3]`.
fn figure(name: &str, width: usize) -> Result<[Vec<u8>; 2], Box<dyn Error>> {
    const GAP: usize = 10; // pixels
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/figures/{name}-frames.png"));
    let mut reader = png::Decoder::new(BufReader::new(File::open(path)?)).read_info()?;
    let mut rgb = vec![0; reader.output_buffer_size().ok_or("too large")?];
    let info = reader.next_frame(&mut rgb)?;
    assert_eq!((info.width as usize, info.color_type), (2 * width + GAP, png::ColorType::Rgb));
    let half = |left: usize| rgb.chunks(info.line_size).flat_map(move |row| &row[3 * left..3 * (left + width)]);
    Ok([0, width + GAP].map(|left| half(left).copied().collect()))
}

/// Returns the mean absolute difference of values from 0 to 255.
fn difference(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

#[test]
fn classic_control_is_drawn_like_gymnasiums() -> Result<(), Box<dyn Error>> {
    let frames = [
        ("cartpole", [600, 400], frame("cartpole", 3, [1; 9].into_iter())?),
        ("mountain-car", [600, 400], frame("mountain-car", 3, (0..75).map(|t| if t < 35 { 0 } else { 2 }))?),
        ("acrobot", [500, 500], frame("acrobot", 3, (0..40).map(|t| t / 5 % 2 * 2))?),
    ];
    for (name, size, frame) in frames {
        assert_eq!([frame.width(), frame.height()], size, "{name}");
        let [ours, gymnasiums] = figure(name, size[0].into())?;
        assert_eq!(difference(frame.rgb(), &ours), 0.0, "{name}: make the figure again by `cargo xtask frames`");
        let difference = difference(frame.rgb(), &gymnasiums);
        assert!(difference < 0.2, "{name}: {difference}");
    }
    Ok(())
}
