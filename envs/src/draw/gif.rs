//! Animations: [`save_gif`].
//!
//! A scene changes little from frame to frame, so each frame keeps the smallest rectangle that holds what changed, with
//! a palette of just these colours, and lets what did not change show through. That is small, and exact wherever 255
//! colours are enough.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::Path;

use gif::{Encoder, EncodingError, Repeat};

use super::canvas::Rgb;
use super::frame::write_atomic;
use super::{Frame, FrameError};

/// Writes frames as a GIF that plays them at `fps` frames a second, again and again; whole or not at all.
///
/// Two frames at a time are in memory, if `frames` makes them as they are asked for.
///
/// # Errors
/// [`FrameError::NoFrames`]; [`FrameError::FrameRate`] unless `fps` is 1 to 50; [`FrameError::Size`] if frames
/// differ in it; [`FrameError::Write`].
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
        encoder.write_frame(&encoded(&first, None, delay(0, fps))).map_err(to_io)?;
        let mut before = first;
        for (index, frame) in frames {
            if frame.size() != before.size() {
                misfit = Some(FrameError::Size { index, size: frame.size(), first: before.size() });
                return Err(io::ErrorKind::InvalidInput.into());
            }
            encoder.write_frame(&encoded(&frame, Some(&before), delay(index, fps))).map_err(to_io)?;
            before = frame;
        }
        Ok(())
    })
    .map_err(|error| misfit.unwrap_or(error))
}

/// How long frame `index` stays, in hundredths of a second: whole ones, which add up to the right time.
fn delay(index: usize, fps: u32) -> u16 {
    let start = |index: usize| index * 100 / fps as usize;
    (start(index + 1) - start(index)) as u16
}

/// What of a frame differs from the frame before.
fn encoded(frame: &Frame, before: Option<&Frame>, delay: u16) -> gif::Frame<'static> {
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
    let (palette, buffer) = indexed(&colors);
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

/// The shortest range with every `i` below `len` that is `within`; one of length 1 if there are none.
fn hull(len: usize, within: impl Fn(usize) -> bool) -> Range<usize> {
    match (0..len).find(|&i| within(i)) {
        Some(first) => first..(first..len).rev().find(|&i| within(i)).map_or(first, |last| last) + 1,
        None => 0..1,
    }
}

/// A palette and each colour's place in it. Place 0 is for none. Where there are too many colours, as few of their last
/// bits as possible are dropped.
fn indexed(colors: &[Option<Rgb>]) -> (Vec<u8>, Vec<u8>) {
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
    (0..8).find_map(attempt).expect("one bit each makes no more than 8 colours")
}

fn to_io(error: EncodingError) -> io::Error {
    match error {
        EncodingError::Io(error) => error,
        error => io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::super::canvas::Canvas;
    use super::*;
    use std::fs::{self, File};

    /// A hand that goes round, a frame an hour.
    fn turning(frames: u8) -> Vec<Frame> {
        let hour = |i| {
            let mut canvas = Canvas::new([60, 40], [255; 3], 15.0, [30.0, 20.0]);
            let (sin, cos) = (f32::from(i) * 0.52).sin_cos();
            canvas.rod([[0.0, 0.0], [sin, cos]], 0.3, [204, 77, 77]);
            canvas.into_frame()
        };
        (0..frames).map(hour).collect()
    }

    /// The frames of a GIF as a viewer shows them, and how long each.
    fn shown(path: &Path) -> (Vec<Frame>, Vec<u16>) {
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
    fn a_viewer_sees_the_frames() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("turning.gif");
        let mut frames = turning(4);
        frames.insert(2, frames[1].clone());
        save_gif(frames.clone(), 30, &path).unwrap();
        assert_eq!(shown(&path), (frames, vec![3, 3, 4, 3, 3]));
    }

    #[test]
    fn many_colours_are_brought_near() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("colours.gif");
        let rgb = (0..64 * 64).flat_map(|i| [i % 64 * 4, i / 64 * 4, 255].map(|value| value as u8)).collect();
        let frame = Frame::new(64, 64, rgb).unwrap();
        save_gif([frame.clone()], 1, &path).unwrap();
        let (shown, delays) = shown(&path);
        assert_eq!(delays, [100]);
        let apart = frame.rgb().iter().zip(shown[0].rgb()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!((1..=18).contains(&apart), "{apart}");
    }

    #[test]
    fn what_makes_no_animation_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no.gif");
        let refusal = |frames: Vec<Frame>, fps| save_gif(frames, fps, &path).unwrap_err().to_string();
        assert_eq!(refusal(vec![], 30), "an animation needs at least one frame");
        assert_eq!(refusal(turning(1), 60), "fps = 60: a GIF shows 1 to 50 frames a second");
        assert_eq!(refusal(turning(1), 0), "fps = 0: a GIF shows 1 to 50 frames a second");
        let other = Frame::new(1, 1, vec![0; 3]).unwrap();
        assert_eq!(refusal([turning(1), vec![other]].concat(), 30), "frame 1 has 1x1 pixels, the first has 60x40");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    }
}
