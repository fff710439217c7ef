//! Animated GIFs: [`save_gif`].
//!
//! Frames differ little, so each stores only the smallest rectangle with all changed pixels and a palette of their
//! colors; unchanged pixels are transparent. Files are small, and exact if a frame changes to at most 255 colors.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path;

use gif::{Encoder, EncodingError, Repeat};

use super::frame::write_atomic;
use super::{Frame, FrameError};
use crate::Rgb;

/// Writes frames as a looping GIF with `fps` frames per second, atomically.
///
/// Only two frames at a time are in memory if `frames` is a lazy iterator.
///
/// # Errors
/// [`FrameError::NoFrames`]; [`FrameError::FrameRate`] unless `fps` is from 1 to 50; [`FrameError::Size`] if frames have
/// different sizes; [`FrameError::Write`].
pub fn save_gif(frames: impl IntoIterator<Item = Frame>, fps: u32, path: impl AsRef<Path>) -> Result<(), FrameError> {
    if !(1..=50).contains(&fps) {
        return Err(FrameError::FrameRate { fps });
    }
    let mut frames = frames.into_iter().enumerate();
    let (_, first) = frames.next().ok_or(FrameError::NoFrames)?;
    let mut misfit = None;
    write_atomic(path.as_ref(), |file| {
        let mut encoder = Encoder::new(file, first.width(), first.height(), &[]).map_err(to_io)?;
        encoder.set_repeat(Repeat::Infinite).map_err(to_io)?;
        encoder.write_frame(&encode(&first, None, delay(0, fps))).map_err(to_io)?;
        let mut before = first;
        for (index, frame) in frames {
            if frame.size() != before.size() {
                misfit = Some(FrameError::Size { index, size: frame.size(), first: before.size() });
                return Err(io::ErrorKind::InvalidInput.into());
            }
            encoder.write_frame(&encode(&frame, Some(&before), delay(index, fps))).map_err(to_io)?;
            before = frame;
        }
        Ok(())
    })
    .map_err(|error| misfit.unwrap_or(error))
}

/// Returns the delay of frame `index`, in hundredths of a second, rounded so that the total is right.
fn delay(index: usize, fps: u32) -> u16 {
    let start = |index: usize| index * 100 / fps as usize;
    (start(index + 1) - start(index)) as u16
}

/// Encodes the difference between a frame and the previous one.
fn encode(frame: &Frame, before: Option<&Frame>, delay: u16) -> gif::Frame<'static> {
    let changed = |x: usize, y: usize| {
        let at = y * usize::from(frame.width()) + x;
        let color = frame.pixels()[at];
        before.is_none_or(|before| before.pixels()[at] != color).then_some(color)
    };
    let [width, height] = [frame.width(), frame.height()].map(usize::from);
    let rows = hull(height, |y| (0..width).any(|x| changed(x, y).is_some()));
    let columns = hull(width, |x| rows.clone().any(|y| changed(x, y).is_some()));
    let colors: Vec<Option<Rgb>> =
        rows.clone().flat_map(|y| columns.clone().map(move |x| (x, y))).map(|(x, y)| changed(x, y)).collect();
    let (palette, buffer) = quantize(&colors);
    gif::Frame {
        delay,
        transparent: Some(0),
        left: columns.start as u16,
        top: rows.start as u16,
        width: columns.len() as u16,
        height: rows.len() as u16,
        palette: Some(palette),
        buffer: buffer.into(),
        ..gif::Frame::default()
    }
}

/// Returns the shortest range with every `i` below `len` that is `within`; `0..1` if there are none.
fn hull(len: usize, within: impl Fn(usize) -> bool) -> Range<usize> {
    match (0..len).find(|&i| within(i)) {
        Some(first) => first..(first..len).rev().find(|&i| within(i)).map_or(first, |last| last) + 1,
        None => 0..1,
    }
}

/// Returns a palette and each color's index in it; index 0 is for `None`. If there are too many colors, as few of their
/// least significant bits as possible are dropped.
fn quantize(colors: &[Option<Rgb>]) -> (Vec<u8>, Vec<u8>) {
    let coarse = |value: u8, bits: u8| {
        let [value, steps] = [value, u8::MAX >> bits].map(u16::from);
        ((value * steps + 127) / 255 * 255 / steps) as u8
    };
    let attempt = |bits| {
        let mut palette = vec![0; 3];
        let mut places = HashMap::new();
        let place = |color: &Option<Rgb>| {
            let Some(color) = color.map(|color| color.map(|value| coarse(value, bits))) else { return Some(0) };
            if let Some(&place) = places.get(&color) {
                return Some(place);
            }
            let place = u8::try_from(places.len() + 1).ok()?;
            places.insert(color, place);
            palette.extend(color);
            Some(place)
        };
        let buffer = colors.iter().map(place).collect::<Option<Vec<u8>>>()?;
        Some((palette, buffer))
    };
    (0..8).find_map(attempt).expect("one bit per channel gives at most 8 colors")
}

fn to_io(error: EncodingError) -> io::Error {
    match error {
        EncodingError::Io(error) => error,
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RenderState, Scene};
    use std::fs::{self, File};

    /// Returns frames of a rotating rod.
    fn rotating_rod(frames: u8) -> Vec<Frame> {
        let frame = |i| {
            let mut scene = Scene::new([60, 40], [255; 3], 15.0, [30.0, 20.0]);
            let (sin, cos) = (f32::from(i) * 0.52).sin_cos();
            scene.rod([[0.0, 0.0], [sin, cos]], 0.3, [204, 77, 77]);
            RenderState::Scene(scene).render()
        };
        (0..frames).map(frame).collect()
    }

    /// Decodes a GIF into its frames and delays.
    fn decode(path: &Path) -> (Vec<Frame>, Vec<u16>) {
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut reader = options.read_info(File::open(path).unwrap()).unwrap();
        let (width, height) = (reader.width(), reader.height());
        let mut rgb = vec![0; usize::from(width) * usize::from(height) * 3];
        let (mut frames, mut delays) = (vec![], vec![]);
        while let Some(part) = reader.read_next_frame().unwrap() {
            for (i, pixel) in part.buffer.chunks(4).enumerate().filter(|(_, pixel)| pixel[3] != 0) {
                let (x, y) = (i % usize::from(part.width), i / usize::from(part.width));
                let at = 3 * ((y + usize::from(part.top)) * usize::from(width) + x + usize::from(part.left));
                rgb[at..at + 3].copy_from_slice(&pixel[..3]);
            }
            delays.push(part.delay);
            frames.push(Frame::new(width, height, rgb.clone()).unwrap());
        }
        (frames, delays)
    }

    #[test]
    fn a_gif_reads_back_the_same_frames() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rod.gif");
        let mut frames = rotating_rod(4);
        frames.insert(2, frames[1].clone());
        save_gif(frames.clone(), 30, &path).unwrap();
        assert_eq!(decode(&path), (frames, vec![3, 3, 4, 3, 3]));
    }

    #[test]
    fn many_colors_are_quantized() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("colors.gif");
        let rgb = (0..64 * 64).flat_map(|i| [i % 64 * 4, i / 64 * 4, 255].map(|value| value as u8)).collect();
        let frame = Frame::new(64, 64, rgb).unwrap();
        save_gif([frame.clone()], 1, &path).unwrap();
        let (decoded, delays) = decode(&path);
        assert_eq!(delays, [100]);
        let error = frame.rgb().iter().zip(decoded[0].rgb()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!((1..=18).contains(&error), "{error}");
    }

    #[test]
    fn invalid_animations_are_errors_and_write_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no.gif");
        let error = |frames: Vec<Frame>, fps| save_gif(frames, fps, &path).unwrap_err().to_string();
        assert_eq!(error(vec![], 30), "an animation needs at least one frame");
        assert_eq!(error(rotating_rod(1), 60), "fps = 60: must be from 1 to 50 for a GIF");
        assert_eq!(error(rotating_rod(1), 0), "fps = 0: must be from 1 to 50 for a GIF");
        let other = Frame::new(1, 1, vec![0; 3]).unwrap();
        assert_eq!(
            error([rotating_rod(1), vec![other]].concat(), 30),
            "frame 1 has 1x1 pixels, but the first has 60x40"
        );
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}
